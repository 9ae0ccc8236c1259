"""Consistency probes of one process: run them beside the load or instead of it, and audit what they wrote."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import gevent
from gevent.event import Event

from iam_loadtest.flow.chain import UserLogin
from iam_loadtest.flow.message import Request, Response
from iam_loadtest.flow.probe import Kept, Probe, Received, Sending, probe_of
from iam_loadtest.flow.ready_probe import ReadyProbes
from iam_loadtest.load.audit import Audit
from iam_loadtest.load.clock import now_us
from iam_loadtest.load.deck import Deck
from iam_loadtest.load.pin import Pins
from iam_loadtest.load.recorder import Recorder
from iam_loadtest.load.transport import Transport
from iam_loadtest.load.virtual_user import Report
from iam_loadtest.oidc.token_response import lifetime_s
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.probe import ProbeRow, ProbeVerdict

MAX_KEPT = 10_000
"""Credentials that all workers together hold for the audit; further ones replace others by chance."""
_LOOK_S = 0.05


@dataclass(frozen=True)
class ProbePlan:
    """What a process needs to probe. ``share`` is of the workload's requests, None where probes are the workload.

    ``nodes`` are as :class:`Pins` has them. ``logins`` gives the user whose tokens a probe user asks for.
    """

    ready: ReadyProbes
    nodes: Mapping[str, str]
    share: float | None
    settle_s: float
    max_kept: int
    logins: Callable[[int], UserLogin]


class _CutOffError(Exception):
    """The test ends: what a probe waits for is not waited for any longer."""


class Probing:
    """The probes of one test in one process; users run them one at a time each."""

    def __init__(
        self, plan: ProbePlan, transport: Callable[[int], Transport], recorder: Recorder, chance: random.Random
    ) -> None:
        self.plan = plan
        self.recorder = recorder
        self.pins = Pins(plan.nodes)
        self.deck = Deck(plan.ready.steps, tuple(plan.nodes), chance)
        self._transport = transport
        self._chance = chance
        self._users, self._transports, self._numbers = count(), count(), count()
        self._is_closing = Event()
        self._spent = 0
        self._requests: Counter[str] = Counter()
        self._rows: list[ProbeRow] = []
        self._kept: list[Kept] = []
        self._offered = 0
        self._audit: dict[str, int] = {}

    @property
    def is_alone(self) -> bool:
        """Whether probes are the workload."""
        return self.plan.share is None

    def open_user(self, report: Report) -> ProbeRunner:
        """A further user of this process."""
        login = self.plan.logins(next(self._users))
        return ProbeRunner(self, (self.new_transport(), self.new_transport()), login, report)

    def new_transport(self) -> Transport:
        """A transport with connections of its own."""
        return self._transport(next(self._transports))

    def next_probe(self, login: UserLogin) -> Probe:
        """The next probe, drawn from the deck."""
        steps, route, delay_ms = self.deck.draw()
        return probe_of(next(self._numbers), steps, route, login, delay_ms)

    def await_turn(self) -> bool:
        """Wait until the workload has sent so many requests that its probes' share leaves room; False at the end."""
        share = self.plan.share
        while share is not None and self._spent >= share * self.recorder.requests:
            if self._is_closing.wait(_LOOK_S):
                return False
        return not self._is_closing.is_set()

    def await_due(self, due_us: int) -> None:
        """Wait until this process's clock says so."""
        wait_us = due_us - now_us()
        if wait_us > 0 and self._is_closing.wait(wait_us / 1e6):
            raise _CutOffError

    def spend(self, request: Request, is_row: bool) -> None:
        """A request is about to be sent; the server will count it, the samples do not unless it ``is_row``."""
        self._spent += 1
        if not is_row:
            self._requests[_counted_as(request)] += 1

    def note(self, probe: Probe) -> None:
        """Keep what a probe has come to, and hold its credentials, each probe with the same chance where there is
        no room for all.
        """
        elapsed_us = self.recorder.elapsed_us
        self._rows += [row._replace(started_us=elapsed_us(row.started_us)) for row in probe.rows]
        for kept in probe.kept:
            self._offered += 1
            if len(self._kept) < self.plan.max_kept:
                self._kept.append(kept)
            elif (place := self._chance.randrange(self._offered)) < self.plan.max_kept:
                self._kept[place] = kept

    def close(self) -> None:
        """The test ends: no probe begins, and none waits for a later read."""
        self._is_closing.set()

    def audit(self) -> None:
        """After the load: read every credential again through every node, within a time limit."""
        kept, self._kept = self._kept, []
        self._chance.shuffle(kept)
        audit = Audit(self.plan.ready, self.pins, tuple(self.plan.nodes) or (None,), self.new_transport)
        gevent.sleep(self.plan.settle_s if kept else 0)
        self._audit = {"offered": self._offered, **audit.run(kept)}
        self._requests.update(audit.requests)
        elapsed_us = self.recorder.elapsed_us
        self._rows += [row._replace(started_us=elapsed_us(row.started_us)) for row in audit.rows]

    def take(self) -> dict[str, Any]:
        """What happened since the last call, as plain data; empty where nothing did."""
        rows, self._rows = self._rows, []
        requests, self._requests = self._requests, Counter()
        audit, self._audit = self._audit, {}
        parts = {"rows": [list(row) for row in rows], "requests": dict(requests), "audit": audit}
        return {name: part for name, part in parts.items() if part}


