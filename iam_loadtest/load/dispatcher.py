"""Hands arrivals of the open model to free users, and counts those that were late or came to nothing.

A user takes one arrival at a time and runs its chain with the tokens that it holds: an arrival leases a user and its
tokens together, so no two arrivals ever use one chain of tokens. Free users are taken in turn, longest free first;
only a user that comes free when an arrival is due already takes it itself, so that what a stall of the process has left
behind leaves at once, and not after every answer that came meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from gevent import Greenlet, getcurrent
from gevent.hub import get_hub

from iam_loadtest.load.alarm import Alarm, alarm
from iam_loadtest.load.clock import now_us

LATE_US = 5_000
"""An arrival that starts later than this after its time is counted as late."""
_SHORTEST_SLEEP_US = 500
_LONGEST_SLEEP_US = 100_000
_NEVER_US = 2**63


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


class ArrivalWindow:
    """The measured window on this process's clock; ``end_us`` is None while it is not known."""

    __slots__ = ("_end_us", "_start_us")

    def __init__(self, start_us: int, end_us: int | None = None) -> None:
        self._start_us = start_us
        self._end_us = _NEVER_US if end_us is None else end_us

    def __contains__(self, moment_us: int) -> bool:
        return self._start_us <= moment_us < self._end_us


class _Seat:
    """A free user. ``due_us`` is set when an arrival was handed to it."""

    __slots__ = ("due_us", "user")

    def __init__(self, user: Greenlet | None) -> None:
        self.user = user
        self.due_us: int | None = None


class Dispatcher:
    """The arrivals of one process. Users may :meth:`take` before it starts; they wait then.

    An arrival that no user took within ``late_limit_us`` is dropped: nothing is sent for it. Users are woken by the
    event loop itself, one after the other: what was due together leaves together.
    """

    def __init__(self, late_limit_us: int, clock: Callable[[], int] = now_us) -> None:
        self._late_limit_us = late_limit_us
        self._clock = clock
        self._waiting: deque[int] = deque()
        self._free: deque[_Seat] = deque()
        self._handed: deque[_Seat] = deque()
        self._dues_us: Iterator[int] = iter(())
        self._next_us: int | None = None
        self._window = ArrivalWindow(0)
        self._alarm: Alarm | None = None
        self._is_closed = False
        self.tally = ArrivalTally()

    def start(self, dues_us: Iterator[int], window: ArrivalWindow) -> None:
        """Begin with a schedule of intended starts, rising, on this process's clock."""
        self._dues_us, self._window = dues_us, window
        self._next_us = next(dues_us, None)
        self._alarm = alarm(self._on_time)
        if self._next_us is not None:
            self._alarm.set(self._next_us)

    def close(self) -> None:
        """No more arrivals: what was due until now and did not start is dropped. May be called twice."""
        if self._alarm is not None:
            self._alarm.close()
            self._alarm = None
            self._offer_due(self._clock())
            self._wake_soon()
        self._is_closed = True
        while self._waiting:
            self._drop(self._waiting.popleft())

    def take(self) -> int:
        """The intended start of the arrival that the calling user is to run now; waits for one."""
        now = self._clock()
        due_us = self._due_already(now)
        if due_us is None:
            due_us = self._await_arrival()
            now = self._clock()
        if now - due_us > LATE_US and due_us in self._window:
            self.tally.late += 1
        return due_us

    def give_back(self, due_us: int) -> None:
        """Return an arrival that was taken and not begun; it goes to another user."""
        if self._is_closed:
            self._drop(due_us)
        elif self._hand(due_us):
            self._wake_soon()
        else:
            self._waiting.appendleft(due_us)

    def ended(self, due_us: int) -> None:
        """Note that the chain of an arrival came to its end, well or not."""
        now = self._clock()
        if now in self._window:
            self.tally.ended += 1
            self.tally.in_flight_us += now - due_us

    def offer(self, due_us: int) -> None:
        """Hand an arrival to the user that has been free longest, who wakes up soon; it waits where there is none."""
        self._offer(due_us)
        self._wake_soon()

    def counts(self) -> dict[str, int]:
        """The tally so far, as plain data."""
        return asdict(self.tally)

    def _on_time(self) -> None:
        """Called by the event loop for each arrival, or each half millisecond where they are closer."""
        now = self._clock()
        self._offer_due(now)
        self._drop_expired(now)
        if self._next_us is not None and self._alarm is not None:
            self._alarm.set(min(max(self._next_us, now + _SHORTEST_SLEEP_US), now + _LONGEST_SLEEP_US))
        self._wake()

    def _offer_due(self, now: int) -> None:
        due_us = self._next_us
        while due_us is not None and due_us <= now:
            self._offer(due_us)
            due_us = next(self._dues_us, None)
        self._next_us = due_us

    def _due_already(self, now: int) -> int | None:
        """The earliest arrival that no user has yet, unless it is too late for it; None where none is due."""
        if self._waiting:
            self._drop_expired(now)
            if self._waiting:
                return self._waiting.popleft()
        while self._alarm is not None and self._next_us is not None and self._next_us <= now:
            due_us, self._next_us = self._next_us, next(self._dues_us, None)
            if due_us in self._window:
                self.tally.offered += 1
            if now - due_us <= self._late_limit_us:
                return due_us
            self._drop(due_us)
        return None

    def _offer(self, due_us: int) -> None:
        is_counted = due_us in self._window
        if is_counted:
            self.tally.offered += 1
        if not self._hand(due_us):
            self._waiting.append(due_us)
            if is_counted:
                self.tally.waited += 1

    def _hand(self, due_us: int) -> bool:
        """Whether there was a free user to hand it to, who is to be woken."""
        if not self._free:
            return False
        seat = self._free.popleft()
        seat.due_us = due_us
        self._handed.append(seat)
        return True

    def _wake_soon(self) -> None:
        """From any greenlet: the event loop itself wakes users."""
        if self._handed:
            get_hub().loop.run_callback(self._wake)

    def _wake(self) -> None:
        """Let each user that was handed something run until it waits again."""
        while self._handed:
            user = self._handed.popleft().user
            if user is not None:
                user.switch()

    def _await_arrival(self) -> int:
        seat = _Seat(getcurrent())
        self._free.append(seat)
        try:
            while seat.due_us is None:
                get_hub().switch()
        except BaseException:  # whatever ends the user: the arrival that it was handed must not be lost
            seat.user = None
            if seat.due_us is None:
                self._free.remove(seat)
            else:
                self.give_back(seat.due_us)
            raise
        return seat.due_us

    def _drop_expired(self, now: int) -> None:
        while self._waiting and now - self._waiting[0] > self._late_limit_us:
            self._drop(self._waiting.popleft())

    def _drop(self, due_us: int) -> None:
        if due_us in self._window:
            self.tally.dropped += 1
