"""One simulated user: runs chain after chain over its own connection and records every request."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gevent import GreenletExit

from iam_loadtest.flow.answer import Answer
from iam_loadtest.flow.chain import UserLogin, chain, drive
from iam_loadtest.flow.message import Request, Response
from iam_loadtest.flow.prepare import ReadyWorkload
from iam_loadtest.load.clock import now_us
from iam_loadtest.load.recorder import Recorder
from iam_loadtest.load.transport import Transport
from iam_loadtest.results.outcome import Outcome

CUT_OFF = "no answer before the test ended"


class Answered(NamedTuple):
    """One request as it is reported to Locust's listeners; ``failure`` is None where it is OK."""

    request: Request
    latency_us: int
    response_bytes: int
    failure: str | None


class _ChainCutError(Exception):
    """The test ended between two steps of a chain."""


class VirtualUser:
    """Runs a workload for one login. ``report`` is called for each request, ``is_stopping`` asked between steps."""

    def __init__(
        self,
        workload: ReadyWorkload,
        login: UserLogin,
        transport: Transport,
        recorder: Recorder,
        report: Callable[[Answered], None],
        is_stopping: Callable[[], bool],
    ) -> None:
        self._workload = workload
        self._login = login
        self._transport = transport
        self._recorder = recorder
        self._report = report
        self._is_stopping = is_stopping
        self._last_status = 0
        self._is_first = True
        self._send = transport.send
        self._judge = workload.classifier.judge

    def run_chain(self) -> Outcome | None:
        """Run one chain and record it; None, and no row of the chain, where the test ended in the middle of it."""
        started_us = now_us()
        self._last_status = 0
        self._is_first = True
        try:
            outcome = drive(chain(self._workload.steps, self._login), self._exchange)
        except _ChainCutError:
            return None
        self._recorder.chain(started_us, now_us() - started_us, self._last_status, outcome)
        return outcome

    def close(self) -> None:
        """Give the connection back."""
        self._transport.close()

    def _exchange(self, request: Request) -> tuple[Outcome, Answer]:
        if not self._is_first and self._is_stopping():
            raise _ChainCutError
        self._is_first = False
        sent_us = now_us()
        try:
            response = self._send(request)
        except GreenletExit:
            self._keep(request, sent_us, Response(0, failure=Outcome.TIMEOUT, detail=CUT_OFF))
            raise
        return self._keep(request, sent_us, response)

    def _keep(self, request: Request, sent_us: int, response: Response) -> tuple[Outcome, Answer]:
        """Judge an answer, keep its row and report it. A killed user's last request is kept as a timeout."""
        latency_us = (response.received_us or now_us()) - sent_us
        outcome, answer, detail = self._judge(request, response, latency_us / 1e6)
        self._last_status = response.status
        self._recorder.request(sent_us, request.step, latency_us, response.status, outcome, response.backend)
        failure = None if outcome is Outcome.OK else self._recorder.failures.text(outcome, detail)
        self._report(Answered(request, latency_us, len(response.body), failure))
        return outcome, answer
