"""What a Locust process is to do: from the options of a command line, or from a trial's spec. No network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from iam_loadtest.errors import UserError
from iam_loadtest.results.probe import ProbeKind
from iam_loadtest.scenario.builtin import DEFAULT_ISSUER, PUBLIC_CLIENT_SECRETS
from iam_loadtest.scenario.client import Client
from iam_loadtest.scenario.fields import Url
from iam_loadtest.scenario.load_file import load_scenario, parse_scenario
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.secret import SecretRef
from iam_loadtest.scenario.target import Target
from iam_loadtest.scenario.topology import UrlTopology
from iam_loadtest.scenario.trial_spec import LOCAL_WORKERS_WAIT_S, TrialSpec

CLIENT_SECRET_VARIABLE = "IAM_LOADTEST_CLIENT_SECRET"  # noqa: S105  the name of a variable
PASSWORD_VARIABLE = "IAM_LOADTEST_PASSWORD"  # noqa: S105  the name of a variable

OWN_WORKLOAD = "default"
"""The choice that leaves each user class its own workload."""
ALL_WORKLOADS = "mixed"
"""The choice that runs every workload, in equal shares of the users."""


@dataclass(frozen=True)
class Choices:
    """The options of a plain Locust run; empty texts mean: not given."""

    issuer: str = ""
    client_id: str = ""
    scope: str = ""
    workload: str = OWN_WORKLOAD
    scenario: str = ""
    topology: str = ""
    samples: str = ""
    ca_bundle: str = ""
    insecure: bool = False


@dataclass(frozen=True)
class LoadSetup:
    """Everything that a generating process needs before it talks to anyone; secrets only by reference.

    ``workload`` is a workload's name, :data:`ALL_WORKLOADS`, or None for each user class's own. Relative files of the
    scenario stand in ``directory``. ``samples`` is where rows go on the master, or None where they are not kept.
    ``choices`` are the options of a plain run, None in a trial. ``trial`` is its number within its topology and
    workload; ``topology``, ``workers_wait_s``, ``worker_command`` and ``lab_nodes`` are those of its spec.
    """

    scenario: Scenario
    issuer: str
    target: Target
    directory: Path
    workload: str | None
    samples: Path | None
    is_embedded: bool
    choices: Choices | None = None
    trial: int = 1
    topology: str = ""
    workers_wait_s: float = LOCAL_WORKERS_WAIT_S
    worker_command: str | None = None
    lab_nodes: tuple[str, ...] = ()

    @property
    def probe_kinds(self) -> tuple[ProbeKind, ...]:
        """The probes that the test runs; none in a plain run."""
        return self.scenario.probes_of(self.workload) if self.choices is None and self.workload else ()

    @property
    def probe_users(self) -> int:
        """Users that run probes on top of those of the load; none in a plain run."""
        return self.scenario.probe_users_of(self.workload) if self.probe_kinds and self.workload else 0

    @property
    def is_of_probes(self) -> bool:
        """Whether the users of the load themselves run probes."""
        return bool(self.probe_kinds and self.workload and self.scenario.workloads[self.workload].probes)

    @property
    def nodes(self) -> dict[str, str]:
        """The nodes that probes write to and read from: URLs by name, empty for those of a lab."""
        known = {**self.target.nodes, **dict.fromkeys(self.lab_nodes, "")}
        chosen = self.scenario.probes.nodes if self.scenario.probes else ()
        return {name: url for name, url in known.items() if not chosen or name in chosen}

    @property
    def seed(self) -> str:
        """Seed of a trial's own chance: another for each trial, the same for all topologies."""
        return f"{self.scenario.seed}-{self.trial}"

    def workloads_for(self, own: str | None) -> tuple[str, ...]:
        """The workloads that users of a class run whose own workload is ``own``; raises UserError for unknown ones."""
        chosen = self.workload or own or ALL_WORKLOADS
        if chosen == ALL_WORKLOADS:
            return tuple(name for name, workload in self.scenario.workloads.items() if not workload.mix)
        if chosen not in self.scenario.workloads:
            raise UserError(_unknown("workload", chosen, (OWN_WORKLOAD, *self.scenario.workloads, ALL_WORKLOADS)))
        return (chosen,)


def setup_of_spec(spec: TrialSpec) -> LoadSetup:
    """The setup of one trial of the scenario runner."""
    scenario = load_scenario(Path(spec.scenario_file), spec.overrides)
    return LoadSetup(
        scenario=scenario,
        issuer=spec.issuer,
        target=scenario.target_of(spec.topology),
        directory=Path(spec.secrets_directory),
        workload=spec.workload,
        samples=Path(spec.directory),
        is_embedded=not isinstance(scenario.topologies[spec.topology], UrlTopology),
        trial=spec.trial,
        topology=spec.topology,
        workers_wait_s=spec.workers_wait_s,
        worker_command=spec.worker_command,
        lab_nodes=tuple(spec.lab_nodes),
    )


