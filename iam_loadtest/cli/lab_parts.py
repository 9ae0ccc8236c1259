"""Before a run: what its labs need of this machine."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from iam_loadtest.errors import UserError
from iam_loadtest.lab.program import require_parts
from iam_loadtest.results.run import read_run
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.topology import LabTopology


def require_labs(directory: Path, scenario: Scenario, again: Collection[str] = ()) -> None:
    """Raise UserError where a lab of the trials to come lacks a program, so that they do not fail one by one.

    Those that ended as ``again`` says come once more.
    """
    run = read_run(directory)
    due = [trial.topology for trial in run.due]
    repeated = [trial.topology for trial in run.trials if trial.status in again and not trial.is_set_aside]
    for name in dict.fromkeys([*due, *repeated]):
        topology = scenario.topologies[name]
        if isinstance(topology, LabTopology):
            try:
                require_parts(topology)
            except UserError as error:
                raise UserError(f"topologies.{name}: {error}.") from error
