"""``iam-loadtest plan``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iam_loadtest.cli.options import counted, crowding, load_options, overrides_of, scenario_argument, size_of
from iam_loadtest.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iam_loadtest.results.run import PlannedTrial
    from iam_loadtest.scenario.load import Load
    from iam_loadtest.scenario.plan import Plan


@click.command()
@scenario_argument()
@load_options
def plan(scenario: Path, only: tuple[str, ...], quick: bool, **load: Any) -> None:
    """Show the trials of SCENARIO in their order, and how long all of it takes. Starts nothing."""
    from iam_loadtest.runner.run import choose  # noqa: PLC0415  not needed for --help
    from iam_loadtest.scenario.load_file import load_scenario  # noqa: PLC0415  not needed for --help
    from iam_loadtest.scenario.plan import make_plan  # noqa: PLC0415  not needed for --help

    only, overrides = size_of(scenario, quick, only, overrides_of(**load))
    noun = load_scenario(scenario, overrides)
    whole = make_plan(noun)
    trials = choose(noun, whole.trials, only)
    click.echo(f"{'no':>4}  {'starts at':>9}  {'topology':<24} {'workload':<16} trial")
    start_s = 0.0
    for trial in trials:
        starts = format_duration(start_s)
        click.echo(f"{trial.position:>4}  {starts:>9}  {trial.topology:<24} {trial.workload:<16} {trial.trial}")
        start_s += whole.length_s(trial) + whole.rest_s
    click.echo(
        f"{counted(len(trials), 'trial')} of {_lengths(whole, trials)} each: {_model(noun.load)}, "
        f"{format_duration(noun.load.warm_up_s)} warm-up, "
        f"{format_duration(noun.load.duration_s)} measured, {counted(noun.load.workers, 'worker')}."
    )
    click.echo(f"Expected time: {format_duration(whole.expected_s(trials))}.")
    note = crowding(noun.load.workers)
    if note:
        click.echo(note, err=True)


def _lengths(whole: Plan, trials: Sequence[PlannedTrial]) -> str:
    """How long one trial takes; the shortest and the longest where topologies or probes make them unlike."""
    lengths = [whole.length_s(trial) for trial in trials]
    shown = dict.fromkeys(format_duration(length_s) for length_s in (min(lengths), max(lengths)))
    return " to ".join(shown)


def _model(load: Load) -> str:
    """Who asks, or how much is asked."""
    if load.arrival_rate_per_s is None:
        return f"{load.users} users at {load.spawn_rate_per_s:g}/s"
    rates = dict.fromkeys([load.arrival_rate_per_s, *(stage.arrival_rate_per_s for stage in load.stages)])
    return f"open model, {', '.join(f'{rate:g}' for rate in rates)} chains/s, up to {load.users} at once"
