"""A plain ``locust -f``: one process or a master with workers. The window runs from all users to the stop."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import gevent

from iam_loadtest.errors import UserError
from iam_loadtest.load.collector import prepare_to_write
from iam_loadtest.load.gathering import Gathering, poll, refuse, report_trouble
from iam_loadtest.load.generating import Generating, SetupSource
from iam_loadtest.load.master import FINISH_PATIENCE_S, Master
from iam_loadtest.load.message import Arrive
from iam_loadtest.load.session import Place, holder_of
from iam_loadtest.load.setup import LoadSetup
from iam_loadtest.load.verdict import load_result
from iam_loadtest.results.load_result import write_load_result
from iam_loadtest.results.trial import SAMPLES_FILE, TrialStatus, WindowMarks

_LOG = logging.getLogger(__name__)
GRACE_S = 10.0
"""What requests in flight are given at the end where ``--stop-timeout`` says nothing; Locust would cut them off."""
PUMP_S = 1.0


class PlainMaster:
    """The master of a plain distributed run."""

    def __init__(self, environment: Any, setup_of: SetupSource) -> None:
        self._environment = environment
        self._setup_of = setup_of
        self._master = Master(environment, self._on_trouble)
        self._directories = SampleDirectories()
        get_ready(environment)
        environment.events.test_start.add_listener(self._on_test_start)
        environment.events.spawning_complete.add_listener(self._on_spawning_complete)
        environment.events.test_stopping.add_listener(self._on_test_stopping)

    def _on_test_start(self, **_: Any) -> None:
        try:
            self._master.begin(self._directories.of(self._setup_of(self._environment)))
        except UserError as error:
            refuse(self._environment, error)
        else:
            self._directories.take()

    def _on_trouble(self, text: str) -> None:
        """A test that ends anyway is let go on with that."""
        if self._master.gathering is not None and not self._master.is_finishing:
            report_trouble(self._environment, text)

    def _on_spawning_complete(self, **_: Any) -> None:
        """Locust says so even where it was told to stop during the ramp."""
        gathering = self._master.gathering
        if gathering is not None and not self._master.is_finishing and open_window(gathering):
            self._master.begin_arrivals(arrivals_from_now(gathering))

    def _on_test_stopping(self, **_: Any) -> None:
        """Locust goes on to stop the workers only after this: everything arrives before they leave.

        Who stops a test a second time waits for the first one to end it.
        """
        gathering = self._master.gathering
        if gathering is None:
            return
        if self._master.is_finishing:
            poll(lambda: self._master.gathering is not gathering, self._environment.stop_timeout + FINISH_PATIENCE_S)
            return
        close_window(gathering)
        self._master.finish(self._environment.stop_timeout)
        save(self._environment, gathering)
        self._master.forget()


class PlainLocal:
    """A plain run in one process, which generates and gathers."""

    def __init__(self, environment: Any, setup_of: SetupSource) -> None:
        self._environment = environment
        self._setup_of = setup_of
        self._generating = Generating(environment)
        self._directories = SampleDirectories()
        self._gathering: Gathering | None = None
        self._pump: gevent.Greenlet | None = None
        get_ready(environment)
        holder_of(environment).on_trouble = lambda error: report_trouble(environment, str(error))
        environment.events.test_start.add_listener(self._on_test_start)
        environment.events.spawning_complete.add_listener(self._on_spawning_complete)
        environment.events.test_stopping.add_listener(self._on_test_stopping)
        environment.events.test_stop.add_listener(self._on_test_stop)

    def _on_test_start(self, **_: Any) -> None:
        try:
            setup = self._directories.of(self._setup_of(self._environment))
            self._generating.open(setup, Place())
            self._gathering = Gathering(setup)
        except UserError as error:
            self._generating.give_up()
            refuse(self._environment, error)
        else:
            self._directories.take()
            self._generating.release(0, -self._gathering.origin_us)
            self._pump = gevent.spawn(self._pump_rows)

    def _pump_rows(self) -> None:
        while True:
            gevent.sleep(PUMP_S)
            self._gather()

    def _gather(self) -> None:
        if self._gathering is not None:
            self._gathering.collector.add(0, self._generating.report(), self._gathering.elapsed_us)

    def _on_spawning_complete(self, **_: Any) -> None:
        if self._gathering is not None and open_window(self._gathering):
            self._generating.begin_arrivals(arrivals_from_now(self._gathering))

    def _on_test_stopping(self, **_: Any) -> None:
        if self._gathering is not None:
            close_window(self._gathering)
            self._generating.end_arrivals()

    def _on_test_stop(self, **_: Any) -> None:
        """The users have stopped: take the last rows and write the result."""
        if self._gathering is None:
            return
        if self._pump is not None:
            self._pump.kill()
        self._generating.close()
        self._gather()
        self._gathering.collector.add_total(0, self._generating.rows)
        self._gathering.collector.close()
        save(self._environment, self._gathering)
        self._gathering = None


class SampleDirectories:
    """Where the tests of a process keep their samples: ``--samples DIR``, then DIR-2, DIR-3 and so on."""

    def __init__(self) -> None:
        self._taken = 0

    def of(self, setup: LoadSetup) -> LoadSetup:
        """The setup with the directory of the next test."""
        if setup.samples is None or not self._taken:
            return setup
        first = setup.samples.absolute()
        return replace(setup, samples=first.with_name(f"{first.name}-{self._taken + 1}"))

    def take(self) -> None:
        """A test has begun to write there."""
        self._taken += 1


def get_ready(environment: Any) -> None:
    """Give requests in flight time to end, unless ``--stop-timeout`` says how long; read in what is slow."""
    environment.stop_timeout = environment.stop_timeout or GRACE_S
    if environment.parsed_options.samples:
        prepare_to_write()
    gevent.get_hub().loop.update_now()  # else Locust's --run-time counts from before all that was read in


def open_window(gathering: Gathering) -> bool:
    """The ramp is over; False where it was before. Further changes of the number of users do not move the window."""
    if gathering.collector.window.ramp_end_us is not None:
        return False
    now_us = gathering.elapsed_us
    gathering.set_window(WindowMarks(ramp_end_us=now_us, window_start_us=now_us))
    return True


def arrivals_from_now(gathering: Gathering) -> Arrive:
    """Open model: chains start with the window, which ends with the test."""
    start_us = gathering.collector.window.window_start_us or 0
    return Arrive(start_us, start_us, None, gathering.setup.seed)


def close_window(gathering: Gathering) -> None:
    """The test is being stopped, perhaps not for the first time."""
    marks = gathering.collector.window
    if marks.window_start_us is not None and marks.window_end_us is None:
        gathering.set_window(replace(marks, window_end_us=gathering.elapsed_us))


def save(environment: Any, gathering: Gathering) -> None:
    """Write load.json beside the samples and say so; a run stopped during its ramp is interrupted.

    Samples that are not whole, or cannot be written, make Locust's exit code 1: a pipeline must not pass on them.
    """
    directory = gathering.setup.samples
    if directory is None:
        return
    gathering.set_window(replace(gathering.collector.window, ended_us=gathering.elapsed_us))
    is_early = gathering.collector.window.window_start_us is None
    early = (TrialStatus.INTERRUPTED, "stopped before all users ran") if is_early else None
    result = load_result(gathering.gathered(), early)
    is_whole = result.status is not TrialStatus.INVALID
    for caution in result.cautions:
        _LOG.warning("Caution: %s; %s.", caution.text, caution.remedy)
    verdict = str(result.status) if result.reason is None else f"{result.status}: {result.reason}"
    level = logging.INFO if is_whole else logging.ERROR
    _LOG.log(level, "%s holds %d rows (%s).", directory / SAMPLES_FILE, result.counts.received, verdict)
    try:
        write_load_result(directory, result)
    except UserError as error:
        _LOG.error("%s", error)
        is_whole = False
    if not is_whole:
        environment.process_exit_code = 1
