"""The controller of a trial: takes the master through ramp, warm-up, window and cool-down, and writes its result."""

from __future__ import annotations

import logging
import os
import signal
from dataclasses import replace
from typing import Any, NoReturn

import gevent
from gevent.event import Event

from iam_loadtest.errors import UserError
from iam_loadtest.load.admission import Admission
from iam_loadtest.load.collector import FIRST_CHAINS, prepare_to_write
from iam_loadtest.load.gathering import Gathering
from iam_loadtest.load.master import FINISH_PATIENCE_S, Master
from iam_loadtest.load.message import Arrive
from iam_loadtest.load.probe_user import audit_time_s, choose_users
from iam_loadtest.load.setup import LoadSetup
from iam_loadtest.load.verdict import (
    commonest_failure,
    first_chains_refused,
    load_result,
    lost_workers,
    progress,
    with_arrivals,
)
from iam_loadtest.oidc.redact import redact
from iam_loadtest.results.load_result import LoadResult, Progress, write_load_result, write_progress
from iam_loadtest.results.trial import GeneratorHealth, TrialCounts, TrialStatus, WindowMarks
from iam_loadtest.results.trial_clock import TrialClock, write_trial_clock

_LOG = logging.getLogger(__name__)
RAMP_MARGIN_S = 30.0
EARLY_GRACE_S = 5.0
"""What requests in flight are given where a trial ends early; what has no answer then counts as a timeout."""
ARRIVALS_LEAD_US = 200_000
"""In the open model the first chain starts this long after all users run, when every worker has been told."""
_LOOK_US = 200_000
_PROGRESS_US = 1_000_000


