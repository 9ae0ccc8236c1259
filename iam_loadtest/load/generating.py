"""The side that generates load: opens the session of a test, probes its own health, reports what its users did."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import gevent

from iam_loadtest.load.aside import Aside
from iam_loadtest.load.health import HealthProbe
from iam_loadtest.load.message import Arrive
from iam_loadtest.load.recorder import Recorder
from iam_loadtest.load.session import Place, holder_of, open_session
from iam_loadtest.load.setup import LoadSetup
from iam_loadtest.load.statistics import batch_statistics

SetupSource = Callable[[Any], LoadSetup]
"""Makes the setup of a test from a Locust environment; raises UserError."""


class Generating:
    """The tests of one generating process, one after the other."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        batch_statistics(environment)
        self._recorder = Recorder(keeps_rows=False)
        self._probe: HealthProbe | None = None
        self._probing: gevent.Greenlet | None = None
        self._aside: Aside | None = None

    def await_open(self) -> None:
        """A test begins: users that start wait for :meth:`open` and :meth:`release`."""
        holder_of(self._environment).clear()

    def open(self, setup: LoadSetup, place: Place) -> None:
        """Read and ask for all that the users need; they wait until :meth:`release`. Raises UserError."""
        self.await_open()
        holder = holder_of(self._environment)
        self._recorder = Recorder(keeps_rows=setup.samples is not None)
        classes = self._environment.user_classes
        own_workloads = [user_class.workload for user_class in classes if hasattr(user_class, "workload")]
        holder.session = open_session(setup, own_workloads, place, self._recorder)
        self._aside = holder.session.aside

    def release(self, worker: int, shift_us: int) -> None:
        """Let the users run, now that this process's clock is known."""
        self._recorder.synchronise(shift_us)
        users = lambda: self._environment.runner.user_count  # noqa: E731  asked each second
        self._probe = HealthProbe(worker, self._recorder.elapsed_us, users, self._recorder.signing)
        self._probing = gevent.spawn(self._probe.run)
        spare_the_collector()
        holder_of(self._environment).is_ready.set()

    def correct(self, shift_us: int) -> None:
        """This process's clock is better known now, or has drifted."""
        self._recorder.correct(shift_us)

    def begin_arrivals(self, arrive: Arrive) -> None:
        """Open model: start chains by the clock, once this process's is known; nothing in the closed model."""
        session = holder_of(self._environment).admit()
        if session is not None:
            session.begin_arrivals(arrive)

    def end_users(self) -> None:
        """Let no user begin any more; those that run go on."""
        holder_of(self._environment).end()

    def end_arrivals(self) -> None:
        """Start no more chains by the clock; those that run go on."""
        session = holder_of(self._environment).session
        if session is not None and session.dispatcher is not None:
            session.dispatcher.close()

    def end_probes(self) -> None:
        """Begin no more probes, and have none wait for a later read."""
        session = holder_of(self._environment).session
        if session is not None and session.probing is not None:
            session.probing.close()

    def audit(self) -> None:
        """After the load: read every credential of the probes again."""
        session = holder_of(self._environment).session
        if session is not None and session.probing is not None:
            session.probing.audit()

    def give_up(self) -> None:
        """There will be no test: users that wait for one end."""
        holder = holder_of(self._environment)
        holder.clear()
        holder.is_ready.set()

    def close(self) -> None:
        """The test is over: stop probing, and what is looked at aside. A next test need not keep what this one had."""
        gc.unfreeze()
        if self._aside is not None:
            self._aside.close()
        if self._probing is not None:
            self._probing.kill()
            self._probing = None

    @property
    def rows(self) -> int:
        """Rows of the test so far."""
        return self._recorder.rows

    def report(self) -> dict[str, Any]:
        """What happened since the last call, as plain data; empty parts are left out."""
        health = [row.to_message() for row in self._probe.take()] if self._probe else []
        parts = {
            "samples": self._recorder.take(),
            "failures": self._recorder.failures.take(),
            "health": health,
            **(self._aside.take() if self._aside else {}),
        }
        session = holder_of(self._environment).session
        if session is not None and session.dispatcher is not None:
            parts["arrivals"] = session.dispatcher.counts()
        if session is not None and session.probing is not None:
            parts["probes"] = session.probing.take()
        return {name: part for name, part in parts.items() if part}


def spare_the_collector() -> None:
    """Have the garbage collector leave alone what is there now: to look at all of it stops every user for 50 ms."""
    gc.collect()
    gc.freeze()
