"""``iam-loadtest calibrate``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iam_loadtest.cli import EXIT_INTERRUPTED
from iam_loadtest.cli.hint import shell_command
from iam_loadtest.cli.options import Duration, scenario_argument
from iam_loadtest.errors import UserError

if TYPE_CHECKING:
    from iam_loadtest.runner.calibrate import Calibration
    from iam_loadtest.scenario.model import Scenario


@click.command()
@scenario_argument(required=False)
@click.option("--seconds", type=Duration(), default=5.0, show_default=True, help="Length of the measured window.")
@click.option("--workload", metavar="NAME", help="A workload of the scenario; its longest one where left out.")
def calibrate(scenario: Path | None, seconds: float, workload: str | None) -> None:
    """Measure what the load generator itself can do on this machine.

    The users of a workload of SCENARIO, or of a built-in one, run in one Locust process on the null token server, which
    answers at once. Neither an IAM nor a secret is needed. Keep the machine quiet meanwhile.
    """
    from iam_loadtest.runner.calibrate import built_in_scenario  # noqa: PLC0415  not needed for --help
    from iam_loadtest.runner.calibrate import calibrate as measure  # noqa: PLC0415  not needed for --help
    from iam_loadtest.scenario.load_file import load_scenario  # noqa: PLC0415  not needed for --help

    if seconds < 1:
        raise click.UsageError("--seconds must be 1 or more: the worker's CPU time is read once a second.")
    noun = load_scenario(scenario) if scenario else built_in_scenario()
    try:
        found = measure(noun, seconds, workload)
    except KeyboardInterrupt:
        click.echo("Interrupted.", err=True)
        sys.exit(EXIT_INTERRUPTED)
    click.echo(summary(found, noun.steps_of(found.workload), noun.load.workers))


def calibrate_run(directory: Path, scenario: Scenario, silent: bool) -> None:
    """Keep a short calibration in run.json, once; where it fails, say why and go on: the trials do not need it."""
    from iam_loadtest.results.run import read_run  # noqa: PLC0415  not needed for --help
    from iam_loadtest.runner.calibrate import store_calibration  # noqa: PLC0415  not needed for --help

    if read_run(directory).info.calibration is not None:
        return
    try:
        found = store_calibration(directory, scenario)
    except KeyboardInterrupt:
        click.echo(f"Interrupted; go on with: {shell_command('run', '--resume', directory)}", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except UserError as error:
        if not silent:
            click.echo(f"The generator's own limits are not known: {error}", err=True)
        return
    if not silent:
        click.echo(
            f"The generator alone: {found.requests_per_cpu_s:,.0f} requests/s per core, "
            f"latency p50 {found.floor_p50_ms:.2f} ms, p95 {found.floor_p95_ms:.2f} ms."
        )


def summary(found: Calibration, steps: tuple[str, ...], workers: int) -> str:
    """The result in a few lines; ``workers`` are those that the scenario asks for."""
    from iam_loadtest.runner.machine import describe_machine  # noqa: PLC0415  not needed for --help

    cores = int(describe_machine()["cores"])
    counts = sorted({1, workers, cores})
    offered = ", ".join(f"{_workers(count)} {found.offered_per_s(count, cores):,.0f}/s" for count in counts)
    scheme = "TLS" if found.tls else "plain HTTP"
    return "\n".join(
        (
            f"Workload {found.workload} ({', '.join(steps)}) on the null token server, {scheme}, one worker:",
            f"  requests per CPU-second  {found.requests_per_cpu_s:,.0f}",
            f"  floor of latency         p50 {found.floor_p50_ms:.2f} ms, p95 {found.floor_p95_ms:.2f} ms (one user)",
            f"  at most, on {cores} cores     {offered}",
            "Locust's master, and the IAM where it runs on this machine too, take their share of the cores.",
            "Plan for half of it: a busy generator measures itself.",
        )
    )


def _workers(count: int) -> str:
    return f"{count} worker{'s' if count > 1 else ''}"
