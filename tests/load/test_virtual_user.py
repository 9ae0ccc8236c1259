"""One simulated user against a scripted transport."""

from __future__ import annotations

from collections.abc import Callable

import gevent

from iam_loadtest.flow.chain import UserLogin
from iam_loadtest.flow.classify import classifier_for
from iam_loadtest.flow.message import Request, Response
from iam_loadtest.flow.prepare import ReadyWorkload
from iam_loadtest.flow.token_step import token_step
from iam_loadtest.load.clock import now_us
from iam_loadtest.load.recorder import Recorder
from iam_loadtest.load.virtual_user import CUT_OFF, Answered, VirtualUser
from iam_loadtest.oidc.client_auth import ClientCredentials
from iam_loadtest.oidc.grant import Grant
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.sample import Sample, unpack
from iam_loadtest.scenario.step import Step

GOOD = Response(200, b'{"access_token": "a", "refresh_token": "r", "token_type": "Bearer"}', "node-1")
REFUSED = Response(401, b'{"error": "invalid_client", "error_description": "Bad credentials"}')
LOGIN = UserLogin("ada", "pass")


def workload() -> ReadyWorkload:
    client = ClientCredentials("c", "s")
    grants = {"issue": Grant.PASSWORD, "refresh": Grant.REFRESH_TOKEN}
    steps = [
        token_step(name, Step(grant=grant, client="c"), grant, client, "http://x/t") for name, grant in grants.items()
    ]
    return ReadyWorkload("refresh", tuple(steps), [LOGIN], classifier_for("indigo-iam"))


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
    transport: Scripted, is_stopping: Callable[[], bool] = lambda: False
) -> tuple[VirtualUser, Recorder, list[Answered]]:
    recorder, reports = Recorder(), list[Answered]()
    return VirtualUser(workload(), LOGIN, transport, recorder, reports.append, is_stopping), recorder, reports


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
