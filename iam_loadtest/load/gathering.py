"""The side that gathers: begins a test, takes what workers report, and ends it when everything has arrived."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import gevent
from gevent import GreenletExit

from iam_loadtest.errors import UserError
from iam_loadtest.load.clock import now_us
from iam_loadtest.load.collector import Collector, refuse_to_overwrite
from iam_loadtest.load.setup import LoadSetup
from iam_loadtest.load.verdict import Gathered
from iam_loadtest.results.trial import WindowMarks

_LOG = logging.getLogger(__name__)


class Gathering:
    """One test as the master, or a run of a single process, gathers it."""

    def __init__(self, setup: LoadSetup) -> None:
        if setup.samples is not None:
            refuse_to_overwrite(setup.samples)
        self.setup = setup
        self.collector = Collector(setup.samples)
        self.origin_us = now_us()
        self.users_planned: int | None = None
        self.defect: str | None = None
        self.lost: list[int] = []
        self.workers = 1

    @property
    def elapsed_us(self) -> int:
        """Time since the test's origin."""
        return now_us() - self.origin_us

    def set_window(self, marks: WindowMarks) -> None:
        """Say which time is measured, as soon as it is known."""
        self.collector.window = marks

    def gathered(self) -> Gathered:
        """Everything that is known now."""
        collector = self.collector
        return Gathered(
            marks=collector.window,
            workers=self.workers,
            lost=tuple(self.lost),
            sent=dict(collector.sent),
            rows_by_step=dict(collector.rows_by_step),
            failures=dict(collector.failures),
            has_success_in_window=collector.has_success_in_window,
            health=tuple(collector.health),
            users_planned=self.users_planned,
            defect=self.defect,
            problem=collector.problem,
            limits=self.setup.scenario.load.limits if self.setup.choices is None else None,
            arrivals=tuple(collector.arrivals.values()),
            max_late_share=self._max_late_share(),
            findings=collector.findings,
        )

    def _max_late_share(self) -> float:
        """No limit where faults are asked for: arrivals that find no free user are what these do."""
        scenario = self.setup.scenario
        return 1.0 if scenario.faults_of(self.setup.topology) else scenario.validity.late_arrivals_share


def refuse(environment: Any, error: UserError) -> None:
    """Log why a test cannot start, and keep Locust from starting it; a run without web UI ends with exit code 1.

    Called in a listener of test_start, whose greenlet then starts no users: GreenletExit ends it without a traceback.
    """
    report_trouble(environment, str(error))
    raise GreenletExit


def report_trouble(environment: Any, text: str) -> None:
    """Log one line per problem and end a headless run; the web UI shows the text under Exceptions."""
    for line in text.splitlines():
        _LOG.error(line)
    if environment.web_ui is None:
        environment.process_exit_code = 1
        gevent.spawn(environment.runner.quit)
    else:
        environment.runner.log_exception("test", text, "")
        gevent.spawn(environment.runner.stop)


def poll(is_done: Callable[[], bool], limit_s: float, period_s: float = 0.05) -> bool:
    """Wait until something is so; False where it was not within the limit."""
    deadline_us = now_us() + int(limit_s * 1e6)
    while not is_done():
        if now_us() >= deadline_us:
            return False
        gevent.sleep(period_s)
    return True
