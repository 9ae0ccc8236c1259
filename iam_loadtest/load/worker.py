"""A Locust worker: relates its clock to the master's, ships rows with Locust's reports, and finishes on request."""

from __future__ import annotations

import logging
import time
from typing import Any

import gevent
from locust.runners import STATE_INIT

from iam_loadtest.errors import UserError
from iam_loadtest.load import message
from iam_loadtest.load.clock_sync import ClockSync
from iam_loadtest.load.gathering import poll
from iam_loadtest.load.generating import Generating
from iam_loadtest.load.message import Arrive, Begin
from iam_loadtest.load.order import OrderReader
from iam_loadtest.load.session import Place, holder_of

_LOG = logging.getLogger(__name__)
JOIN_PATIENCE_S = 10.0


class Worker:
    """The worker's side of the protocol in :mod:`iam_loadtest.load.message`; it reports trouble under its ``name``."""

    def __init__(self, environment: Any, setup_of: OrderReader, name: str = "") -> None:
        self._environment = environment
        self._runner = environment.runner
        self._setup_of = setup_of
        self._name = name
        self._generating = Generating(environment)
        self._begin: Begin | None = None
        self._clock = ClockSync(self._runner)
        self._relating: gevent.Greenlet | None = None
        self._runner.register_message(message.BEGIN, self._on_begin)
        self._runner.register_message(message.ARRIVE, self._on_arrive, concurrent=True)
        self._runner.register_message(message.FINISH, self._on_finish, concurrent=True)
        holder_of(environment).on_trouble = self._tell
        environment.events.test_start.add_listener(self._on_test_start)
        environment.events.test_stopping.add_listener(self._on_test_stopping)
        environment.events.report_to_master.add_listener(self._on_report)
        if self._runner.worker_state != STATE_INIT:  # Locust may give users to a worker before its init event
            self._on_test_start()

    def _on_begin(self, msg: Any, **_: Any) -> None:
        self._begin = Begin(**msg.data)

    def _on_test_start(self, **_: Any) -> None:
        """Open the session here, before Locust starts the first user; what needs the message loop comes after.

        That loop stands still meanwhile, so a heartbeat that is not heard does not mean that the master is gone.
        """
        self._stop_relating()
        begin, self._begin = self._begin, None
        if begin is None:
            self._generating.await_open()
            self._relating = gevent.spawn(self._join)
            return
        self._runner.last_heartbeat_timestamp = None
        is_open = self._open(begin)
        self._runner.last_heartbeat_timestamp = time.time()
        if is_open:
            self._relating = gevent.spawn(self._relate, begin)

    def _on_test_stopping(self, **_: Any) -> None:
        """What was said of this test is of no use to the next one."""
        self._stop_relating()
        self._begin = None

    def _join(self) -> None:
        """The test began before this worker came: ask what its users are to do."""
        self._runner.send_message(message.JOIN)
        if not poll(lambda: self._begin is not None, JOIN_PATIENCE_S):
            self._give_up(UserError("the master did not say when the test began; start it with the same locustfile."))
            return
        begin, self._begin = self._begin, None
        if begin is not None and self._open(begin):
            self._relate(begin)

    def _open(self, begin: Begin) -> bool:
        try:
            self._generating.open(self._setup_of(begin.order), Place(begin.slot, begin.slots))
        except UserError as error:
            self._give_up(error)
            return False
        return True

    def _relate(self, begin: Begin) -> None:
        """Let the users run once this process's clock is known, and keep it known until the test ends."""
        try:
            relation = self._clock.handshake()
        except UserError as error:
            self._give_up(error)
            return
        correct = self._generating.correct
        self._generating.release(begin.slot, relation.offset_us - begin.origin_us)
        self._clock.keep(relation, lambda offset_us: correct(offset_us - begin.origin_us))

    def _stop_relating(self) -> None:
        if self._relating is not None:
            self._relating.kill()
            self._relating = None

    def _give_up(self, error: UserError) -> None:
        self._generating.give_up()
        self._tell(error)

    def _tell(self, error: UserError) -> None:
        said = " ".join(str(error).splitlines())
        text = f"{self._name}: {said}" if self._name else said
        _LOG.error("%s", text)
        self._runner.send_message(message.TROUBLE, {"text": text})

    def _on_report(self, data: dict[str, Any], **_: Any) -> None:
        report = self._generating.report()
        if report:
            data[message.REPORT_KEY] = report

    def _on_arrive(self, msg: Any, **_: Any) -> None:
        self._generating.begin_arrivals(Arrive(**msg.data))

    def _on_finish(self, msg: Any, **_: Any) -> None:
        """Stop the users, audit what probes wrote, then send everything.

        Locust's own report, which carries ours, comes before the total. Its master may still be starting users, and
        has workers wait for the grace once more before they are ready for the next test: nobody runs any more then.
        """
        self._environment.stop_timeout = msg.data["grace_s"]
        self._generating.end_users()
        self._generating.end_arrivals()
        self._generating.end_probes()
        self._runner.stop()
        self._environment.stop_timeout = 0.0
        if msg.data["audits"]:
            self._generating.audit()
        self._generating.close()
        self._runner._send_stats()
        self._runner.send_message(message.FINISHED, {"rows": self._generating.rows})
