"""A Locust master: begins tests, gathers what workers send, and finishes a test before its workers leave."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import gevent
from locust.runners import STATE_MISSING

from iam_loadtest.load import message
from iam_loadtest.load.clock import now_us
from iam_loadtest.load.gathering import Gathering, poll
from iam_loadtest.load.health import MASTER, HealthProbe
from iam_loadtest.load.order import order_of
from iam_loadtest.load.setup import LoadSetup
from iam_loadtest.oidc.redact import one_line

_LOG = logging.getLogger(__name__)
FINISH_PATIENCE_S = 15.0
"""On top of the grace that requests in flight are given."""


class Master:
    """The master's side of the protocol in :mod:`iam_loadtest.load.message`."""

    def __init__(self, environment: Any, on_trouble: Callable[[str], None]) -> None:
        self._on_trouble_text = on_trouble
        self._runner = environment.runner
        self._slots: dict[str, int] = {}
        self._finished: set[str] = set()
        self._probe: HealthProbe | None = None
        self._probing: gevent.Greenlet | None = None
        self.gathering: Gathering | None = None
        self.trouble: str | None = None
        self.is_finishing = False
        """Whether the test is being ended: nobody joins it any more."""
        self._runner.register_message(message.PING, self._on_ping)
        self._runner.register_message(message.JOIN, self._on_join)
        self._runner.register_message(message.TROUBLE, self._on_trouble)
        self._runner.register_message(message.FINISHED, self._on_finished)
        environment.events.worker_report.add_listener(self._on_report)

    def begin(self, setup: LoadSetup) -> Gathering:
        """Start gathering a test and tell every worker; raises UserError where the files cannot be written."""
        gathering = Gathering(setup)
        workers = [id_ for id_, node in self._runner.clients.items() if node.state != STATE_MISSING]
        self._slots = {id_: slot for slot, id_ in enumerate(sorted(workers, key=self._runner.get_worker_index))}
        self._finished.clear()
        self.trouble = None
        self.is_finishing = False
        self.gathering = gathering
        gathering.workers = len(self._slots)
        for client_id in self._slots:
            self._send_begin(client_id, gathering)
        self._probe = HealthProbe(MASTER, lambda _: gathering.elapsed_us, lambda: 0)
        self._probing = gevent.spawn(self._probe.run)
        return gathering

    def begin_arrivals(self, arrive: message.Arrive) -> None:
        """Tell every worker of the test when chains begin to start, in the open model."""
        for client_id in self._slots:
            self._runner.send_message(message.ARRIVE, asdict(arrive), client_id=client_id)

    def lost(self) -> list[int]:
        """Workers of the test that are gone before they finished."""
        clients = self._runner.clients
        return [
            slot
            for client_id, slot in self._slots.items()
            if client_id not in self._finished
            and (client_id not in clients or clients[client_id].state == STATE_MISSING)
        ]

    def finish(self, grace_s: float, audit_s: float = 0.0) -> None:
        """Have every worker stop its users and send the rest; return when all have, or are lost, or take too long.

        Where there are ``audit_s`` seconds for it they also audit what their probes wrote.

        Must not run in the greenlet that receives messages while a worker of the test is alive.
        """
        gathering = self.gathering
        if gathering is None:
            return
        self.is_finishing = True
        lost = self.lost()
        for client_id, slot in self._slots.items():
            if slot not in lost:
                finish = {"grace_s": grace_s, "audits": audit_s > 0}
                self._runner.send_message(message.FINISH, finish, client_id=client_id)
        limit_s = grace_s + audit_s + FINISH_PATIENCE_S
        if not poll(self._is_finished, limit_s):
            _LOG.error("Not every worker finished within %.0f s.", limit_s)
        gathering.lost = self.lost()
        self._add_own_health(gathering)
        gathering.collector.close()

    def forget(self) -> None:
        """The test is over; what still arrives belongs to no test."""
        self.gathering = None
        self._slots = {}

    def _send_begin(self, client_id: str, gathering: Gathering) -> None:
        slot, slots = self._slots[client_id], len(self._slots)
        begin = message.Begin(gathering.origin_us, slot, slots, order_of(gathering.setup))
        self._runner.send_message(message.BEGIN, asdict(begin), client_id=client_id)

    def _add_own_health(self, gathering: Gathering) -> None:
        if self._probe is not None and self._probing is not None:
            self._probing.kill()
            gathering.collector.health += self._probe.take()

    def _is_finished(self) -> bool:
        return len(self._finished) + len(self.lost()) >= len(self._slots)

    def _on_ping(self, msg: Any, **_: Any) -> None:
        answer = {"sent_us": msg.data["sent_us"], "master_us": now_us()}
        self._runner.send_message(message.PONG, answer, client_id=msg.node_id)

    def _on_join(self, msg: Any, **_: Any) -> None:
        """Take a worker in that came while a test runs: Locust has moved users to it. In a trial none can come."""
        gathering, client_id = self.gathering, msg.node_id
        if gathering is None or self.is_finishing or client_id not in self._runner.clients:
            return
        if client_id not in self._slots:
            self._slots[client_id] = len(self._slots)
            gathering.workers = len(self._slots)
            _LOG.warning("A worker came while the test runs, which moves users: figures before and after may differ.")
        self._send_begin(client_id, gathering)

    def _on_trouble(self, msg: Any, **_: Any) -> None:
        """Take the first word of a worker that Locust gives users to; the port is open to anyone who reaches it."""
        if self.trouble is None and msg.node_id in self._runner.clients:
            self.trouble = said_elsewhere(msg.data)
            self._on_trouble_text(self.trouble)

    def _on_report(self, client_id: str, data: dict[str, Any], **_: Any) -> None:
        report = data.pop(message.REPORT_KEY, None)
        if report is not None and self.gathering is not None and client_id in self._slots:
            self.gathering.collector.add(self._slots[client_id], report, self.gathering.elapsed_us)

    def _on_finished(self, msg: Any, **_: Any) -> None:
        if self.gathering is not None and msg.node_id in self._slots:
            self.gathering.collector.add_total(self._slots[msg.node_id], int(msg.data["rows"]))
            self._finished.add(msg.node_id)


def said_elsewhere(data: object) -> str:
    """The text of a worker's trouble, as it may be logged and kept: what another host sends can be anything."""
    text = data.get("text") if isinstance(data, dict) else None
    return one_line(text) if isinstance(text, str) and text.strip() else "a worker did not say what its trouble is"
