"""Probes against a made-up deployment of two nodes, which know what the other wrote after a while."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from iam_loadtest.flow.answer import INTROSPECT_REVOKED
from iam_loadtest.flow.chain import UserLogin
from iam_loadtest.flow.probe import SETTLED_US, Probe, ProbeSteps, Received, Route, Sending, probe_of
from iam_loadtest.flow.ready_probe import prepare_probes
from iam_loadtest.oidc.discovery import Endpoints
from iam_loadtest.oidc.token_response import Tokens
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.probe import ProbeKind, ProbeVerdict
from tests.scenario.scenarios import scenario_of

LOGIN = UserLogin("ada", "pass")
AWAY = Route("a", "b")
TAKES_US = 1000
ENDPOINTS = Endpoints(
    "http://x/", "http://x/token", None, "http://x/introspect", None, "http://x/revoke", "http://x/authorize"
)


def steps_of(kind: ProbeKind) -> ProbeSteps:
    scenario = scenario_of(probes={"kinds": [kind.value]})
    (steps,) = prepare_probes(scenario, [kind], ENDPOINTS, Path(), {}).steps
    return steps


Answers = Callable[[Sending, int], tuple[Outcome, Tokens | None]]
"""What a sending at a time comes to."""


class Deployment:
    """Answers 1 ms after a request was sent, by a clock that only its requests move."""

    def __init__(self, answers: Answers, lifetime_s: float | None = None) -> None:
        self._answers = answers
        self._lifetime_s = lifetime_s
        self.now_us = 1_000_000
        self.sent: list[tuple[str, str | None, int]] = []

    def run(self, probe: Probe) -> Probe:
        """The probe, run to its end."""
        flow = probe.flow()
        try:
            sendings = next(flow)
            while True:
                sendings = flow.send(self._perform(sendings))
        except StopIteration:
            return probe

    def _perform(self, sendings: Sequence[Sending]) -> list[Received]:
        self.now_us = max(self.now_us, *(one.due_us for one in sendings))
        sent_us, self.now_us = self.now_us, self.now_us + TAKES_US
        got = []
        for one in sendings:
            self.sent.append((one.request.kind, one.node, sent_us))
            outcome, tokens = self._answers(one, sent_us)
            got.append(Received(sent_us, self.now_us, outcome, tokens, one.node or "n", self._lifetime_s))
        return got


class Lagging:
    """Knows everything, but node b only ``lag_us`` after the last write was acknowledged."""

    def __init__(self, lag_us: int) -> None:
        self._lag_us = lag_us
        self._written_us = 0
        self._given = 0

    def __call__(self, sending: Sending, sent_us: int) -> tuple[Outcome, Tokens | None]:
        kind = sending.request.kind
        if sending.node == "b" and sent_us < self._written_us + self._lag_us:
            return Outcome.STALE_READ, None
        if kind in {"introspect", INTROSPECT_REVOKED}:
            return Outcome.OK, None
        self._written_us = sent_us + TAKES_US
        self._given += 1
        return Outcome.OK, None if kind == "revoke" else Tokens(f"access{self._given}", f"refresh{self._given}")


def run(kind: ProbeKind, answers: Answers, delay_ms: int = 0, route: Route = AWAY) -> tuple[Probe, Deployment]:
    deployment = Deployment(answers)
    return deployment.run(probe_of(7, steps_of(kind), route, LOGIN, delay_ms)), deployment


def seen(probe: Probe) -> list[tuple[int | None, int, str]]:
    return [(row.delay_us, row.attempt, row.verdict) for row in probe.rows]


READS = [kind for kind in ProbeKind if not kind.is_double]


@pytest.mark.parametrize("kind", READS)
def test_a_write_that_is_there_at_once_is_one_fresh_read(kind: ProbeKind) -> None:
    """Written at a, read at b, once, and nothing more is asked."""
    probe, deployment = run(kind, Lagging(0))
    assert seen(probe) == [(0, 1, "fresh")]
    row = probe.rows[0]
    assert (row.number, row.probe, row.route) == (7, kind.value, "pinned")
    assert (row.issued_by, row.read_by, row.latency_us) == ("a", "b", TAKES_US)
    assert deployment.sent[-1][1] == "b"


@pytest.mark.parametrize("kind", READS)
def test_a_stale_read_is_made_again_until_the_write_is_there(kind: ProbeKind) -> None:
    """A lag of 15 ms: reads 0, 1, 2, 5 and 10 ms after the acknowledgement are stale, the one after 20 ms is not."""
    probe, _ = run(kind, Lagging(15_000))
    assert seen(probe) == [
        *((ms * 1000, attempt, "stale") for attempt, ms in enumerate((0, 1, 2, 5, 10), 1)),
        (20_000, 6, "fresh"),
    ]


def test_the_first_read_waits_for_the_delay_that_was_drawn() -> None:
    probe, _ = run(ProbeKind.ISSUE_REFRESH, Lagging(15_000), delay_ms=20)
    assert seen(probe) == [(20_000, 1, "fresh")]


def test_a_write_that_never_comes_is_given_up_after_ten_seconds_and_still_audited() -> None:
    """The last reads come after 2, 5 and 10 seconds; the credential is what the audit looks for."""
    probe, _ = run(ProbeKind.ISSUE_INTROSPECT, Lagging(10**9), delay_ms=1000)
    assert seen(probe) == [
        (delay_us, attempt, "stale")
        for attempt, delay_us in enumerate((1_000_000, 2_000_000, 5_000_000, 10_000_000), 1)
    ]
    assert [(kept.token, kept.issued_by, kept.acknowledged_us) for kept in probe.kept][:1] == [
        ("access_token", "a", 1_001_000)
    ]


def test_a_revocation_is_only_probed_where_the_token_was_known() -> None:
    """The token is waited for at b before it is revoked at a: else "not active" would mean nothing."""
    probe, deployment = run(ProbeKind.REVOKE_INTROSPECT, Lagging(15_000))
    kinds = [(kind, node) for kind, node, _ in deployment.sent]
    assert kinds[0] == ("client_credentials", "a")
    assert kinds[1:7] == [("introspect", "b")] * 6
    assert kinds[7] == ("revoke", "a")
    assert {kind for kind, _ in kinds[8:]} == {INTROSPECT_REVOKED}
    assert probe.rows[-1].verdict == "fresh"
    assert [kept.token for kept in probe.kept] == ["access_token"]


def test_a_write_that_fails_is_a_row_without_a_delay() -> None:
    probe, deployment = run(ProbeKind.EXCHANGE_REFRESH, lambda *_: (Outcome.WRITE_CONFLICT, None))
    (row,) = probe.rows
    assert (row.attempt, row.delay_us, row.outcome, row.verdict) == (0, None, "write_conflict", "failed")
    assert len(deployment.sent) == 1
    assert probe.kept == ()


def test_what_a_refresh_gave_is_what_the_audit_looks_for() -> None:
    """The second pair of tokens, acknowledged by b; an access token that says how long it lives is held until then."""
    deployment = Deployment(Lagging(0), lifetime_s=3600)
    probe = deployment.run(probe_of(1, steps_of(ProbeKind.ISSUE_REFRESH), AWAY, LOGIN, 0))
    access, refresh = probe.kept
    assert (access.held.access_token, access.held.refresh_token) == ("access2", "refresh2")
    assert (access.token, access.issued_by, access.expires_us) == ("access_token", "b", 1_002_000 + 3_600_000_000)
    assert (refresh.token, refresh.expires_us) == ("refresh_token", None)


def test_nothing_is_audited_where_the_answer_to_a_refresh_was_lost() -> None:
    """It may have been carried out, and then the old tokens are gone by right."""

    def answers(sending: Sending, _: int) -> tuple[Outcome, Tokens | None]:
        is_refresh = sending.request.kind == "refresh_token"
        return (Outcome.TIMEOUT, None) if is_refresh else (Outcome.OK, Tokens("a", "r"))

    probe, _ = run(ProbeKind.ISSUE_REFRESH, answers)
    assert [row.verdict for row in probe.rows] == ["failed"]
    assert probe.kept == ()


OK, STALE, CONFLICT = Outcome.OK, Outcome.STALE_READ, Outcome.WRITE_CONFLICT
SERVER, LATE = Outcome.SERVER_ERROR, Outcome.TIMEOUT


@pytest.mark.parametrize(
    ("first", "second", "again", "verdict", "rows"),
    [
        (OK, STALE, None, ProbeVerdict.ONCE, 2),
        (CONFLICT, OK, None, ProbeVerdict.ONCE, 2),
        (OK, OK, None, ProbeVerdict.DOUBLED, 2),
        (CONFLICT, CONFLICT, OK, ProbeVerdict.RECOVERED, 3),
        (CONFLICT, STALE, STALE, ProbeVerdict.LOST, 3),
        (SERVER, STALE, SERVER, ProbeVerdict.FAILED, 3),
        (OK, LATE, None, ProbeVerdict.FAILED, 2),
        (LATE, LATE, None, ProbeVerdict.FAILED, 2),
    ],
)
def test_a_refresh_token_redeemed_twice_at_once_comes_to_a_verdict(
    first: Outcome, second: Outcome, again: Outcome | None, verdict: ProbeVerdict, rows: int
) -> None:
    """A lost answer may have been a good one, so that nothing can be said; where none was good it is tried again."""
    outcomes = iter([first, second, again])

    def answers(sending: Sending, _: int) -> tuple[Outcome, Tokens | None]:
        if sending.request.kind != "refresh_token":
            return OK, Tokens("a", "old")
        outcome = next(outcomes)
        assert outcome is not None
        return outcome, Tokens("b", "new") if outcome is OK else None

    probe, deployment = run(ProbeKind.DOUBLE_REFRESH, answers)
    assert [row.verdict for row in probe.rows] == [verdict.value] * rows
    assert [row.outcome for row in probe.rows[:2]] == [first.value, second.value]
    both = deployment.sent[1:3]
    assert [node for _, node, _ in both] == ["a", "b"]
    assert {sent_us for *_, sent_us in both} == {1_001_000 + SETTLED_US}


@pytest.mark.parametrize("back", [None, "old"])
def test_a_refresh_token_that_may_be_used_again_is_no_single_use_credential(back: str | None) -> None:
    """Both redemptions are right then, and nothing is counted as doubled."""
    probe, _ = run(
        ProbeKind.DOUBLE_REFRESH, lambda s, _: (OK, Tokens("a", back if "refresh" in s.request.kind else "old"))
    )
    assert {row.verdict for row in probe.rows} == {"reusable"}


def test_through_the_balancer_no_node_is_named_by_the_probe() -> None:
    probe, deployment = run(ProbeKind.ISSUE_INTROSPECT, Lagging(0), route=Route())
    assert {node for _, node, _ in deployment.sent} == {None}
    assert (probe.rows[0].route, probe.rows[0].issued_by) == ("balancer", "n")


def test_no_token_is_in_a_row_or_a_repr() -> None:
    probe, _ = run(ProbeKind.ISSUE_REFRESH, Lagging(0))
    shown = repr(probe.rows) + repr(probe.kept)
    assert "access1" not in shown
    assert "refresh1" not in shown
    assert "refresh2" not in shown
