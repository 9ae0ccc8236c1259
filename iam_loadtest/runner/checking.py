"""Walk every workload of a topology once and say of each request what was sent, answered and probably wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from iam_loadtest.errors import UserError
from iam_loadtest.flow.chain import ChainStep
from iam_loadtest.flow.prepare import client_credentials, prepare_workload
from iam_loadtest.flow.ready_probe import prepare_probe
from iam_loadtest.flow.ready_step import ready_step
from iam_loadtest.oidc.discovery import Endpoints
from iam_loadtest.oidc.request_kind import RequestKind
from iam_loadtest.oidc.token_response import Tokens
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.runner.cause import Cause, Refusal, clock_cause, likely_cause
from iam_loadtest.runner.failure import TrialFailedError
from iam_loadtest.runner.preflight import CheckedStep, Preflight
from iam_loadtest.scenario.exposure import exposures
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.step import Step
from iam_loadtest.scenario.target import Target
from iam_loadtest.units import format_duration

INTROSPECTION = "(introspection)"
"""Once for each topology, where the IAM has it."""
_ABOUT_TOKENS = frozenset({RequestKind.INTROSPECT, RequestKind.REVOKE})
ISSUER = "issuer"
"""What stands in the place of a workload for what is asked of the issuer itself."""


@dataclass(frozen=True)
class CheckedRow:
    """One line of the table; ``workload`` may be :data:`ISSUER`. ``status`` 0 and ``latency_s`` None: no request.

    ``is_needed`` is false for what no workload depends on: it cannot fail the check.
    """

    workload: str
    step: str
    said: str
    is_good: bool
    status: int = 0
    latency_s: float | None = None
    sent: str = ""
    answered: str = ""
    cause: Cause | None = None
    is_needed: bool = True


def check_workloads(scenario: Scenario, topology: str, issuer: str, directory: Path) -> Iterator[CheckedRow]:
    """Each request of each workload, in order; raises TrialFailedError where the issuer cannot be used at all."""
    with Preflight(issuer, scenario.target_of(topology), directory) as preflight:
        yield from _health(preflight, scenario.target_of(topology))
        endpoints = preflight.discover()
        yield CheckedRow(ISSUER, "discovery", f"ok  token endpoint {endpoints.token}", is_good=True)
        clock = clock_cause(preflight.skew_s)
        if clock is not None:
            yield CheckedRow(ISSUER, "clock", clock.cause, is_good=False, cause=clock, is_needed=False)
        for one in exposures(scenario, topology, issuer, directory):
            cause = Cause(one.problem, one.remedy)
            yield CheckedRow(ISSUER, "secrets", one.problem, is_good=False, cause=cause, is_needed=False)
        tried = dict.fromkeys(chain for name in scenario.tried_workloads for chain in scenario.chains_of(name))
        walk = _Walk(scenario, topology, endpoints, preflight, directory)
        introspects = endpoints.introspection is not None
        for name in tried:
            for row in _check_workload(walk, name, introspects):
                introspects = introspects and row.step != INTROSPECTION
                yield row
        yield from _check_probes(walk)


def _health(preflight: Preflight, target: Target) -> Iterator[CheckedRow]:
    """A word before the wait for an IAM that is not there yet, which may take a minute and come to nothing."""
    problem = preflight.health_problem()
    if problem is not None:
        limit = format_duration(target.health_timeout_s)
        said = f"{preflight.health_url}: {problem}; waiting up to {limit} (target.health_timeout)"
        yield CheckedRow(ISSUER, "health", said, is_good=False, is_needed=False)
        preflight.await_health()


@dataclass(frozen=True)
class _Walk:
    """What all workloads of a topology are walked with."""

    scenario: Scenario
    topology: str
    endpoints: Endpoints
    preflight: Preflight
    directory: Path


def _check_workload(walk: _Walk, name: str, introspects: bool) -> Iterator[CheckedRow]:
    scenario, endpoints, preflight = walk.scenario, walk.endpoints, walk.preflight
    try:
        target = scenario.target_of(walk.topology)
        ready = prepare_workload(scenario, name, endpoints, walk.directory, target=target)
        further = tuple(_introspection(scenario, name, endpoints, walk.directory)) if introspects else ()
    except UserError as error:
        yield CheckedRow(name, "-", str(error), is_good=False)
        return
    checked, tokens = preflight.walk(replace(ready, steps=(*ready.steps, *further)))
    own = [one for one in checked if one.step != INTROSPECTION]
    yield from (_row(name, one) for one in own[:-1])
    yield _row(name, own[-1], _cause(scenario, name, own[-1], endpoints, preflight))
    if tokens is not None:
        yield _verified(name, tokens, endpoints, preflight)
    yield from (_unneeded(_row(name, one)) for one in checked[len(own) :])


def _check_probes(walk: _Walk) -> Iterator[CheckedRow]:
    """Each node that probes are pinned to, then the steps of each probe; a node that lags is given time."""
    scenario, preflight = walk.scenario, walk.preflight
    kinds = dict.fromkeys(kind for name in scenario.tried_workloads for kind in scenario.probes_of(name))
    target = scenario.target_of(walk.topology)
    for name, url in target.nodes.items() if kinds else ():
        problem = preflight.node_problem(url)
        yield CheckedRow(ISSUER, name, problem or f"ok  {url}", is_good=problem is None)
    for kind in kinds:
        try:
            ready = prepare_probe(scenario, kind, walk.endpoints, walk.directory, target=target)
        except UserError as error:
            yield CheckedRow(kind, "-", str(error), is_good=False)
            continue
        checked, _ = preflight.walk(ready, is_patient=True)
        yield from (_row(kind, one) for one in checked)


def _row(workload: str, checked: CheckedStep, cause: Cause | None = None) -> CheckedRow:
    said = f"{checked.outcome}  {checked.detail}" if checked.detail else checked.outcome.value
    return CheckedRow(
        workload,
        checked.step,
        said,
        checked.outcome is Outcome.OK,
        checked.status,
        checked.latency_s,
        checked.sent,
        checked.answered,
        cause,
    )


def _cause(
    scenario: Scenario, workload: str, last: CheckedStep, endpoints: Endpoints, preflight: Preflight
) -> Cause | None:
    """Why the last step failed, if it did."""
    if last.outcome is Outcome.OK:
        return None
    walked = scenario.workloads[workload].chain[: last.position + 1]
    step = scenario.steps[walked[-1]]
    client = scenario.clients[step.client] if step.client else None
    return likely_cause(Refusal(last, step, client, endpoints, _subject(scenario, walked), preflight.skew_s))


def _subject(scenario: Scenario, walked: tuple[str, ...]) -> str | None:
    """The client_id that the token of the last step was issued to."""
    wanted = scenario.steps[walked[-1]].subject_token_from
    names = [name for name in walked[:-1] if scenario.steps[name].grant is not None]
    source = wanted or (names[-1] if names else None)
    client = scenario.steps[source].client if source else None
    return scenario.clients[client].id if client else None


def _verified(workload: str, tokens: Tokens, endpoints: Endpoints, preflight: Preflight) -> CheckedRow:
    try:
        return CheckedRow(workload, "token", preflight.verify(tokens, endpoints), is_good=True)
    except TrialFailedError as error:
        cause = clock_cause(preflight.skew_s) if "Signature" in str(error) else None
        return CheckedRow(workload, "token", str(error), is_good=False, cause=cause)


def _introspection(scenario: Scenario, workload: str, endpoints: Endpoints, directory: Path) -> Iterator[ChainStep]:
    """A look at the last token by its own client, where the workload has one and does without."""
    steps = [scenario.steps[name] for name in scenario.workloads[workload].chain]
    clients = [step.client for step in steps if step.grant is not None and step.client]
    if not clients or any(step.request in _ABOUT_TOKENS for step in steps):
        return
    credentials = client_credentials(scenario.clients[clients[-1]], endpoints, directory)
    step = Step(request=RequestKind.INTROSPECT, client=clients[-1])
    yield ready_step(INTROSPECTION, step, credentials, endpoints)


def _unneeded(row: CheckedRow) -> CheckedRow:
    """A client that may not introspect is no fault where nothing introspects."""
    return row if row.is_good else replace(row, said=f"{row.said}; no workload needs it", is_needed=False)
