"""One simulated user against a scripted transport."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import gevent
import pytest

from iam_loadtest.flow.chain import ChainStep, Flow, Held, UserLogin, chain
from iam_loadtest.flow.classify import classifier_for
from iam_loadtest.flow.message import Request, Response
from iam_loadtest.flow.prepare import ReadyWorkload
from iam_loadtest.flow.token_step import token_step
from iam_loadtest.load.clock import now_us
from iam_loadtest.load.mix import ChainKind, Mix
from iam_loadtest.load.recorder import Recorder
from iam_loadtest.load.virtual_user import CUT_OFF, VirtualUser
from iam_loadtest.oidc.client_auth import ClientCredentials
from iam_loadtest.oidc.grant import Grant
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.sample import Sample, unpack
from iam_loadtest.scenario.step import Step
from tests.load.answered import Reports

GOOD = Response(200, b'{"access_token": "a", "refresh_token": "r", "token_type": "Bearer"}', "node-1")
REFUSED = Response(401, b'{"error": "invalid_client", "error_description": "Bad credentials"}')
LOGIN = UserLogin("ada", "pass")


def workload(is_primed: bool = False) -> ReadyWorkload:
    client = ClientCredentials("c", "s")
    grants = {"issue": Grant.PASSWORD, "refresh": Grant.REFRESH_TOKEN}
    steps = [
        token_step(name, Step(grant=grant, client="c"), grant, client, "http://x/t") for name, grant in grants.items()
    ]
    cut = 1 if is_primed else 0
    return ReadyWorkload("refresh", tuple(steps[cut:]), [LOGIN], classifier_for("indigo-iam"), tuple(steps[:cut]))


class Scripted:
    """Gives the answers in turn."""

    def __init__(self, *answers: Response) -> None:
        self.answers = list(answers)
        self.sent: list[Request] = []

    def send(self, request: Request) -> Response:
        self.sent.append(request)
        return self.answers.pop(0)

    def close(self) -> None:
        self.answers = []


def user(
    transport: Scripted, is_stopping: Callable[[], bool] = lambda: False, is_primed: bool = False
) -> tuple[VirtualUser, Recorder, Reports]:
    recorder, reports = Recorder(), Reports()
    mix = Mix([ChainKind(workload(is_primed))])
    return VirtualUser(mix, LOGIN, transport, recorder, reports, is_stopping), recorder, reports


def rows(recorder: Recorder) -> list[Sample]:
    packed = recorder.take()
    return list(unpack(packed).rows()) if packed else []


def test_a_chain_gives_a_row_for_each_request_and_one_for_itself() -> None:
    virtual, recorder, reports = user(Scripted(GOOD, GOOD))
    assert virtual.run_chain() is Outcome.OK
    kept = rows(recorder)
    assert [(row.step, row.status, row.outcome, row.backend) for row in kept] == [
        ("issue", 200, "ok", "node-1"),
        ("refresh", 200, "ok", "node-1"),
        ("workflow", 200, "ok", ""),
    ]
    issue, refresh, chain = kept
    assert chain.started_us <= issue.started_us <= refresh.started_us
    assert chain.latency_us >= issue.latency_us + refresh.latency_us
    assert [report.failure for report in reports] == [None, None]


class Clock:
    """Stands still unless told."""

    def __init__(self) -> None:
        self.now_us = 1_000_000

    def __call__(self) -> int:
        return self.now_us


@dataclass(frozen=True)
class SlowlySigned(ChainStep):
    """A step whose proof takes 50 ms of the clock."""

    clock: Clock

    def request(self, held: Held, user: UserLogin) -> Request:
        self.clock.now_us += 50_000
        return Request(self.label, "http://x/t", {}, b"", "POST", self.kind, signing_us=50_000)


def test_a_flow_of_ones_own_decides_what_is_asked_and_each_request_is_a_row() -> None:
    def twice(steps: Sequence[ChainStep], login: UserLogin, held: Held) -> Flow:
        issue, refresh = steps
        yield from chain([issue], login, held)
        yield from chain([refresh, refresh], login, held)

    transport, recorder = Scripted(answer("r1"), answer("r2"), answer("r3")), Recorder()
    mix = Mix([ChainKind(workload())])
    virtual = VirtualUser(mix, LOGIN, transport, recorder, Reports(), lambda: False, flow=twice)
    assert virtual.run_chain() is Outcome.OK
    assert [row.step for row in rows(recorder)] == ["issue", "refresh", "refresh", "workflow"]
    assert [request.body.rpartition(b"=")[2] for request in transport.sent[1:]] == [b"r1", b"r2"]


def test_a_flow_that_asks_for_nothing_is_a_defect_and_not_a_chain_without_end() -> None:
    def nothing(steps: Sequence[ChainStep], login: UserLogin, held: Held) -> Flow:
        yield from ()

    recorder = Recorder()
    mix = Mix([ChainKind(workload())])
    virtual = VirtualUser(mix, LOGIN, Scripted(), recorder, Reports(), lambda: False, flow=nothing)
    with pytest.raises(RuntimeError, match="a chain of workload refresh came to its end without a request"):
        virtual.run_chain()
    assert rows(recorder) == []


def test_what_signing_took_is_in_no_latency_and_no_lateness_but_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two requests of 10 ms, each signed in 50 ms, due 3 ms before: 10 ms each, the chain 20 ms, 3 ms late."""
    clock = Clock()
    monkeypatch.setattr("iam_loadtest.load.virtual_user.now_us", clock)

    class Answering(Scripted):
        def send(self, request: Request) -> Response:
            clock.now_us += 10_000
            return super().send(request)

    steps = tuple(SlowlySigned(name, name, "client_credentials", clock) for name in ("issue", "again"))
    mix = Mix([ChainKind(ReadyWorkload("two", steps, [LOGIN], classifier_for("indigo-iam")))])
    recorder, reports = Recorder(), Reports()
    virtual = VirtualUser(mix, LOGIN, Answering(GOOD, GOOD), recorder, reports, lambda: False)
    assert virtual.run_chain(clock.now_us - 3_000) is Outcome.OK
    issue, again, chain = rows(recorder)
    assert [(row.latency_us, row.late_us) for row in (issue, again)] == [(10_000, 3_000), (10_000, 0)]
    assert (chain.latency_us, chain.late_us) == (20_000, 3_000)
    assert [report.latency_us for report in reports] == [13_000, 10_000]
    assert (recorder.signing.assertions, recorder.signing.total_us) == (2, 100_000)