def setup_of_choices(choices: Choices) -> LoadSetup:
    """The setup of a plain Locust run; raises UserError where the options do not fit together."""
    scenario = _scenario_of(choices)
    topology = _topology_of(choices, scenario)
    chosen = scenario.topologies[topology]
    workload = None if choices.workload == OWN_WORKLOAD else choices.workload
    setup = LoadSetup(
        scenario=scenario,
        issuer=_checked(choices.issuer) or (chosen.issuer if isinstance(chosen, UrlTopology) else DEFAULT_ISSUER),
        target=_target_of(choices, scenario, topology),
        directory=Path(choices.scenario).parent if choices.scenario else Path(),
        workload=workload,
        samples=Path(choices.samples) if choices.samples else None,
        is_embedded=not isinstance(chosen, UrlTopology),
        choices=choices,
    )
    if workload is not None:
        setup.workloads_for(None)
    return setup


def with_first_client(setup: LoadSetup, workload: str, environ: Mapping[str, str]) -> Scenario:
    """The scenario with client and scope of the workload's first step as chosen, and secrets from the environment.

    The client's other steps follow it (a refresh is the same client's); other clients stay as they are. A trial's
    scenario is never changed.
    """
    scenario, choices = setup.scenario, setup.choices
    if choices is None:
        return scenario
    first = scenario.workloads[workload].chain[0]
    step = scenario.steps[first]
    clients = dict(scenario.clients)
    if step.client is not None:
        clients[step.client] = _client(clients[step.client], choices.client_id, environ)
    scope = choices.scope if step.grant and choices.scope else step.scope
    steps = {**scenario.steps, first: step.model_copy(update={"scope": scope})}
    users = scenario.users
    if environ.get(PASSWORD_VARIABLE) and users.file is None:
        users = users.model_copy(update={"password": SecretRef(env=PASSWORD_VARIABLE)})
    return scenario.model_copy(update={"clients": clients, "steps": steps, "users": users})


def workload_choices(scenario_file: str) -> tuple[str, ...]:
    """What ``--workload`` may be: a scenario's own workloads, the built-in ones where the file is not readable."""
    try:
        names = tuple(_scenario_of(Choices(scenario=scenario_file)).workloads)
    except UserError:
        names = tuple(_scenario_of(Choices()).workloads)
    return (OWN_WORKLOAD, *names, ALL_WORKLOADS)


def _client(client: Client, client_id: str, environ: Mapping[str, str]) -> Client:
    name = client_id or client.id
    if environ.get(CLIENT_SECRET_VARIABLE):
        return client.model_copy(update={"id": name, "secret": SecretRef(env=CLIENT_SECRET_VARIABLE)})
    if name == client.id or client.secret is None:
        return client.model_copy(update={"id": name})
    public = PUBLIC_CLIENT_SECRETS.get(name)
    secret = SecretRef(literal=public) if public else SecretRef(env=CLIENT_SECRET_VARIABLE)
    return client.model_copy(update={"id": name, "secret": secret})


def _scenario_of(choices: Choices) -> Scenario:
    if choices.scenario:
        return load_scenario(Path(choices.scenario))
    document: dict[str, Any] = {"name": "locust", "topologies": {"built-in": {"provider": "embedded"}}}
    return parse_scenario(document, "the built-in scenario")


def _topology_of(choices: Choices, scenario: Scenario) -> str:
    if choices.topology and not choices.scenario:
        raise UserError("--topology is given without --scenario; name the scenario file that holds the topology.")
    name = choices.topology or next(iter(scenario.topologies))
    if name not in scenario.topologies:
        raise UserError(_unknown("topology", name, tuple(scenario.topologies)))
    return name


def _target_of(choices: Choices, scenario: Scenario, topology: str) -> Target:
    changes: dict[str, Any] = {}
    if choices.ca_bundle:
        changes["ca_bundle"] = str(Path(choices.ca_bundle).absolute())
    if choices.insecure:
        changes["verify_tls"] = False
    if choices.issuer:
        changes["token_endpoint"] = None
    return scenario.target_of(topology).model_copy(update=changes)


def _checked(issuer: str) -> str:
    """The issuer as given; raises UserError where it is no URL. The web UI takes any text."""
    try:
        return issuer and TypeAdapter(Url).validate_python(issuer)
    except ValidationError as error:
        raise UserError(f"issuer is {issuer!r}; it {error.errors()[0]['ctx']['error']}.") from error


def _unknown(option: str, value: str, known: tuple[str, ...]) -> str:
    return f"{option} is {value!r}; it must be one of: {', '.join(known)}."
