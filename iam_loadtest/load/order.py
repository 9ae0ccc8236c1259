"""What a master tells its workers to do, as plain data: decided once, before a test, and without secrets."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from iam_loadtest import __version__
from iam_loadtest.errors import ScenarioError, UserError
from iam_loadtest.flow.need import require_what_is_needed
from iam_loadtest.load.setup import Choices, LoadSetup, setup_of_choices
from iam_loadtest.scenario.fields import Url
from iam_loadtest.scenario.load_file import parse_scenario
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.portable import portable
from iam_loadtest.scenario.topology import UrlTopology
from iam_loadtest.scenario.worker_trust import WorkerTrust

FORMAT = 2
"""Changes whenever a worker could not understand what a master of another version says."""

WORKER_NEEDS = "a worker has the variables that --secret-env names and the files below its --secrets-directory"

OrderReader = Callable[[Mapping[str, Any]], LoadSetup]
"""Makes a worker's setup of a test from its master's order; raises UserError."""


@dataclass(frozen=True)
class _TrialOrder:
    scenario: dict[str, Any]
    topology: str
    workload: str
    trial: int
    issuer: Url
    lab_nodes: tuple[str, ...] = ()


_TRIAL_ORDER = TypeAdapter(_TrialOrder)


def order_of(setup: LoadSetup) -> dict[str, Any]:
    """The order for the workers of a test."""
    order: dict[str, Any] = {"format": FORMAT, "version": __version__, "issuer": setup.issuer}
    if setup.choices is not None:
        order["choices"] = asdict(setup.choices)
    elif setup.worker_command is not None:
        order["trial"] = {
            "scenario": portable(setup.scenario, setup.topology),
            "topology": setup.topology,
            "workload": setup.workload,
            "trial": setup.trial,
            "issuer": setup.issuer,
            "lab_nodes": [node for node in setup.lab_nodes if node in setup.nodes],
        }
    return order


def setup_of_order(order: Mapping[str, Any]) -> LoadSetup:
    """The setup of a plain run's worker: files are its own, every choice is the master's. Raises UserError."""
    check_version(order)
    if "choices" not in order:
        raise UserError("the master runs a trial, this worker a locustfile; start both with the same locustfile.")
    setup = setup_of_choices(Choices(**order["choices"]))
    if setup.issuer != order["issuer"]:
        raise UserError(
            f"the scenario of this worker names issuer {setup.issuer!r}, the master's {order['issuer']!r}; "
            "give both the same file and environment."
        )
    return setup


def setup_of_trial(order: Mapping[str, Any], trust: WorkerTrust, environ: Mapping[str, str] = os.environ) -> LoadSetup:
    """The setup of a trial on a host that has none of its files; raises UserError.

    Whoever sends the order names the variables and files that are read as secrets, and where they are sent; ``trust``
    is what the operator of this worker allows of that.
    """
    check_version(order)
    if "trial" not in order:
        raise UserError("the master expects no workers of other hosts; start it with --workers-external.")
    try:
        trial = _TRIAL_ORDER.validate_python(order["trial"])
    except ValidationError as error:
        raise UserError("the master's order is none of this version; install the same version on both.") from error
    scenario = parse_scenario(trial.scenario, "the master's scenario", environ={})
    if trial.topology not in scenario.topologies or trial.workload not in scenario.workloads:
        raise UserError(f"the master's scenario holds no topology {trial.topology!r} or workload {trial.workload!r}.")
    trust.check(scenario, trial.topology, trial.issuer)
    directory = Path(trust.secrets_directory or ".")
    _require_secrets(scenario, directory, environ)
    return LoadSetup(
        scenario=scenario,
        issuer=trial.issuer,
        target=scenario.target_of(trial.topology),
        directory=directory,
        workload=trial.workload,
        samples=Path(),
        is_embedded=not isinstance(scenario.topologies[trial.topology], UrlTopology),
        topology=trial.topology,
        trial=trial.trial,
        lab_nodes=trial.lab_nodes,
    )


def _require_secrets(scenario: Scenario, directory: Path, environ: Mapping[str, str]) -> None:
    try:
        require_what_is_needed(scenario, "here", directory, environ)
    except ScenarioError as error:
        missing = "; ".join(problem.removeprefix("here: ").rstrip(".") for problem in error.problems)
        raise UserError(f"{missing}; {WORKER_NEEDS}.") from error


def check_version(order: Mapping[str, Any]) -> None:
    """Raise UserError where master and worker do not fit together."""
    told = (order.get("format"), order.get("version"))
    if told != (FORMAT, __version__):
        raise UserError(
            f"the worker has iam_loadtest {__version__} (format {FORMAT}), the master {told[1]} (format {told[0]}); "
            "install the same version on both."
        )
