"""``iam-loadtest run``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iam_loadtest.cli import EXIT_INTERRUPTED
from iam_loadtest.cli.calibrate import calibrate_run
from iam_loadtest.cli.hint import shell_command
from iam_loadtest.cli.judgement import judge_directory, judge_of, judge_summary
from iam_loadtest.cli.monitor import emit
from iam_loadtest.cli.options import (
    counted,
    crowding,
    external_of,
    external_options,
    load_options,
    overrides_of,
    scenario_argument,
    size_of,
    strict_option,
)

if TYPE_CHECKING:
    from iam_loadtest.cli.monitor import Monitor
    from iam_loadtest.runner.external import ExternalWorkers
    from iam_loadtest.runner.run import RunOutcome
    from iam_loadtest.scenario.model import Scenario


@click.command()
@scenario_argument(required=False)
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Do what is missing of this run.")
@click.option(
    "--again",
    multiple=True,
    type=click.Choice(["failed", "invalid"]),
    help="With --resume: repeat the trials that ended so. They stay on disk, and the report names them. Repeatable.",
)
@click.option(
    "--reports", type=click.Path(path_type=Path), default=Path("reports"), show_default=True, help="Where runs go."
)
@load_options
@external_options
@click.option(
    "--report/--no-report", "with_report", default=True, help="Write the report at the end.  [default: report]"
)
@click.option(
    "--calibrate/--no-calibrate",
    "with_calibration",
    default=True,
    help="First measure what the generator itself can do, once a run (about 6 seconds); not of other hosts."
    "  [default: calibrate]",
)
@strict_option
@click.option("--quiet", is_flag=True, help="Say only what went wrong.")
@click.option("--json-log", is_flag=True, help="Say what happens as JSON lines.")
def run(
    scenario: Path | None,
    resume: Path | None,
    again: tuple[str, ...],
    reports: Path,
    only: tuple[str, ...],
    quick: bool,
    with_report: bool,
    with_calibration: bool,
    strict: bool,
    quiet: bool,
    json_log: bool,
    workers_external: int | None,
    bind: str | None,
    port: int | None,
    workers_wait: float | None,
    **load: Any,
) -> None:
    """Run SCENARIO, or with --resume what is missing of a run, and write its report."""
    from iam_loadtest.cli.monitor import monitor_for  # noqa: PLC0415  not needed for --help

    if again and resume is None:
        raise click.UsageError("--again repeats trials of a run that there is: name it with --resume.")
    external = external_of(workers_external, bind, port, workers_wait)
    if external is not None:
        external.require_port()
    directory, noun = _open_run(scenario, resume, reports, only, quick, overrides_of(**load), workers_external)
    _warn_of_exposed_secrets(directory, noun)
    if external is not None:
        _announce_workers(external, noun, quiet, json_log)
    if not (quiet or json_log):
        note = None if external else crowding(noun.load.workers)
        click.echo("\n".join(filter(None, (f"Run: {directory}", note))))
    if json_log:
        emit("run_started", directory=str(directory))
    _require_labs(directory, noun, again)
    if with_calibration and external is None:
        calibrate_run(directory, noun, quiet or json_log)
    monitor = monitor_for(quiet, json_log, _mean_trial_s(directory, noun))
    outcome = _run_trials(directory, noun, monitor, external, again)
    code = _finish(outcome, with_report, quiet or json_log, strict)
    if json_log:
        emit("run_ended", directory=str(directory), missing=outcome.missing, exit_code=code)
    sys.exit(code)


def _require_labs(directory: Path, scenario: Scenario, again: tuple[str, ...]) -> None:
    """Say at once what a lab needs that this machine lacks, and how to go on."""
    from iam_loadtest.cli.lab_parts import require_labs  # noqa: PLC0415  not needed for --help
    from iam_loadtest.errors import UserError  # noqa: PLC0415  not needed for --help

    try:
        require_labs(directory, scenario, again)
    except UserError as error:
        options = [word for status in again for word in ("--again", status)]
        raise UserError(f"{error} Then go on with: {_resume_command(directory, *options)}") from error


def _run_trials(
    directory: Path, scenario: Scenario, monitor: Monitor, external: ExternalWorkers | None, again: tuple[str, ...]
) -> RunOutcome:
    """Run what is missing; an error that ends the run, such as a full disk, says how to go on."""
    from iam_loadtest.errors import UserError  # noqa: PLC0415  not needed for --help
    from iam_loadtest.results.trial import TrialStatus  # noqa: PLC0415  not needed for --help
    from iam_loadtest.runner.run import run_trials  # noqa: PLC0415  not needed for --help

    statuses = [TrialStatus(status) for status in again]
    try:
        return run_trials(directory, scenario, monitor, judge_of(scenario), external, statuses)
    except UserError as error:
        raise UserError(f"{error} Then go on with: {_resume_command(directory)}") from error
    finally:
        monitor.close()


def _open_run(
    scenario: Path | None,
    resume: Path | None,
    reports: Path,
    only: tuple[str, ...],
    quick: bool,
    overrides: dict[str, Any],
    workers_external: int | None,
) -> tuple[Path, Scenario]:
    from iam_loadtest.runner.external import require_same_workers  # noqa: PLC0415  not needed for --help
    from iam_loadtest.runner.run import new_run, resume_scenario  # noqa: PLC0415  not needed for --help

    if resume is not None:
        if only or overrides or quick:
            raise click.UsageError(
                "--resume runs what the run began with; leave --only, --quick, --trials, --duration, ... out."
            )
        found, noun = resume_scenario(resume, scenario)
        require_same_workers(found.info, noun, workers_external)
        return found.directory, noun
    if scenario is None:
        raise click.UsageError("name a SCENARIO, or a run with --resume.")
    if workers_external is not None and "workers" in overrides:
        raise click.UsageError("--workers-external says how many workers there are; leave --workers out.")
    only, overrides = size_of(scenario, quick, only, overrides)
    if workers_external is None:
        return new_run(scenario, overrides, reports, only)
    return new_run(scenario, {**overrides, "workers": workers_external}, reports, only, external_workers=True)


def _mean_trial_s(directory: Path, noun: Scenario) -> float:
    """Expected seconds of one trial of the run, rests and the start of its topology included."""
    from iam_loadtest.results.run import read_run  # noqa: PLC0415  not needed for --help
    from iam_loadtest.scenario.plan import make_plan  # noqa: PLC0415  not needed for --help

    planned = read_run(directory).info.plan
    return make_plan(noun).expected_s(planned) / len(planned)


def _warn_of_exposed_secrets(directory: Path, scenario: Scenario) -> None:
    """Say what others can have of the secrets in this run; topologies that are built here are private."""
    from iam_loadtest.results.run import read_run  # noqa: PLC0415  not needed for --help
    from iam_loadtest.scenario.exposure import exposures  # noqa: PLC0415  not needed for --help
    from iam_loadtest.scenario.topology import UrlTopology  # noqa: PLC0415  not needed for --help

    info = read_run(directory).info
    files, planned = Path(info.source).parent, {trial.topology for trial in info.plan}
    nouns = ((name, noun) for name, noun in scenario.topologies.items() if name in planned)
    there = {name: noun.issuer for name, noun in nouns if isinstance(noun, UrlTopology)}
    found = [one for name, issuer in there.items() for one in exposures(scenario, name, issuer, files)]
    for one in dict.fromkeys(found):
        click.echo(f"Warning: {one.problem}; {one.remedy}.", err=True)


def _announce_workers(external: ExternalWorkers, scenario: Scenario, quiet: bool, json_log: bool) -> None:
    """Say what is to be started elsewhere."""
    if external.is_open:
        click.echo(
            f"Warning: --bind {external.bind} lets other machines reach the port of the workers, which knows no "
            "password; keep it inside a private network.",
            err=True,
        )
    count, command = scenario.load.workers, external.worker_command(scenario)
    if json_log:
        emit("workers_expected", workers=count, bind=external.bind, port=external.port, command=command)
    elif not quiet:
        click.echo(f"Expecting {counted(count, 'worker')}; start each with:\n  {command}")


def _resume_command(directory: Path, *more: str) -> str:
    from iam_loadtest.results.run import read_run  # noqa: PLC0415  not needed for --help

    info = read_run(directory).info
    external = ["--workers-external", info.overrides["workers"]] if info.external_workers else []
    return shell_command("run", "--resume", directory, *external, *more)


def _finish(outcome: RunOutcome, with_report: bool, silent: bool, strict: bool) -> int:
    """Report, say what is left to do, and return the exit code that fits."""
    if outcome.interrupted:
        click.echo(
            f"Interrupted; {counted(outcome.missing, 'trial')} left to do. "
            f"Go on with: {_resume_command(outcome.directory)}",
            err=True,
        )
        return EXIT_INTERRUPTED
    if not outcome.trials and not silent:
        click.echo("Nothing was left to run.")
    try:
        code = _judge(outcome.directory, with_report, silent, strict)
        if not silent:
            _say_how_to_repeat(outcome.directory)
        return code
    except KeyboardInterrupt:
        click.echo(
            f"Interrupted; every trial has ended. Report: {shell_command('report', outcome.directory)}", err=True
        )
        return EXIT_INTERRUPTED


def _say_how_to_repeat(directory: Path) -> None:
    """Trials that failed, as while the IAM was down, may run again; invalid ones were repeated already."""
    from iam_loadtest.results.run import read_run  # noqa: PLC0415  not needed for --help
    from iam_loadtest.results.trial import TrialStatus  # noqa: PLC0415  not needed for --help

    trials = read_run(directory).trials
    if any(trial.status is TrialStatus.FAILED and not trial.is_set_aside for trial in trials):
        repeat = _resume_command(directory, "--again", "failed")
        click.echo(f"Once their cause is gone, repeat the trials that failed with: {repeat}", err=True)


def _judge(directory: Path, with_report: bool, silent: bool, strict: bool) -> int:
    """Write the report, name what missed its objective or does not count, and return the exit code that fits."""
    if not with_report:
        return judge_directory(directory, strict)
    from iam_loadtest.report import write_report  # noqa: PLC0415  pandas and matplotlib are slow to import

    files = write_report(directory)
    if not silent:
        click.echo(f"Report: {files.html}")
    return judge_summary(files.summary, strict)
