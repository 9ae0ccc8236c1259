"""Follow stale reads up: how long until the credential that was refused is accepted?

The same request is sent again on a schedule, over a connection of its own and outside the samples; the user goes on
meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import gevent
from gevent.event import Event

from iam_loadtest.flow.classify import Judgement
from iam_loadtest.flow.message import Request, Response
from iam_loadtest.load.clock import now_us
from iam_loadtest.load.transport import Transport
from iam_loadtest.results.outcome import Outcome

SCHEDULE_MS = (5, 10, 20, 50, 100, 200, 500, 1000, 2000)
"""When it is tried again, counted from the refusal."""
MAX_AT_ONCE = 20
MAX_IN_TRIAL = 1000
"""Over all workers: more would be a load of their own."""
GRACE_S = 2.0
"""What a try under way is given at the end of a test."""

Judge = Callable[[Request, Response, float], Judgement]


class StaleRead(NamedTuple):
    """What became of one refusal. Times count from the trial's origin; ``visible_after_us`` from the refusal.

    It is when the accepted try was sent, an upper bound; None where none was accepted. ``result`` is accepted,
    still_refused after the last try, cut_off by the end of the test, or the outcome that a try came to instead.
    """

    started_us: int
    step: str
    refused_by: str
    accepted_by: str
    visible_after_us: int | None
    tries: int
    result: str


class StaleReads:
    """Follows up the stale reads of one process, the first ones as far as the limits go."""

    def __init__(
        self,
        transport: Callable[[], Transport],
        elapsed_us: Callable[[int], int],
        max_begun: int = MAX_IN_TRIAL,
        schedule_ms: tuple[int, ...] = SCHEDULE_MS,
    ) -> None:
        self._transport = transport
        self._elapsed_us = elapsed_us
        self._left = max_begun
        self._schedule_ms = schedule_ms
        self._running: set[gevent.Greenlet] = set()
        self._ended: list[StaleRead] = []
        self._tries: Counter[str] = Counter()
        self._not_followed = 0
        self._is_closing = Event()

    def notice(self, request: Request, sent_us: int, response: Response, judge: Judge) -> None:
        """Begin to follow a request that was just refused, unless there are too many."""
        if self._is_closing.is_set() or self._left <= 0 or len(self._running) >= MAX_AT_ONCE:
            self._not_followed += 1
            return
        self._left -= 1
        refused_us = response.received_us or now_us()
        greenlet = gevent.spawn(self._follow, request, sent_us, refused_us, response.backend, judge)
        self._running.add(greenlet)
        greenlet.rawlink(self._running.discard)

    def close(self) -> None:
        """The test is over: no more is tried; a try under way may end, so that the server's count fits ours."""
        self._is_closing.set()
        running = list(self._running)
        gevent.joinall(running, timeout=GRACE_S)
        gevent.killall(running)

    def take(self) -> dict[str, Any]:
        """What is known since the last call, as plain data; empty where there is nothing."""
        ended, self._ended = self._ended, []
        tries, self._tries = dict(self._tries), Counter()
        not_followed, self._not_followed = self._not_followed, 0
        if not (ended or tries or not_followed):
            return {}
        return {"ended": [list(one) for one in ended], "tries": tries, "not_followed": not_followed}

    def _follow(self, request: Request, sent_us: int, refused_us: int, refused_by: str, judge: Judge) -> None:
        transport = self._transport()
        tries, accepted_by, visible_after_us, result = 0, "", None, "cut_off"
        try:
            for delay_ms in self._schedule_ms:
                if self._is_closing.wait(max(refused_us + delay_ms * 1000 - now_us(), 0) / 1e6):
                    return
                tries += 1
                self._tries[request.step] += 1
                again_us = now_us()
                response = transport.send(request if request.renew is None else request.renew())
                outcome = judge(request, response, (now_us() - again_us) / 1e6).outcome
                if outcome is Outcome.OK:
                    accepted_by, visible_after_us, result = response.backend, again_us - refused_us, "accepted"
                    return
                if outcome is not Outcome.STALE_READ:
                    result = outcome.value
                    return
            result = "still_refused"
        finally:
            transport.close()
            started_us = self._elapsed_us(sent_us)
            row = StaleRead(started_us, request.step, refused_by, accepted_by, visible_after_us, tries, result)
            self._ended.append(row)
