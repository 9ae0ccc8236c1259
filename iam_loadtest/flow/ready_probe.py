"""Make probes ready to run: their steps with secrets resolved, and what their credentials are read again with."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from iam_loadtest.flow.chain import ChainStep, UserLogin
from iam_loadtest.flow.classify import Classifier
from iam_loadtest.flow.prepare import ReadyWorkload, prepare_chain
from iam_loadtest.flow.probe import ProbeSteps
from iam_loadtest.oidc.discovery import Endpoints
from iam_loadtest.results.probe import ProbeKind
from iam_loadtest.scenario.builtin import AUDIT_STEP, PROBE_STEPS
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.target import Target
from iam_loadtest.scenario.workload import Workload

_AUDIT_REFRESH = "introspect_refresh_token"


@dataclass(frozen=True)
class ReadyProbes:
    """The probes of a trial. ``audits`` reads a token again by its kind; empty where the IAM has no introspection."""

    steps: tuple[ProbeSteps, ...]
    audits: Mapping[str, ChainStep]
    users: Sequence[UserLogin] = field(repr=False)
    classifier: Classifier = field(repr=False)


def prepare_probes(
    scenario: Scenario,
    kinds: Sequence[ProbeKind],
    endpoints: Endpoints,
    directory: Path,
    environ: Mapping[str, str] = os.environ,
    target: Target | None = None,
) -> ReadyProbes:
    """The probes of these kinds, at least one; raises what :func:`prepare_chain` raises."""
    ready = [prepare_probe(scenario, kind, endpoints, directory, environ, target) for kind in kinds]
    steps = tuple(_probe_steps(kind, one) for kind, one in zip(kinds, ready, strict=True))
    audits = _audits(scenario, endpoints, directory, environ)
    return ReadyProbes(steps, audits, ready[0].users, ready[0].classifier)


def prepare_probe(
    scenario: Scenario,
    kind: ProbeKind,
    endpoints: Endpoints,
    directory: Path,
    environ: Mapping[str, str] = os.environ,
    target: Target | None = None,
) -> ReadyWorkload:
    """The steps of a probe as a chain, which a healthy IAM answers well from end to end."""
    chain = Workload(steps=PROBE_STEPS[kind])
    return prepare_chain(scenario, kind, chain, endpoints, directory, environ, target)


def _probe_steps(kind: ProbeKind, ready: ReadyWorkload) -> ProbeSteps:
    *prepare, write, read = ready.steps
    return ProbeSteps(kind, tuple(prepare), write, read)


def _audits(
    scenario: Scenario, endpoints: Endpoints, directory: Path, environ: Mapping[str, str]
) -> dict[str, ChainStep]:
    step = scenario.steps.get(AUDIT_STEP)
    if step is None or endpoints.introspection is None:
        return {}
    of_refresh = step.model_copy(update={"token": "refresh_token"})
    own = scenario.model_copy(update={"steps": {AUDIT_STEP: step, _AUDIT_REFRESH: of_refresh}})
    chain = Workload(steps=(AUDIT_STEP, _AUDIT_REFRESH))
    access, refresh = prepare_chain(own, "audit", chain, endpoints, directory, environ).steps
    return {"access_token": access, "refresh_token": refresh}
