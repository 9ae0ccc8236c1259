"""``iam-loadtest check``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iam_loadtest.cli import EXIT_CANNOT
from iam_loadtest.cli.options import scenario_argument

if TYPE_CHECKING:
    from iam_loadtest.scenario.model import Scenario


@click.command()
@scenario_argument()
@click.option("--only", "topologies", multiple=True, metavar="TOPOLOGY", help="Only this topology. Repeatable.")
def check(scenario: Path, topologies: tuple[str, ...]) -> None:
    """Reach every topology of SCENARIO, get every token once, verify one. Exit code 1 where something fails."""
    from iam_loadtest.errors import UserError  # noqa: PLC0415  not needed for --help
    from iam_loadtest.flow.need import require_what_is_needed  # noqa: PLC0415  not needed for --help
    from iam_loadtest.scenario.load_file import load_scenario  # noqa: PLC0415  not needed for --help

    noun = load_scenario(scenario)
    unknown = [name for name in topologies if name not in noun.topologies]
    if unknown:
        raise UserError(f"--only {unknown[0]}: must be one of the topologies: {', '.join(noun.topologies)}.")
    require_what_is_needed(noun, str(scenario), scenario.parent)
    good = [_check_topology(noun, name, scenario.parent) for name in topologies or noun.topologies]
    if not all(good):
        sys.exit(EXIT_CANNOT)


def _check_topology(scenario: Scenario, topology: str, directory: Path) -> bool:
    from iam_loadtest.runner.failure import TrialFailedError  # noqa: PLC0415  not needed for --help
    from iam_loadtest.runner.trial_run import running_topology  # noqa: PLC0415  not needed for --help

    with tempfile.TemporaryDirectory(prefix="iam-loadtest-") as scratch:
        try:
            with running_topology(scenario, topology, Path(scratch)) as (issuer, _):
                click.echo(f"{topology}: {issuer}")
                return _check_workloads(scenario, topology, issuer, directory)
        except TrialFailedError as error:
            click.echo(f"  failed: {error}", err=True)
            return False


def _check_workloads(scenario: Scenario, topology: str, issuer: str, directory: Path) -> bool:
    from iam_loadtest.flow.prepare import prepare_workload  # noqa: PLC0415  not needed for --help
    from iam_loadtest.runner.preflight import Preflight  # noqa: PLC0415  not needed for --help

    all_good = True
    with Preflight(issuer, scenario.target_of(topology), directory) as preflight:
        preflight.await_health()
        endpoints = preflight.discover()
        for name in dict.fromkeys(chain for tried in scenario.tried_workloads for chain in scenario.chains_of(tried)):
            checked, tokens = preflight.walk(prepare_workload(scenario, name, endpoints, directory))
            for step in checked:
                good = step.outcome == "ok"
                all_good = all_good and good
                note = f"  {step.detail}" if step.detail else ""
                status = str(step.status or "-")
                click.echo(
                    f"  {name:<12} {step.step:<18} {status:>3}  {step.latency_s * 1000:7.1f} ms  {step.outcome}{note}"
                )
            if tokens is not None:
                click.echo(f"  {name:<12} {'token':<18} {preflight.verify(tokens, endpoints)}")
    return all_good
