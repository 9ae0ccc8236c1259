"""Sessions for a load test: a refresh token for each user, had as the scenario says, kept in a file for its owner."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TextIO, TypeVar

from iam_loadtest.errors import UserError
from iam_loadtest.flow.chain import ChainStep, Held, UserLogin
from iam_loadtest.flow.classify import classifier_for
from iam_loadtest.flow.message import Request
from iam_loadtest.flow.prepare import ReadyWorkload, client_credentials, prepare_chain
from iam_loadtest.flow.ready_step import ready_step
from iam_loadtest.flow.token_pool import COLUMN, USED_SUFFIX
from iam_loadtest.oidc.grant import Grant
from iam_loadtest.oidc.request_kind import RequestKind
from iam_loadtest.runner.failure import TrialFailedError
from iam_loadtest.runner.preflight import CheckedStep, Preflight, failed_step
from iam_loadtest.runner.provision import read_csv, write_private_csv
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.step import Step
from iam_loadtest.scenario.workload import Workload

COLUMNS = ("username", COLUMN)
Result = TypeVar("Result")


def pre_issue(
    scenario: Scenario,
    topology: str,
    issuer: str,
    workload: str,
    directory: Path,
    output: Path,
    say: Callable[[int, int], None],
) -> int:
    """Have a token for each user that the file does not hold yet, and add it there; how many were had.

    Raises UserError at the first that is refused; what was had before is kept.
    """
    chain = Workload(steps=_until_refresh(scenario, workload))
    have = _begun(output)
    with Preflight(issuer, scenario.target_of(topology), directory) as preflight:
        endpoints = _usable(preflight.discover)
        ready = prepare_chain(scenario, workload, chain, endpoints, directory)
        missing = [user for user in ready.users if user.username not in have]
        with _appending(output) as file:
            writer = csv.writer(file)
            for number, user in enumerate(missing, 1):
                writer.writerow((user.username, _token(preflight, replace(ready, users=[user]))))
                file.flush()
                say(number, len(missing))
    return len(missing)


def end_sessions(
    scenario: Scenario,
    topology: str,
    issuer: str,
    workload: str,
    directory: Path,
    tokens_file: Path,
    say: Callable[[int, int], None],
) -> int:
    """Revoke each refresh token of the file by the client that refreshes it, then remove the file; how many there were.

    Raises UserError at the first that is refused: the file stays, and a token may be revoked twice (RFC 7009).
    """
    rows = read_csv(tokens_file, COLUMNS)
    client = _refreshing_client(scenario, workload)
    with Preflight(issuer, scenario.target_of(topology), directory) as preflight:
        endpoints = _usable(preflight.discover)
        credentials = client_credentials(scenario.clients[client], endpoints, directory)
        step = Step(request=RequestKind.REVOKE, client=client, token="refresh_token")  # noqa: S106  the kind of a token
        revoke = ready_step("revoke", step, credentials, endpoints)
        classifier = classifier_for(scenario.profile, scenario.error_rules)
        for number, row in enumerate(rows, 1):
            known = _Known("known", "known", "known", row[COLUMN])
            steps = (known, revoke)
            checked, _ = _usable(
                partial(preflight.walk, ReadyWorkload("revoke", steps, [UserLogin(row["username"], "")], classifier))
            )
            _refuse_failed(row["username"], checked)
            say(number, len(rows))
    tokens_file.unlink()
    tokens_file.with_name(tokens_file.name + USED_SUFFIX).unlink(missing_ok=True)
    return len(rows)


@dataclass(frozen=True)
class _Known(ChainStep):
    """A refresh token that is there."""

    token: str = field(repr=False)

    def begin(self, held: Held, user: UserLogin) -> Request | None:  # noqa: ARG002  it is theirs
        held.refresh_token = self.token
        return None

    def request(self, held: Held, user: UserLogin) -> Request:  # noqa: ARG002  never called: begin sends nothing
        raise AssertionError("a token that is there needs no request")


def _refreshing_client(scenario: Scenario, workload: str) -> str:
    """Who refreshes in a workload: a token is revoked by its own client."""
    for name in scenario.workloads[workload].chain:
        step = scenario.steps[name]
        if step.grant is Grant.REFRESH_TOKEN and step.client:
            return step.client
    raise UserError(f"workload {workload} has no refresh; name one whose tokens these are.")


def first_refreshing(scenario: Scenario) -> str:
    """The first workload that has a refresh after other steps, if it can be one that logs its users in itself.

    Raises UserError where there is none.
    """
    chains = {name: noun.chain for name, noun in scenario.workloads.items()}
    found = [name for name, chain in chains.items() if _refreshes(scenario, chain[1:])]
    own = [name for name in found if not _takes(scenario, chains[name])]
    if found:
        return next(iter(own or found))
    raise UserError("no workload has a refresh after other steps; write one that gets a refresh token.")


def _begun(output: Path) -> set[str]:
    """Who has a token in the file, which is made where it is not there."""
    if not output.exists():
        write_private_csv(output, COLUMNS, ())
    if output.stat().st_mode & 0o077:
        raise UserError(f"{output}: others than its owner may read it, and it will hold tokens; chmod 600 it.")
    return {row["username"] for row in read_csv(output, COLUMNS)}


def _appending(output: Path) -> TextIO:
    try:
        return output.open("a", encoding="utf-8", newline="")
    except OSError as error:
        raise UserError(f"{output}: cannot be written: {error.strerror}; name another --tokens-file.") from error


def _until_refresh(scenario: Scenario, workload: str) -> tuple[str, ...]:
    """The steps of a workload before its first refresh."""
    chain = scenario.workloads[workload].chain
    refreshes = [index for index, name in enumerate(chain) if scenario.steps[name].grant is Grant.REFRESH_TOKEN]
    if not refreshes or not refreshes[0]:
        raise UserError(f"workload {workload} has no refresh after other steps; name one that gets a refresh token.")
    begins = chain[: refreshes[0]]
    if _takes(scenario, begins):
        raise UserError(
            f"workload {workload} begins with request: pre_issued, whose tokens are yet to be had; name a --workload, "
            "or a scenario, that logs its users in."
        )
    return begins


def _takes(scenario: Scenario, chain: Iterable[str]) -> bool:
    return any(scenario.steps[name].request is RequestKind.PRE_ISSUED for name in chain)


def _refreshes(scenario: Scenario, chain: Iterable[str]) -> bool:
    return any(scenario.steps[name].grant is Grant.REFRESH_TOKEN for name in chain)


def _token(preflight: Preflight, ready: ReadyWorkload) -> str:
    name = ready.users[0].username
    checked, tokens = _usable(lambda: preflight.walk(ready))
    _refuse_failed(name, checked)
    if tokens is None or not tokens.refresh_token:
        raise UserError(f"user {name}: no refresh token came back; add offline_access to the scope of the step.")
    return tokens.refresh_token


def _refuse_failed(name: str, checked: list[CheckedStep]) -> None:
    reason = failed_step(checked)
    if reason is not None:
        raise UserError(f"user {name}: {reason}; correct that and call it again, it goes on from here.")


def _usable(ask: Callable[[], Result]) -> Result:
    try:
        return ask()
    except TrialFailedError as error:
        raise UserError(str(error)) from error