def test_a_failed_step_ends_the_chain_and_is_its_outcome() -> None:
    virtual, recorder, reports = user(Scripted(REFUSED))
    assert virtual.run_chain() is Outcome.REFUSED
    assert [(row.step, row.status, row.outcome) for row in rows(recorder)] == [
        ("issue", 401, "refused"),
        ("workflow", 401, "refused"),
    ]
    assert [report.failure for report in reports] == ["refused: 401 invalid_client Bad credentials"]
    assert recorder.failures.take() == {"refused: 401 invalid_client Bad credentials": 1}


def test_a_chain_that_the_end_of_the_test_cuts_has_rows_for_its_requests_alone() -> None:
    transport = Scripted(GOOD, GOOD)
    virtual, recorder, _ = user(transport, is_stopping=lambda: True)
    assert virtual.run_chain() is None
    assert [row.step for row in rows(recorder)] == ["issue"]
    assert len(transport.sent) == 1


def test_a_request_killed_in_flight_is_a_row() -> None:
    class Stuck(Scripted):
        def send(self, request: Request) -> Response:
            gevent.sleep(60)
            return GOOD

    virtual, recorder, reports = user(Stuck())
    greenlet = gevent.spawn(virtual.run_chain)
    gevent.sleep(0.01)
    greenlet.kill()
    assert [(row.step, row.status, row.outcome) for row in rows(recorder)] == [("issue", 0, "timeout")]
    assert reports[0].failure == f"timeout: {CUT_OFF}"


def test_a_failure_of_the_transport_is_the_outcome_of_the_chain() -> None:
    virtual, recorder, _ = user(Scripted(GOOD, Response(0, failure=Outcome.CONNECTION_LOST, detail="gone")))
    assert virtual.run_chain() is Outcome.CONNECTION_LOST
    assert [(row.status, row.outcome) for row in rows(recorder)][1:] == [(0, "connection_lost")] * 2


def test_a_request_ends_when_its_answer_came_not_when_its_user_woke() -> None:
    """The transport says that the last byte came 5 ms after a moment before sending."""

    class Punctual(Scripted):
        def send(self, request: Request) -> Response:
            return GOOD._replace(received_us=now_us() + 5_000)

    virtual, recorder, reports = user(Punctual())
    virtual.run_chain()
    issue = rows(recorder)[0]
    assert 5_000 <= issue.latency_us < 1_000_000
    assert reports[0].latency_us == issue.latency_us


def test_no_report_shows_a_token_or_secret() -> None:
    virtual, _, reports = user(Scripted(GOOD, GOOD))
    virtual.run_chain()
    shown = repr(reports) + repr(virtual)
    assert "pass" not in shown
    assert "Basic" not in shown


def answer(refresh_token: str) -> Response:
    body = {"access_token": "a", "refresh_token": refresh_token, "token_type": "Bearer"}
    return Response(200, json.dumps(body).encode())


