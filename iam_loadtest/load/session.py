"""What all users of one process share in one test: the workloads made ready, the recorder, the numbering of users."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from gevent.event import Event

from iam_loadtest.errors import UserError
from iam_loadtest.flow.chain import MakeFlow, UserLogin, chain
from iam_loadtest.flow.prepare import ReadyWorkload, prepare_workload
from iam_loadtest.flow.ready_probe import ReadyProbes, prepare_probes
from iam_loadtest.load.arrival import numbers_of, pace_of
from iam_loadtest.load.aside import Aside, open_aside
from iam_loadtest.load.discovery import find_endpoints
from iam_loadtest.load.dispatcher import ArrivalWindow, Dispatcher
from iam_loadtest.load.message import Arrive
from iam_loadtest.load.mix import Mix, mix_of
from iam_loadtest.load.probing import MAX_KEPT, ProbePlan, ProbeRunner, Probing
from iam_loadtest.load.recorder import Recorder
from iam_loadtest.load.setup import LoadSetup, with_first_client
from iam_loadtest.load.transport import Transport, settings_of
from iam_loadtest.load.transports import transports
from iam_loadtest.load.virtual_user import Report, VirtualUser
from iam_loadtest.scenario.probes import Probes

_LOG = logging.getLogger(__name__)
_ATTRIBUTE = "iam_loadtest_session"
MIN_PHASE_S = 1.0
"""Users that start together spread their first requests over this time, or over the think time where it is longer."""


@dataclass(frozen=True)
class Place:
    """Which share of the users a process runs: share number ``slot`` of ``slots``."""

    slot: int = 0
    slots: int = 1


class LoadSession:
    """One test in one generating process. ``is_ready`` is set once the process's clock is known."""

    def __init__(
        self,
        workloads: Mapping[str, ReadyWorkload],
        setup: LoadSetup,
        place: Place,
        transport: Callable[[int], Transport],
        recorder: Recorder,
        aside: Aside,
        probes: ReadyProbes | None = None,
    ) -> None:
        self._workloads = workloads
        self._setup = setup
        self._place = place
        self._transport = transport
        self._numbers = count()
        self._mixes: dict[str, Mix] = {}
        self.dispatcher = _dispatcher(setup)
        self.recorder = recorder
        self.aside = aside
        self.probing = None if probes is None else self._open_probing(probes)
        self.think_time_s = setup.scenario.load.think_time_s

    def start_user(
        self, own_workload: str | None, report: Report, is_stopping: Callable[[], bool], flow: MakeFlow = chain
    ) -> tuple[VirtualUser, float]:
        """A new user of this process, and the seconds it waits first, so that users are not in step.

        Of several workloads each process begins with another one: many processes may have few users each.
        """
        number = next(self._numbers)
        names = self._setup.workloads_for(own_workload)
        mix = self._mix(names[(self._place.slot + number) % len(names)])
        login = self._login(mix.kinds[0].workload.users, number)
        transport = self._transport(self._place.slot + number)
        user = VirtualUser(mix, login, transport, self.recorder, report, is_stopping, self.aside, flow)
        return user, self._phase_s(number)

    def start_probe_user(self, report: Report) -> tuple[ProbeRunner, float]:
        """A new user of this process that runs probes, and the seconds it waits first."""
        if self.probing is None:
            raise RuntimeError("a test without probes has no users that run them")
        return self.probing.open_user(report), self._phase_s(next(self._numbers))

    def begin_arrivals(self, arrive: Arrive) -> None:
        """Open model: start chains by the clock from now on; the process's clock must be known."""
        if self.dispatcher is None:
            return
        load, place, local_us = self._setup.scenario.load, self._place, self.recorder.local_us
        pace = pace_of(load, (arrive.window_start_us - arrive.start_us) / 1e6)
        numbers = numbers_of(load.arrivals, place.slot, place.slots, arrive.seed)
        start_us, end_us = local_us(arrive.start_us), arrive.window_end_us
        window = ArrivalWindow(local_us(arrive.window_start_us), None if end_us is None else local_us(end_us))
        self.dispatcher.start((start_us + int(time_s * 1e6) for time_s in pace.times_s(numbers)), window)

    def _mix(self, name: str) -> Mix:
        """One for all users of the process: weights are shares of the chains, whoever runs them."""
        if name not in self._mixes:
            start = self._chance("mix").random()
            self._mixes[name] = mix_of(self._workloads, self._setup.scenario.chains_of(name), start)
        return self._mixes[name]

    def _open_probing(self, ready: ReadyProbes) -> Probing:
        setup, place = self._setup, self._place
        probes = setup.scenario.probes or Probes()
        share = None if setup.is_of_probes else probes.share
        kept = MAX_KEPT // place.slots
        plan = ProbePlan(ready, setup.nodes, share, probes.settle_s, kept, lambda n: self._login(ready.users, n))
        return Probing(plan, lambda n: self._transport(place.slot + n), self.recorder, self._chance("probes"))

    def _login(self, users: Sequence[UserLogin], number: int) -> UserLogin:
        """Processes share no login where there is one for each of them; users of one where its share suffices."""
        share = users[self._place.slot % len(users) :: self._place.slots]
        return share[number % len(share)]

    def _phase_s(self, number: int) -> float:
        return self._chance(number).uniform(0, max(MIN_PHASE_S, self.think_time_s))

    def _chance(self, purpose: int | str) -> random.Random:
        """Chance that is the same in each run of a scenario, and another for each process and purpose."""
        return random.Random(f"{self._setup.scenario.seed}-{self._place.slot}-{purpose}")  # noqa: S311  no secret


