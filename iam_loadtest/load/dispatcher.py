"""Hands arrivals of the open model to free users, and counts those that were late or came to nothing.

A user takes one arrival at a time and runs its chain with the tokens that it holds: an arrival leases a user and its
tokens together, so no two arrivals ever use one chain of tokens. Free users are taken in turn, longest free first.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass

import gevent
from gevent import Greenlet, getcurrent
from gevent.hub import get_hub

from iam_loadtest.load.alarm import alarm
from iam_loadtest.load.clock import now_us

LATE_US = 5_000
"""An arrival that starts later than this after its time is counted as late."""
_SHORTEST_SLEEP_US = 500
_LONGEST_SLEEP_US = 100_000


@dataclass
class ArrivalTally:
    """Arrivals of one process whose time is in the measured window.

    ``waited`` found no free user, ``ended`` are chains that came to their end within the window, ``in_flight_us`` what
    these took together from their intended start.
    """

    offered: int = 0
    ended: int = 0
    late: int = 0
    waited: int = 0
    dropped: int = 0
    in_flight_us: int = 0


@dataclass(frozen=True)
class ArrivalWindow:
    """The measured window on this process's clock; ``end_us`` is None while it is not known."""

    start_us: int
    end_us: int | None = None

    def __contains__(self, moment_us: int) -> bool:
        return moment_us >= self.start_us and (self.end_us is None or moment_us < self.end_us)


class _Seat:
    """A free user. ``due_us`` is set when an arrival was handed to it."""

    __slots__ = ("due_us", "user")

    def __init__(self, user: Greenlet | None) -> None:
        self.user = user
        self.due_us: int | None = None


class Dispatcher:
    """The arrivals of one process. Users may :meth:`take` before it starts; they wait then.

    An arrival that no user took within ``late_limit_us`` is dropped: nothing is sent for it.
    """

    def __init__(self, late_limit_us: int, clock: Callable[[], int] = now_us) -> None:
        self._late_limit_us = late_limit_us
        self._clock = clock
        self._waiting: deque[int] = deque()
        self._free: OrderedDict[_Seat, None] = OrderedDict()
        self._dues_us: Iterator[int] = iter(())
        self._next_us: int | None = None
        self._window = ArrivalWindow(0)
        self._running: Greenlet | None = None
        self._is_closed = False
        self.tally = ArrivalTally()

    def start(self, dues_us: Iterator[int], window: ArrivalWindow) -> None:
        """Begin with a schedule of intended starts, rising, on this process's clock."""
        self._dues_us, self._window = dues_us, window
        self._next_us = next(dues_us, None)
        self._running = gevent.spawn(self._run)

    def close(self) -> None:
        """No more arrivals: what was due until now and did not start is dropped. May be called twice."""
        if self._running is not None:
            self._running.kill()
            self._running = None
            self._offer_due(self._clock())
        self._is_closed = True
        while self._waiting:
            self._drop(self._waiting.popleft())

    def take(self) -> int:
        """The intended start of the arrival that the calling user is to run now; waits for one."""
        if self._waiting:
            self._drop_expired(self._clock())
        due_us = self._waiting.popleft() if self._waiting else self._await_arrival()
        if self._clock() - due_us > LATE_US and due_us in self._window:
            self.tally.late += 1
        return due_us

    def give_back(self, due_us: int) -> None:
        """Return an arrival that was taken and not begun; it goes to another user."""
        if self._is_closed:
            self._drop(due_us)
        elif not self._hand(due_us):
            self._waiting.appendleft(due_us)

    def ended(self, due_us: int) -> None:
        """Note that the chain of an arrival came to its end, well or not."""
        now = self._clock()
        if now in self._window:
            self.tally.ended += 1
            self.tally.in_flight_us += now - due_us

    def offer(self, due_us: int) -> None:
        """Hand an arrival to the user that has been free longest; it waits where there is none."""
        if due_us in self._window:
            self.tally.offered += 1
        if not self._hand(due_us):
            self._waiting.append(due_us)
            if due_us in self._window:
                self.tally.waited += 1

    def counts(self) -> dict[str, int]:
        """The tally so far, as plain data."""
        return asdict(self.tally)

    def _hand(self, due_us: int) -> bool:
        """Whether there was a free user to hand it to, who wakes up soon."""
        if not self._free:
            return False
        seat, _ = self._free.popitem(last=False)
        seat.due_us = due_us
        get_hub().loop.run_callback(_wake, seat)
        return True

    def _run(self) -> None:
        """Wake up for each arrival, or each half millisecond where they are closer, and hand over all that are due."""
        with closing(alarm()) as clock:
            while self._next_us is not None:
                now = self._clock()
                self._offer_due(now)
                self._drop_expired(now)
                if self._next_us is not None:
                    clock.sleep_until(min(max(self._next_us, now + _SHORTEST_SLEEP_US), now + _LONGEST_SLEEP_US))

    def _offer_due(self, now: int) -> None:
        while self._next_us is not None and self._next_us <= now:
            self.offer(self._next_us)
            self._next_us = next(self._dues_us, None)

    def _await_arrival(self) -> int:
        seat = _Seat(getcurrent())
        self._free[seat] = None
        try:
            while seat.due_us is None:
                get_hub().switch()
        except BaseException:  # whatever ends the user: the arrival that it was handed must not be lost
            seat.user = None
            self._free.pop(seat, None)
            if seat.due_us is not None:
                self.give_back(seat.due_us)
            raise
        return seat.due_us

    def _drop_expired(self, now: int) -> None:
        while self._waiting and now - self._waiting[0] > self._late_limit_us:
            self._drop(self._waiting.popleft())

    def _drop(self, due_us: int) -> None:
        if due_us in self._window:
            self.tally.dropped += 1


def _wake(seat: _Seat) -> None:
    if seat.user is not None:
        seat.user.switch()
