"""``iam-loadtest check``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iam_loadtest.cli import EXIT_CANNOT
from iam_loadtest.cli.hint import shell_command
from iam_loadtest.cli.options import scenario_argument
from iam_loadtest.oidc.redact import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iam_loadtest.runner.checking import CheckedRow
    from iam_loadtest.scenario.model import Scenario


@click.command()
@scenario_argument()
@click.option("--only", "topologies", multiple=True, metavar="TOPOLOGY", help="Only this topology. Repeatable.")
def check(scenario: Path, topologies: tuple[str, ...]) -> None:
    """Reach every topology of SCENARIO and walk every workload once. Exit code 1 where something fails.

    Says of each request what was sent, with secrets masked, and answered, and of a refusal the likely cause and remedy.
    """
    if not check_scenario(scenario, topologies):
        sys.exit(EXIT_CANNOT)
    click.echo(f"All good. Next: {shell_command('run', scenario)}")


def check_scenario(scenario: Path, topologies: tuple[str, ...] = ()) -> bool:
    """Print the table; whether all is well. Raises UserError where the file cannot be used."""
    from iam_loadtest.errors import UserError  # noqa: PLC0415  not needed for --help
    from iam_loadtest.flow.need import require_what_is_needed  # noqa: PLC0415  not needed for --help
    from iam_loadtest.scenario.load_file import load_scenario  # noqa: PLC0415  not needed for --help

    noun = load_scenario(scenario)
    unknown = [name for name in topologies if name not in noun.topologies]
    if unknown:
        raise UserError(f"--only {unknown[0]}: must be one of the topologies: {', '.join(noun.topologies)}.")
    require_what_is_needed(noun, str(scenario), scenario.parent)
    good = [_check_topology(noun, name, scenario.parent) for name in topologies or noun.topologies]
    return all(good)


def _check_topology(scenario: Scenario, topology: str, directory: Path) -> bool:
    from iam_loadtest.runner.failure import TrialFailedError  # noqa: PLC0415  not needed for --help
    from iam_loadtest.runner.trial_run import running_topology  # noqa: PLC0415  not needed for --help

    with tempfile.TemporaryDirectory(prefix="iam-loadtest-") as scratch:
        try:
            with running_topology(scenario, topology, Path(scratch)) as (issuer, _):
                click.echo(f"{topology}: {issuer}")
                return _check_workloads(scenario, topology, issuer, directory)
        except TrialFailedError as error:
            click.echo(f"  failed: {printable(str(error))}", err=True)
            return False


def _check_workloads(scenario: Scenario, topology: str, issuer: str, directory: Path) -> bool:
    from iam_loadtest.runner.checking import check_workloads  # noqa: PLC0415  not needed for --help

    all_good, width = True, _widest_name(scenario)
    for row in check_workloads(scenario, topology, issuer, directory):
        all_good = all_good and (row.is_good or not row.is_needed)
        for line in _lines(row, width):
            click.echo(printable(line))
    return all_good


def _widest_name(scenario: Scenario) -> int:
    """So wide is the column of workloads and probes: 12 characters, or what the longest name needs."""
    tried = scenario.tried_workloads
    return max(12, *(len(one) for name in tried for one in (*scenario.chains_of(name), *scenario.probes_of(name))))


def _lines(row: CheckedRow, width: int) -> Iterator[str]:
    """The row itself, then what was sent and answered and, where it failed, what to do."""
    status = f"{row.status or '-':>3}  " if row.latency_s is not None else ""
    latency = f"{row.latency_s * 1000:7.1f} ms  " if row.latency_s is not None else ""
    yield f"  {row.workload:<{width}} {row.step:<18} {status}{latency}{row.said}"
    notes = {"sent": row.sent, "answered": row.answered}
    if row.cause is not None:
        notes |= {"likely": row.cause.cause, "remedy": row.cause.remedy}
    yield from (f"      {name:<9} {text}" for name, text in notes.items() if text)