def _dispatcher(setup: LoadSetup) -> Dispatcher | None:
    """None in the closed model."""
    load = setup.scenario.load
    limit_s = setup.target.timeout_s if load.late_limit_s is None else load.late_limit_s
    return Dispatcher(int(limit_s * 1e6)) if load.is_open else None


class SessionHolder:
    """The session of this process, if a test could be started; users wait for it to be ready.

    ``on_trouble`` is told why users cannot go on, so that the test ends with that reason.
    """

    def __init__(self) -> None:
        self.session: LoadSession | None = None
        self.is_ready = Event()
        self.on_trouble: Callable[[UserError], None] = lambda error: _LOG.error("%s", error)
        self._is_over = False
        self._is_troubled = False

    def clear(self) -> None:
        """There is no test now."""
        self.session = None
        self.is_ready.clear()
        self._is_over = self._is_troubled = False

    def admit(self) -> LoadSession | None:
        """The session for a user that begins, once it is ready; None where the user is to end."""
        self.is_ready.wait()
        return None if self._is_over else self.session

    def end(self) -> None:
        """The test ends: no user begins any more. Locust may start some after it was told to stop them."""
        self._is_over = True
        self.is_ready.set()

    def tell(self, error: UserError) -> None:
        """A user cannot go on; what ends one ends them all, so the first one's word is passed on."""
        if not self._is_troubled:
            self._is_troubled = True
            self.on_trouble(error)


def holder_of(environment: Any) -> SessionHolder:
    """The holder that belongs to a Locust environment; made when first asked for."""
    holder: SessionHolder | None = getattr(environment, _ATTRIBUTE, None)
    if holder is None:
        holder = SessionHolder()
        setattr(environment, _ATTRIBUTE, holder)
    return holder


def has_holder(environment: Any) -> bool:
    """Whether a Locust environment has got a holder yet."""
    return hasattr(environment, _ATTRIBUTE)


def open_session(
    setup: LoadSetup,
    own_workloads: Iterable[str | None],
    place: Place,
    recorder: Recorder,
    environ: Mapping[str, str] = os.environ,
) -> LoadSession:
    """A session with everything read and asked for that its users need; raises UserError where something is wrong."""
    chosen = (name for own in own_workloads for name in setup.workloads_for(own))
    names = dict.fromkeys(chain for name in chosen for chain in setup.scenario.chains_of(name))
    settings = settings_of(setup.target, setup.directory, environ)
    endpoints = find_endpoints(setup, settings)
    workloads = {
        name: prepare_workload(
            with_first_client(setup, name, environ), name, endpoints, setup.directory, environ, setup.target
        )
        for name in names
    }
    transport = transports(settings)
    aside = open_aside(setup, endpoints, settings, transport, recorder, place.slots)
    kinds = setup.probe_kinds
    probes = prepare_probes(setup.scenario, kinds, endpoints, setup.directory, environ, setup.target) if kinds else None
    return LoadSession(workloads, setup, place, transport, recorder, aside, probes)