def test_a_primed_user_logs_in_once_and_adopts_each_refresh_token_that_comes_back() -> None:
    transport = Scripted(answer("r1"), answer("r2"), answer("r3"))
    virtual, recorder, _ = user(transport, is_primed=True)
    assert (virtual.run_chain(), virtual.run_chain()) == (Outcome.OK, Outcome.OK)
    assert [row.step for row in rows(recorder)] == ["issue", "refresh", "workflow", "refresh", "workflow"]
    assert [request.body.rpartition(b"=")[2] for request in transport.sent[1:]] == [b"r1", b"r2"]


def test_priming_is_not_in_the_time_of_the_chain() -> None:
    virtual, recorder, _ = user(Scripted(GOOD, GOOD), is_primed=True)
    virtual.run_chain()
    issue, refresh, chain = rows(recorder)
    assert issue.started_us + issue.latency_us <= chain.started_us <= refresh.started_us


@pytest.mark.parametrize(
    ("failed", "primes_again"),
    [
        (REFUSED, True),
        (Response(0, failure=Outcome.TIMEOUT, detail="late"), True),
        (Response(0, failure=Outcome.CONNECTION_LOST, detail="gone"), True),
        (Response(0, failure=Outcome.CONNECT_ERROR, detail="refused"), False),
        (Response(503, b"{}", retry_after=True), False),
    ],
)
def test_a_chain_that_may_have_lost_its_token_is_followed_by_priming(failed: Response, primes_again: bool) -> None:
    virtual, recorder, _ = user(Scripted(GOOD, failed, GOOD, GOOD), is_primed=True)
    virtual.run_chain()
    assert virtual.run_chain() is Outcome.OK
    again = ["issue"] if primes_again else []
    assert [row.step for row in rows(recorder)] == ["issue", "refresh", "workflow", *again, "refresh", "workflow"]


def test_priming_that_fails_is_a_chain_that_failed() -> None:
    virtual, recorder, _ = user(Scripted(REFUSED, GOOD), is_primed=True)
    assert virtual.prime() is Outcome.REFUSED
    assert virtual.prime() is Outcome.OK
    kept = [(row.step, row.outcome) for row in rows(recorder)]
    assert kept == [("issue", "refused"), ("workflow", "refused"), ("issue", "ok")]


def test_a_chain_that_starts_late_says_so_once_and_is_reported_with_it() -> None:
    """Intended 50 ms ago: the first request and the chain are 50 ms late, the second request follows at once."""
    virtual, recorder, reports = user(Scripted(GOOD, GOOD))
    virtual.run_chain(now_us() - 50_000)
    issue, refresh, chain = rows(recorder)
    assert 50_000 <= issue.late_us == chain.late_us < 1_000_000
    assert refresh.late_us == 0
    assert [report.latency_us for report in reports] == [issue.late_us + issue.latency_us, refresh.latency_us]


class Looking:
    """An aside that finds one token bad, and takes its time."""

    def __init__(self, bad: int) -> None:
        self.bad = bad
        self.seen: list[str] = []

    def is_due(self, outcome: Outcome, _: object) -> bool:
        return outcome is Outcome.OK

    def look(self, request: Request, *_: object) -> str | None:
        self.seen.append(request.step)
        gevent.sleep(0.05)
        return "wrong signature" if len(self.seen) == self.bad else None


def test_a_bad_token_is_the_outcome_of_its_row_and_ends_the_chain_and_looking_at_it_is_no_latency() -> None:
    virtual, recorder, reports = user(Scripted(GOOD._replace(received_us=1), GOOD._replace(received_us=1)))
    looking = Looking(bad=2)
    virtual._aside = looking
    assert virtual.run_chain() is Outcome.BAD_TOKEN
    assert looking.seen == ["issue", "refresh"]
    kept = rows(recorder)
    assert [(row.step, row.outcome) for row in kept] == [
        ("issue", "ok"),
        ("refresh", "bad_token"),
        ("workflow", "bad_token"),
    ]
    assert [row.latency_us for row in kept] == [0, 0, 0], "the answers came before anybody looked"
    assert reports[1].failure == "bad_token: wrong signature"


def test_a_chain_ends_with_its_last_answer_and_looking_at_the_others_is_none_of_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two requests of 20 ms; looking at each answer takes 50 ms."""
    clock = Clock()
    monkeypatch.setattr("iam_loadtest.load.virtual_user.now_us", clock)

    class Slow(Scripted):
        def send(self, request: Request) -> Response:
            clock.now_us += 20_000
            return super().send(request)._replace(received_us=clock.now_us)

    class LookingLong(Looking):
        def look(self, request: Request, *rest: object) -> str | None:
            clock.now_us += 50_000
            return super().look(request, *rest)

    virtual, recorder, _ = user(Slow(GOOD, GOOD))
    virtual._aside = LookingLong(bad=3)
    assert virtual.run_chain() is Outcome.OK
    assert [row.latency_us for row in rows(recorder)] == [20_000, 20_000, 40_000]