class ProbeRunner:
    """One probe user: runs probe after probe over two connections, the second for what is sent at once."""

    def __init__(self, probing: Probing, transports: Sequence[Transport], login: UserLogin, report: Report) -> None:
        self._probing = probing
        self._transports = transports
        self._login = login
        self._report = report
        self._judge = probing.plan.ready.classifier.judge
        self._plain_us = 0
        self._last_status = 0

    def run_one(self) -> bool:
        """Run one probe when it is its turn; False where the test ends."""
        if not self._probing.await_turn():
            return False
        probe = self._probing.next_probe(self._login)
        began_us, self._plain_us, self._last_status = now_us(), 0, 0
        is_whole = False
        try:
            is_whole = self._drive(probe)
        finally:
            self._probing.note(probe)
        if is_whole and self._probing.is_alone:
            self._keep_chain(probe, began_us)
        return is_whole

    def close(self) -> None:
        """Give the connections back."""
        for transport in self._transports:
            transport.close()

    def _drive(self, probe: Probe) -> bool:
        flow = probe.flow()
        try:
            sendings = next(flow)
            while True:
                sendings = flow.send(self._perform(sendings))
        except StopIteration:
            return True
        except _CutOffError:
            return False
        finally:
            flow.close()

    def _perform(self, sendings: Sequence[Sending]) -> list[Received]:
        """Send one request, or several at once, each over a connection of its own."""
        self._probing.await_due(max(sending.due_us for sending in sendings))
        others = [
            gevent.spawn(self._send, sending, transport)
            for sending, transport in zip(sendings[1:], self._transports[1:], strict=False)
        ]
        try:
            return [self._send(sendings[0], self._transports[0]), *(other.get() for other in others)]
        finally:
            gevent.killall(others)

    def _send(self, sending: Sending, transport: Transport) -> Received:
        pins, is_row = self._probing.pins, sending.is_plain and self._probing.is_alone
        asked = sending.request
        if asked.renew is not None and not sending.is_plain:
            asked = asked.renew()
        request = pins.request(asked, sending.node)
        self._probing.spend(request, is_row)
        sent_us = now_us()
        response = transport.send(request)
        received_us = response.received_us or now_us()
        outcome, answer, detail = self._judge(request, response, (received_us - sent_us) / 1e6)
        if is_row:
            self._keep(request, sent_us, received_us - sent_us, response, outcome, detail)
        node = pins.answered_by(sending.node, response.backend)
        lives_s = lifetime_s(response.body) if outcome is Outcome.OK else None
        return Received(sent_us, received_us, outcome, answer, node, lives_s)

    def _keep(
        self, request: Request, sent_us: int, latency_us: int, response: Response, outcome: Outcome, detail: str
    ) -> None:
        """Where probes are the workload, their plain requests are rows as those of any workload."""
        recorder = self._probing.recorder
        self._plain_us += latency_us
        self._last_status = response.status
        recorder.request(sent_us, request.step, latency_us, response.status, outcome, response.backend)
        failure = None if outcome is Outcome.OK else recorder.failures.text(outcome, detail)
        self._report(request, latency_us, len(response.body), failure)

    def _keep_chain(self, probe: Probe, began_us: int) -> None:
        """The row of a whole probe: good where it came to a verdict; its latency leaves waits out."""
        has_verdict = any(row.verdict != ProbeVerdict.FAILED for row in probe.rows)
        outcome = Outcome.OK if has_verdict else probe.outcome or Outcome.PROTOCOL_ERROR
        self._probing.recorder.chain(began_us, self._plain_us, self._last_status, outcome)


def _counted_as(request: Request) -> str:
    """The kind that a server counts a request as: what is expected of an answer is not its business."""
    return request.kind.removesuffix("_revoked")