class EndTrialError(Exception):
    """The trial ends here, before its time."""

    def __init__(self, status: TrialStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Controller:
    """One trial. The window's marks are planned instants of the master's clock, so it is exactly as long as asked."""

    def __init__(self, environment: Any, setup: LoadSetup) -> None:
        if setup.samples is None:
            raise UserError("a trial keeps its samples; its spec must name a directory.")
        choose_users(environment, setup)
        self._environment = environment
        self._runner = environment.runner
        self._setup = setup
        self._load = setup.scenario.load
        self._directory = setup.samples
        self._master = Master(environment, lambda text: _LOG.error("A worker cannot start: %s", text))
        self._admission = Admission(environment.runner, self._load.workers)
        self._begun = Event()
        self._all_spawned = Event()
        self._done = Event()
        self._interrupted: str | None = None
        self._refused: str | None = None
        self._next_progress_us = 0
        prepare_to_write()
        environment.stop_timeout = setup.target.timeout_s + 2
        environment.events.test_start.add_listener(self._on_test_start)
        environment.events.spawning_complete.add_listener(self._on_spawning_complete)
        environment.events.test_stopping.add_listener(self._on_end_from_outside)
        environment.events.quitting.add_listener(self._on_end_from_outside)

    def run(self) -> None:
        """The whole trial, however it ends; Locust's master then quits with exit code 0."""
        try:
            self._leave_result(self._early_end())
        except (UserError, OSError) as error:
            self._tell_last(f"The end of the trial cannot be written: {error}")
        finally:
            self._environment.process_exit_code = 0
            self._done.set()
            if self._interrupted is None:
                self._quit(self._begun.is_set())

    def _tell_last(self, text: str) -> None:
        """Log a line after Locust's tables, where the runner looks for it; a trial that never began has no tables."""
        if self._begun.is_set():
            self._environment.events.quit.add_listener(lambda **_: _LOG.error("%s", text))
        else:
            _LOG.error("%s", text)

    def interrupt(self, reason: str) -> None:
        """End the trial soon and mark it interrupted."""
        self._interrupted = self._interrupted or reason

    def _early_end(self) -> tuple[TrialStatus, str] | None:
        """Go through the phases; the status and reason of an end before time. A disk that refuses is such an end."""
        try:
            self._phases()
        except EndTrialError as end:
            early = (end.status, end.reason)
        except (UserError, OSError) as error:
            early = (TrialStatus.FAILED, str(error))
        else:
            return None
        _LOG.error("The trial ends early (%s): %s", *early)
        return early

    def _leave_result(self, early: tuple[TrialStatus, str] | None) -> None:
        write_load_result(self._directory, self._finish(early) if self._begun.is_set() else _nothing(early))
        write_progress(self._directory, Progress("done", 0, 0))

    def _phases(self) -> None:
        self._await_start()
        self._tell_clock(WindowMarks())
        load = self._load
        ramp_end_us = self._ramp()
        first_us = ramp_end_us + (ARRIVALS_LEAD_US if load.is_open else 0)
        start_us = first_us + int(load.warm_up_s * 1e6)
        end_us = start_us + int(load.duration_s * 1e6)
        marks = WindowMarks(ramp_end_us, start_us, end_us)
        self._gathering.set_window(marks)
        self._tell_clock(marks)
        if load.is_open:
            self._master.begin_arrivals(Arrive(first_us, start_us, end_us, self._setup.seed))
        self._pass_until("warm-up", start_us)
        self._pass_until("window", end_us)
        self._pass_until("cool-down", end_us + int(load.cool_down_s * 1e6))

    def _tell_clock(self, marks: WindowMarks) -> None:
        """For whoever acts or writes beside the load by its time."""
        write_trial_clock(self._directory, TrialClock(self._gathering.origin_us, marks))

    def _await_start(self) -> None:
        write_progress(self._directory, Progress("starting", 0, 0))
        with gevent.Timeout(self._setup.workers_wait_s, False):
            while not self._begun.is_set():
                self._look()
                gevent.sleep(_LOOK_US / 1e6)
            return
        there, asked = self._runner.worker_count, self._load.workers
        reason = f"{there} of {asked} workers connected in {self._setup.workers_wait_s:.0f} s"
        command = self._setup.worker_command
        raise EndTrialError(TrialStatus.INVALID, f"{reason}; start the others with: {command}" if command else reason)

    def _ramp(self) -> int:
        """Wait until all users run; when that was."""
        users = self._load.users + self._setup.probe_users
        self._gathering.users_planned = users
        deadline_us = int((self._load.ramp_s + RAMP_MARGIN_S) * 1e6)
        while not (self._all_spawned.is_set() and self._runner.user_count == users):
            if self._gathering.elapsed_us >= deadline_us:
                reason = f"{self._runner.user_count} of {users} users ran {RAMP_MARGIN_S:.0f} s after the ramp"
                raise EndTrialError(TrialStatus.INVALID, reason)
            self._turn("ramp", int(self._load.ramp_s * 1e6))
        return self._gathering.elapsed_us

    def _pass_until(self, phase: str, end_us: int) -> None:
        while self._gathering.elapsed_us < end_us:
            self._turn(phase, end_us)

    def _turn(self, phase: str, end_us: int) -> None:
        """Look whether all is well, show progress each second, and let a moment pass, not beyond ``end_us``."""
        self._look()
        now_us = self._gathering.elapsed_us
        if now_us >= self._next_progress_us:
            self._next_progress_us = now_us + _PROGRESS_US
            left_s = round(max(end_us - now_us, 0) / 1e6, 1)
            collector = self._gathering.collector
            shown = progress(phase, left_s, self._runner.user_count, collector.recent(now_us), now_us)
            write_progress(self._directory, with_arrivals(shown, collector.arrivals.values()))
        left_us = end_us - now_us
        gevent.sleep((min(_LOOK_US, left_us) if left_us > 0 else _LOOK_US) / 1e6)

    def _look(self) -> None:
        """Raise EndTrialError where going on is of no use."""
        if self._interrupted:
            raise EndTrialError(TrialStatus.INTERRUPTED, self._interrupted)
        if self._refused or self._master.trouble:
            raise EndTrialError(TrialStatus.FAILED, self._refused or str(self._master.trouble))
        lost = self._master.lost()
        if lost:
            raise EndTrialError(TrialStatus.INVALID, lost_workers(lost, len(lost) + self._runner.worker_count))
        if self._runner.exceptions:
            raise EndTrialError(TrialStatus.FAILED, self._defect())
        if self._master.gathering is not None and self._gathering.collector.problem:
            raise EndTrialError(TrialStatus.FAILED, self._gathering.collector.problem)
        if self._master.gathering is not None and first_chains_refused(self._gathering.collector.first_chains):
            why = commonest_failure(self._gathering.collector.failures)
            raise EndTrialError(
                TrialStatus.FAILED, f"the first {FIRST_CHAINS} chains were all refused; most often: {why}"
            )

    def _defect(self) -> str:
        first = next(iter(self._runner.exceptions.values()))
        where = first["traceback"].strip().splitlines()
        place = where[-2].strip().rpartition("/")[2].replace('"', "") if len(where) > 1 else "no traceback"
        return f"a user raised an exception, which is a defect: {redact(first['msg'])} ({place})"

    def _finish(self, early: tuple[TrialStatus, str] | None) -> LoadResult:
        gathering = self._gathering
        if early:
            self._master.finish(EARLY_GRACE_S)
        else:
            self._master.finish(self._environment.stop_timeout, audit_time_s(self._setup))
        if self._runner.exceptions and early is None:
            gathering.defect = self._defect()
        elif gathering.collector.problem and early is None:
            early = (TrialStatus.FAILED, gathering.collector.problem)
        marks = gathering.collector.window
        gathering.set_window(replace(marks, ended_us=gathering.elapsed_us))
        return load_result(gathering.gathered(), early)

    def _quit(self, has_begun: bool) -> None:
        """Let the workers go. Where the trial never began Locust still waits for them; only a signal ends that."""
        self._runner.quit()
        if not has_begun:
            os.kill(os.getpid(), signal.SIGTERM)

    @property
    def _gathering(self) -> Gathering:
        if self._master.gathering is None:  # pragma: no cover  set in _on_test_start
            _not_begun()
        return self._master.gathering

    def _on_test_start(self, **_: Any) -> None:
        self._admission.close()
        try:
            self._master.begin(self._setup)
        except UserError as error:
            self._refused = str(error)
        else:
            self._begun.set()

    def _on_spawning_complete(self, **_: Any) -> None:
        self._all_spawned.set()

    def _on_end_from_outside(self, **_: Any) -> None:
        """A signal, or Locust stopping since its last worker left: save what there is before it lets workers go."""
        if not self._done.is_set():
            if not self._master.lost():
                self.interrupt("stopped by a signal before its end")
            self._done.wait(EARLY_GRACE_S + FINISH_PATIENCE_S + 5)


def _not_begun() -> NoReturn:
    raise RuntimeError("the trial has not begun")


def _nothing(early: tuple[TrialStatus, str] | None) -> LoadResult:
    """The result of a trial that never began."""
    status, reason = early or (TrialStatus.FAILED, "the trial did not begin")
    return LoadResult(status, reason, WindowMarks(), GeneratorHealth(), TrialCounts())
