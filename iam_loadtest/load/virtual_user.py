"""One simulated user: runs chain after chain over its own connection and records every request."""

from __future__ import annotations

from collections.abc import Callable

from gevent import GreenletExit

from iam_loadtest.flow.answer import Answer
from iam_loadtest.flow.chain import Flow, Held, MakeFlow, UserLogin, chain, drive
from iam_loadtest.flow.message import Request, Response
from iam_loadtest.load.aside import Aside
from iam_loadtest.load.clock import now_us
from iam_loadtest.load.mix import ChainKind, Mix
from iam_loadtest.load.recorder import Recorder
from iam_loadtest.load.transport import Transport
from iam_loadtest.results.outcome import Outcome

CUT_OFF = "no answer before the test ended"
_LOSES_TOKENS = frozenset(
    {
        Outcome.REFUSED,
        Outcome.STALE_READ,
        Outcome.BAD_TOKEN,
        Outcome.PROTOCOL_ERROR,
        Outcome.TIMEOUT,
        Outcome.CONNECTION_LOST,
    }
)
"""After these a refresh token may be used up, or never was there: what priming gave is asked for anew."""


Report = Callable[[Request, int, int, str | None], None]
"""Told of each request: its latency in microseconds from its intended start, the answer's bytes, the failure if any."""


class _ChainCutError(Exception):
    """The test ended between two steps of a chain."""


class VirtualUser:
    """Runs chains for one login. ``report`` is called for each request, ``is_stopping`` asked between steps.

    ``flow`` makes the requests of a chain out of its workload's steps; priming goes through its steps in turn.

    It alone uses the tokens that it holds, for one chain at a time.
    """

    def __init__(
        self,
        mix: Mix,
        login: UserLogin,
        transport: Transport,
        recorder: Recorder,
        report: Report,
        is_stopping: Callable[[], bool],
        aside: Aside | None = None,
        flow: MakeFlow = chain,
    ) -> None:
        self._mix = mix
        self._login = login
        self._transport = transport
        self._recorder = recorder
        self._report = report
        self._is_stopping = is_stopping
        self._aside = aside
        self._flow = flow
        self._held: dict[str, Held] = {}
        self.is_primed = not any(kind.workload.prime for kind in mix.kinds)
        """Whether :meth:`prime` would never have anything to do."""
        self._last_status = 0
        self._late_us = 0
        self._aside_us = 0
        self._ended_us = 0
        self._is_first = True
        self._send = transport.send
        self._judge = mix.kinds[0].workload.classifier.judge

    def run_chain(self, intended_us: int | None = None) -> Outcome | None:
        """Run one chain and record it; None, and no row of the chain, where the test ended in the middle of it.

        ``intended_us`` is when it was to start, on this process's clock; None for now. Priming comes before, where the
        chain needs it: where it fails, so does the chain. What signing took is no part of any latency.
        """
        kind = self._mix.draw()
        workload = kind.workload
        if workload.prime and workload.name not in self._held:
            primed = self._prime(kind)
            if primed is not Outcome.OK:
                return primed
        held = self._held.get(workload.name)
        started_us = now_us()
        late_us = 0 if intended_us is None else max(started_us - intended_us, 0)
        outcome = self._run(self._flow(workload.steps, self._login, held or Held()), late_us)
        if self._is_first:
            raise RuntimeError(f"a chain of workload {workload.name} came to its end without a request")
        if outcome is not None:
            latency_us = self._ended_us - started_us
            self._recorder.chain(started_us, latency_us, self._last_status, outcome, kind.step, late_us)
        if outcome in _LOSES_TOKENS:
            self._held.pop(workload.name, None)
        return outcome

    def prime(self) -> Outcome | None:
        """Get ready for a chain of any kind; the first outcome that is not OK, or None where the test ended."""
        for kind in self._mix.kinds:
            if kind.workload.prime and kind.workload.name not in self._held:
                primed = self._prime(kind)
                if primed is not Outcome.OK:
                    return primed
        return Outcome.OK

    def close(self) -> None:
        """Give the connection back."""
        self._transport.close()

    def _prime(self, kind: ChainKind) -> Outcome | None:
        """Have what the chains of a kind need beforehand. Its requests are rows; failing, it is a chain that failed."""
        held, started_us = Held(), now_us()
        outcome = self._run(chain(kind.workload.prime, self._login, held), 0)
        if outcome is Outcome.OK:
            self._held[kind.workload.name] = held
        elif outcome is not None:
            self._recorder.chain(started_us, self._ended_us - started_us, self._last_status, outcome, kind.step)
        return outcome

    def _run(self, flow: Flow, late_us: int) -> Outcome | None:
        self._last_status = 0
        self._late_us = late_us
        self._aside_us = 0
        self._is_first = True
        try:
            return drive(flow, self._exchange)
        except _ChainCutError:
            return None

    def _exchange(self, request: Request) -> tuple[Outcome, Answer]:
        if request.signing_us:
            self._aside_us += request.signing_us
            self._recorder.signing.add(request.signing_us)
        if not self._is_first:
            self._late_us = 0
            if self._is_stopping():
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
        """Judge an answer, keep its row and report it. A killed user's last request is kept as a timeout.

        A chain ends with its last answer; looking at earlier ones and proving the client are none of its time.
        """
        received_us, late_us = response.received_us or now_us(), self._late_us
        latency_us = received_us - sent_us
        self._ended_us = received_us - self._aside_us
        outcome, answer, detail = self._judge(request, response, latency_us / 1e6)
        if self._aside is not None and self._aside.is_due(outcome, answer):
            began_us = now_us()
            problem = self._aside.look(request, sent_us, response, answer, self._judge)
            self._aside_us += now_us() - began_us
            if problem is not None:
                outcome, detail = Outcome.BAD_TOKEN, problem
        self._last_status = response.status
        self._recorder.request(sent_us, request.step, latency_us, response.status, outcome, response.backend, late_us)
        failure = None if outcome is Outcome.OK else self._recorder.failures.text(outcome, detail)
        self._report(request, latency_us + late_us, len(response.body), failure)
        return outcome, answer
