"""A worker keeps its clock related to the master's: a handshake before the first row, and others while it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
from gevent.queue import Queue

from iam_loadtest.errors import UserError
from iam_loadtest.load import message
from iam_loadtest.load.clock import PINGS, RESYNC_S, Ping, Relation, now_us, relation_of

_PONG_PATIENCE_S = 5.0


class ClockSync:
    """Asks the master for its clock over the runner's messages; the master answers in its message loop."""

    def __init__(self, runner: Any, period_s: float = RESYNC_S) -> None:
        self._runner = runner
        self._period_s = period_s
        self._pongs: Queue[Ping] = Queue()
        runner.register_message(message.PONG, self._on_pong)

    def handshake(self) -> Relation:
        """The relation of both clocks now; raises UserError where the master does not answer."""
        while not self._pongs.empty():
            self._pongs.get()
        return relation_of([self._ping() for _ in range(PINGS)])

    def keep(self, relation: Relation, correct: Callable[[int], None]) -> None:
        """A greenlet's body: tell ``correct`` the offset anew, again and again, until killed.

        A master that does not answer in time is asked again later: whether it is lost is not decided here.
        """
        while True:
            gevent.sleep(self._period_s)
            try:
                relation = relation.refined(self.handshake())
            except UserError:
                continue
            correct(relation.offset_us)

    def _on_pong(self, msg: Any, **_: Any) -> None:
        self._pongs.put(Ping(msg.data["sent_us"], msg.data["master_us"], now_us()))

    def _ping(self) -> Ping:
        self._runner.send_message(message.PING, {"sent_us": now_us()})
        with gevent.Timeout(_PONG_PATIENCE_S, UserError("the master does not answer the handshake of clocks.")):
            pong: Ping = self._pongs.get()
            return pong
