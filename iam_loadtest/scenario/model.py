"""The scenario: one file, checked by pydantic. Durations are seconds once read."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from iam_loadtest.results.probe import ProbeKind
from iam_loadtest.scenario import builtin
from iam_loadtest.scenario.client import Client, Users
from iam_loadtest.scenario.demand import Demand
from iam_loadtest.scenario.error_rule import ErrorRule
from iam_loadtest.scenario.fault import Fault
from iam_loadtest.scenario.fields import Name, Noun, Number, Whole
from iam_loadtest.scenario.hook import Hooks
from iam_loadtest.scenario.lab import DNS_NAME
from iam_loadtest.scenario.load import Load
from iam_loadtest.scenario.margin import Margins
from iam_loadtest.scenario.objective import Objective
from iam_loadtest.scenario.probes import Probes
from iam_loadtest.scenario.quick import Quick
from iam_loadtest.scenario.secret import SecretRef
from iam_loadtest.scenario.step import Step
from iam_loadtest.scenario.target import Target
from iam_loadtest.scenario.topology import LabTopology, Topology
from iam_loadtest.scenario.validity import Validity
from iam_loadtest.scenario.workload import Workload


class Scenario(Noun):
    """One scenario file: what is measured, how, on which topologies, and what must be reached."""

    name: Name = Field(description="name of the run's directory and of the report")
    description: str = Field(default="", description="what the scenario is to find out")
    seed: Annotated[Whole, Field(ge=0)] = Field(default=1, description="seed of the trial order and of random phases")
    profile: Literal["indigo-iam", "keycloak", "generic"] = Field(
        default="indigo-iam", description="error table of the provider"
    )
    error_rules: tuple[ErrorRule, ...] = Field(default=(), description="rows put before the profile's error table")
    verify_tokens: Annotated[Number, Field(ge=0, le=1)] = Field(
        default=0.01, description="share of the access tokens that is verified by the issuer's keys"
    )
    target: Target = Field(default_factory=Target, description="how the generator talks to the IAM")
    hooks: Hooks = Field(default_factory=Hooks, description="commands at the turning points of a run")
    clients: dict[Name, Client] = Field(description="OAuth clients by the name that steps use")
    users: Users = Field(description="users whose tokens are asked for")
    steps: dict[Name, Step] = Field(description="requests that workloads are made of")
    workloads: dict[Name, Workload] = Field(min_length=1, description="chains of steps, and mixes of them, by name")
    trials_of: tuple[Name, ...] = Field(
        default=(), description="workloads that have trials of their own; all of them where left out"
    )
    load: Load = Field(default_factory=Load, description="how hard and how long")
    quick: Quick | None = Field(default=None, description="the size that --quick of `plan` and `run` takes")
    topologies: dict[Name, Topology] = Field(min_length=1, description="deployments that are compared, baseline first")
    objectives: tuple[Objective, ...] = Field(default=(), description="limits that must be kept")
    margins: Margins = Field(default_factory=Margins, description="smallest differences that matter in comparisons")
    validity: Validity = Field(default_factory=Validity, description="which trials count")
    demand: Demand | None = Field(default=None, description="what the service has to carry in real use")
    probes: Probes | None = Field(default=None, description="consistency probes beside the workloads")

    @model_validator(mode="after")
    def _probes_have_users(self) -> Self:
        alone = [name for name, workload in self.workloads.items() if workload.probes]
        if alone and self.load.is_open:
            raise ValueError(
                f"has workloads.{alone[0]}.probes, which cannot be started by the clock; remove "
                "load.arrival_rate_per_s, or run the probes beside a workload with a section probes"
            )
        return self

    def target_of(self, topology: str) -> Target:
        """The scenario's target with the topology's own keys on top, and the addresses of a lab's several balancers."""
        noun = self.topologies[topology]
        target = self.target if noun.target is None else self.target.model_copy(update=_keys_set(noun.target))
        if isinstance(noun, LabTopology) and len(noun.addresses) > 1:
            return target.model_copy(update={"resolve": {**target.resolve, DNS_NAME: noun.addresses}})
        return target

    def hooks_of(self, topology: str) -> Hooks:
        """The scenario's hooks with the topology's own keys on top."""
        own = self.topologies[topology].hooks
        return self.hooks if own is None else self.hooks.model_copy(update=_keys_set(own))

    def faults_of(self, topology: str) -> tuple[Fault, ...]:
        """What is broken inside the trials of a topology; nothing but in a lab."""
        noun = self.topologies.get(topology)
        return noun.faults if isinstance(noun, LabTopology) else ()

    def label_of(self, step: str) -> str:
        """The step's name in results."""
        return self.steps[step].label or step

    @property
    def tried_workloads(self) -> tuple[str, ...]:
        """The workloads that trials are planned of."""
        return self.trials_of or tuple(self.workloads)

    def chains_of(self, workload: str) -> dict[str, float]:
        """The workloads whose chains are run, with their weights: those of a mix, else the workload itself.

        None where it consists of probes.
        """
        noun = self.workloads[workload]
        return {} if noun.probes else noun.mix or {workload: 1.0}

    def probes_of(self, workload: str) -> tuple[ProbeKind, ...]:
        """The probes that a trial of the workload runs: those that it consists of, else those beside it."""
        return self.workloads[workload].probes or (self.probes.kinds if self.probes else ())

    def probe_users_of(self, workload: str) -> int:
        """Users that run probes on top of ``load.users``: none where the workload's own do, or there are no probes."""
        if self.probes is None or self.workloads[workload].probes:
            return 0
        return max(self.probes.users, self.load.workers)

    def settle_s_of(self, workload: str) -> float:
        """The pause after the load of a trial before what its probes wrote is audited; 0 where it runs none."""
        return (self.probes or Probes()).settle_s if self.probes_of(workload) else 0.0

    def steps_of(self, workload: str) -> tuple[str, ...]:
        """Every step of a workload once, in order, those of ``prime`` among them; of a mix those of all its chains.

        Steps of probes are those of the workload where it consists of them, not where they run beside it.
        """
        own = self.workloads[workload].probes
        chains = [self.workloads[name].chain for name in self.chains_of(workload)]
        chains += [builtin.PROBE_STEPS[kind] for kind in own]
        return tuple(dict.fromkeys(step for chain in chains for step in chain))

    def steps_needed_by(self, workload: str) -> tuple[str, ...]:
        """Every step that a trial of the workload takes, those of probes beside it and of their audit among them."""
        kinds = self.probes_of(workload)
        probes = [step for kind in kinds for step in builtin.PROBE_STEPS[kind]]
        audit = [builtin.AUDIT_STEP] if kinds and builtin.AUDIT_STEP in self.steps else []
        return tuple(dict.fromkeys([*self.steps_of(workload), *probes, *audit]))

    def resolved(self) -> dict[str, Any]:
        """Plain data for run.json: every default filled in, secrets as references only."""
        return self.model_dump(mode="json")


def default_sections() -> dict[str, Any]:
    """Clients, users, steps and workloads that a scenario for the built-in IAM may leave out."""
    return {
        "clients": builtin.DEFAULT_CLIENTS,
        "users": builtin.DEFAULT_USERS,
        "steps": builtin.DEFAULT_STEPS,
        "workloads": builtin.DEFAULT_WORKLOADS,
    }


def is_public_secret(client_id: str, secret: SecretRef) -> bool:
    """Whether a literal secret is the built-in IAM's own, which everybody knows."""
    return builtin.PUBLIC_CLIENT_SECRETS.get(client_id) == secret.literal


def _keys_set(noun: Noun) -> dict[str, Any]:
    return {key: getattr(noun, key) for key in noun.model_fields_set}
