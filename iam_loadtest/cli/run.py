"""``iam-loadtest run``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iam_loadtest.cli import EXIT_INTERRUPTED, EXIT_OBJECTIVE, EXIT_TRIALS
from iam_loadtest.cli.monitor import emit
from iam_loadtest.cli.options import counted, load_options, overrides_of, scenario_argument

if TYPE_CHECKING:
    from iam_loadtest.runner.run import RunOutcome
    from iam_loadtest.scenario.model import Scenario


@click.command()
@scenario_argument(required=False)
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Do what is missing of this run.")
@click.option(
    "--reports", type=click.Path(path_type=Path), default=Path("reports"), show_default=True, help="Where runs go."
)
@load_options
@click.option(
    "--report/--no-report", "with_report", default=True, help="Write the report at the end.  [default: report]"
)
@click.option(
    "--calibrate",
    "with_calibration",
    is_flag=True,
    help="First measure what the generator itself can do, and keep it with the run (about 20 seconds).",
)
@click.option("--quiet", is_flag=True, help="Say only what went wrong.")
@click.option("--json-log", is_flag=True, help="Say what happens as JSON lines.")
def run(
    scenario: Path | None,
    resume: Path | None,
    reports: Path,
    only: tuple[str, ...],
    with_report: bool,
    with_calibration: bool,
    quiet: bool,
    json_log: bool,
    **load: Any,
) -> None:
    """Run SCENARIO, or with --resume what is missing of a run, and write its report."""
    from iam_loadtest.cli.monitor import monitor_for  # noqa: PLC0415  not needed for --help
    from iam_loadtest.runner.run import run_trials  # noqa: PLC0415  not needed for --help
    from iam_loadtest.scenario.plan import trial_s  # noqa: PLC0415  not needed for --help

    directory, noun = _open_run(scenario, resume, reports, only, overrides_of(**load))
    if not (quiet or json_log):
        click.echo(f"Run: {directory}")
    if json_log:
        emit("run_started", directory=str(directory))
    if with_calibration:
        _calibrate(directory, noun, quiet or json_log)
    monitor = monitor_for(quiet, json_log, trial_s(noun.load) + noun.load.rest_s)
    try:
        outcome = run_trials(directory, noun, monitor)
    finally:
        monitor.close()
    code = _finish(outcome, noun, with_report, quiet or json_log)
    if json_log:
        emit("run_ended", directory=str(directory), missing=outcome.missing, exit_code=code)
    sys.exit(code)


def _open_run(
    scenario: Path | None, resume: Path | None, reports: Path, only: tuple[str, ...], overrides: dict[str, Any]
) -> tuple[Path, Scenario]:
    from iam_loadtest.runner.run import new_run, resume_scenario  # noqa: PLC0415  not needed for --help

    if resume is not None:
        if only or overrides:
            raise click.UsageError(
                "--resume runs what the run began with; leave --only, --trials, --duration, ... out."
            )
        found, noun = resume_scenario(resume, scenario)
        return found.directory, noun
    if scenario is None:
        raise click.UsageError("name a SCENARIO, or a run with --resume.")
    return new_run(scenario, overrides, reports, only)


def _calibrate(directory: Path, scenario: Scenario, silent: bool) -> None:
    """Keep a short calibration in run.json, before the first trial."""
    from iam_loadtest.cli.calibrate import summary  # noqa: PLC0415  not needed for --help
    from iam_loadtest.runner.calibrate import store_calibration  # noqa: PLC0415  not needed for --help

    try:
        found = store_calibration(directory, scenario)
    except KeyboardInterrupt:
        click.echo(f"Interrupted; go on with: iam-loadtest run --resume {directory}", err=True)
        sys.exit(EXIT_INTERRUPTED)
    if not silent:
        click.echo(summary(found, scenario.steps_of(found.workload), scenario.load.workers))


def _finish(outcome: RunOutcome, scenario: Scenario, with_report: bool, silent: bool) -> int:
    """Report, say what is left to do, and return the exit code that fits."""
    if outcome.interrupted:
        click.echo(
            f"Interrupted; {counted(outcome.missing, 'trial')} left to do. "
            f"Go on with: iam-loadtest run --resume {outcome.directory}",
            err=True,
        )
        return EXIT_INTERRUPTED
    try:
        return _judge(outcome.directory, scenario, with_report, silent)
    except KeyboardInterrupt:
        click.echo(f"Interrupted; every trial has ended. Report: iam-loadtest report {outcome.directory}", err=True)
        return EXIT_INTERRUPTED


def _judge(directory: Path, scenario: Scenario, with_report: bool, silent: bool) -> int:
    """Write the report, name what missed its objective or does not count, and return the exit code that fits."""
    bad = _write_report(directory, silent) if with_report else _trials_that_do_not_count(directory)
    missed = _missed_objectives(directory, scenario) if scenario.objectives else []
    for text in missed:
        click.echo(f"objective missed: {text}", err=True)
    if bad:
        click.echo(f"{counted(bad, 'trial')} failed or invalid; the report names each reason.", err=True)
        return EXIT_TRIALS
    return EXIT_OBJECTIVE if missed else 0


def _write_report(directory: Path, silent: bool) -> int:
    """Write the report; how many planned trials it excludes, those among them whose samples are gone."""
    from iam_loadtest.report import write_report  # noqa: PLC0415  pandas and matplotlib are slow to import

    files = write_report(directory)
    if not silent:
        click.echo(f"Report: {files.html}")
    planned = {trial.id for trial in files.summary.run.info.plan}
    return sum(entry.trial.id in planned for entry in files.summary.excluded)


def _missed_objectives(directory: Path, scenario: Scenario) -> list[str]:
    from iam_loadtest.analysis.objective import judge_objectives  # noqa: PLC0415  slow to import
    from iam_loadtest.analysis.summary import summarise_directory  # noqa: PLC0415  slow to import

    judged = judge_objectives(summarise_directory(directory), scenario.objectives)
    return [entry.describe() for entry in judged if not entry.is_met]


def _trials_that_do_not_count(directory: Path) -> int:
    """Planned trials that ended badly, by what trial.json says alone."""
    from iam_loadtest.results.run import read_run  # noqa: PLC0415  not needed for --help

    run = read_run(directory)
    planned = {trial.id for trial in run.info.plan}
    return sum(not trial.is_counted for trial in run.trials if trial.id in planned)
