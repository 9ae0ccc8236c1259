"""What a run comes to: the trials that do not count, the objectives, and the exit code that fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iam_loadtest.cli import EXIT_INCONCLUSIVE, EXIT_OBJECTIVE, EXIT_TRIALS
from iam_loadtest.cli.options import counted

if TYPE_CHECKING:
    from iam_loadtest.analysis.objective import JudgedObjective
    from iam_loadtest.analysis.summary import RunSummary
    from iam_loadtest.results.run import Run
    from iam_loadtest.results.trial import Trial
    from iam_loadtest.scenario.model import Scenario


def judge_of(scenario: Scenario) -> Callable[[Path, Trial], str | None]:
    """Says why a trial that ended well does not count; None where it does."""

    def judge(directory: Path, trial: Trial) -> str | None:
        from iam_loadtest.analysis.trial_summary import summarise_trial  # noqa: PLC0415  slow to import

        staged = bool(scenario.load.stages)
        return summarise_trial(directory, trial, validity=scenario.validity, is_staged=staged).excluded

    return judge


def judge_directory(directory: Path, strict: bool) -> int:
    """Judge a run of which no report was written; without objectives its samples are not read."""
    from iam_loadtest.results.run import read_run  # noqa: PLC0415  not needed for --help

    run = read_run(directory)
    if not run.info.scenario.get("objectives"):
        return _exit_code(run, {trial.id for trial in run.trials if trial.is_counted}, (), strict)
    from iam_loadtest.analysis.summary import summarise_run  # noqa: PLC0415  slow to import

    return judge_summary(summarise_run(run), strict)


def judge_summary(summary: RunSummary, strict: bool) -> int:
    """Name the objectives that are not met and count the trials that do not count; the exit code that fits."""
    from iam_loadtest.analysis.objective import judge_objectives, objectives_of  # noqa: PLC0415  slow to import

    judged = judge_objectives(summary, objectives_of(summary.run.info.scenario))
    return _exit_code(summary.run, {one.trial.id for one in summary.counted}, judged, strict)


def _exit_code(run: Run, ids: set[str], judged: Sequence[JudgedObjective], strict: bool) -> int:
    for entry in judged:
        if not entry.is_met:
            click.echo(f"objective {entry.judgement}: {entry.describe()}", err=True)
    bad = len(run.uncounted(ids))
    if bad:
        click.echo(f"{counted(bad, 'trial')} failed or invalid; the report names each reason.", err=True)
        return EXIT_TRIALS
    if any(entry.is_missed for entry in judged):
        return EXIT_OBJECTIVE
    return EXIT_INCONCLUSIVE if strict and not all(entry.is_met for entry in judged) else 0
