"""A Locust worker: relates its clock to the master's, ships rows with Locust's reports, and finishes on request."""

from __future__ import annotations

import logging
from typing import Any

import gevent

from iam_loadtest.errors import UserError
from iam_loadtest.load import message
from iam_loadtest.load.clock_sync import ClockSync
from iam_loadtest.load.generating import Generating
from iam_loadtest.load.message import Arrive, Begin
from iam_loadtest.load.order import OrderReader
from iam_loadtest.load.session import Place, holder_of

_LOG = logging.getLogger(__name__)


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
        self._keeping: gevent.Greenlet | None = None
        self._runner.register_message(message.BEGIN, self._on_begin)
        self._runner.register_message(message.ARRIVE, self._on_arrive, concurrent=True)
        self._runner.register_message(message.FINISH, self._on_finish, concurrent=True)
        holder_of(environment).on_trouble = self._tell
        environment.events.test_start.add_listener(self._on_test_start)
        environment.events.report_to_master.add_listener(self._on_report)

    def _on_begin(self, msg: Any, **_: Any) -> None:
        self._begin = Begin(**msg.data)

    def _on_test_start(self, **_: Any) -> None:
        """Open the session here, before Locust starts the first user; the handshake needs the message loop."""
        begin, self._begin = self._begin, None
        try:
            if begin is None:
                raise UserError("the master did not say when the test began; start it with the same locustfile.")
            self._generating.open(self._setup_of(begin.order), Place(begin.slot, begin.slots))
        except UserError as error:
            self._give_up(error)
        else:
            gevent.spawn(self._release, begin)

    def _release(self, begin: Begin) -> None:
        try:
            relation = self._clock.handshake()
        except UserError as error:
            self._give_up(error)
        else:
            self._generating.release(begin.slot, relation.offset_us - begin.origin_us)
            self._stop_keeping()
            correct = self._generating.correct
            self._keeping = gevent.spawn(self._clock.keep, relation, lambda offset: correct(offset - begin.origin_us))

    def _stop_keeping(self) -> None:
        if self._keeping is not None:
            self._keeping.kill()
            self._keeping = None

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

        Locust's own report, which carries ours, comes before the total.
        """
        self._environment.stop_timeout = msg.data["grace_s"]
        self._generating.end_arrivals()
        self._generating.end_probes()
        self._runner.stop()
        self._stop_keeping()
        if msg.data["audits"]:
            self._generating.audit()
        self._generating.close()
        self._runner._send_stats()
        self._runner.send_message(message.FINISHED, {"rows": self._generating.rows})
