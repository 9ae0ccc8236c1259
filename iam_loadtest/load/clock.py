"""One time line for all processes of a trial: microseconds since its origin, on the master's clock.

Each process reads its own monotonic clock, so that a step of the wall clock moves nothing. A worker relates it to the
master's by a handshake, and again every half minute: clocks of two hosts drift apart, by some 50 us a second at worst,
which is 30 ms in ten minutes. What a new handshake finds is made up for gradually, so that time never goes back.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter_ns
from typing import NamedTuple

PINGS = 10
"""Rounds of a handshake; the quickest is believed."""
RESYNC_S = 30.0
MAX_DRIFT = 100e-6
"""More than two clocks drift apart, in seconds a second: NTP's own limit for a sound clock is 500 us, most keep 20."""
SLEW_US = 10_000_000
"""A difference is made up for over this time..."""
MAX_GAP_US = 100_000
"""...and by so much at most; what is left waits for the next handshake."""
_MAX_LINES = 100


class Ping(NamedTuple):
    """One round: the worker's clock when it asked, the master's when it answered, the worker's when that arrived."""

    sent_us: int
    master_us: int
    received_us: int

    @property
    def round_trip_us(self) -> int:
        """How long question and answer took together."""
        return self.received_us - self.sent_us

    @property
    def offset_us(self) -> int:
        """Master's clock minus worker's, were both ways equally long; wrong by half the round trip at most."""
        return self.master_us - (self.sent_us + self.received_us) // 2


@dataclass(frozen=True)
class Relation:
    """What a worker knows of the master's clock at a moment of its own: the offset, and how wrong it is at most."""

    at_us: int
    offset_us: int
    error_us: int

    def refined(self, newer: Relation) -> Relation:
        """What both say together: the newer one, unless the older one is still the surer."""
        age_us = newer.at_us - self.at_us
        error_us = self.error_us + int(age_us * MAX_DRIFT)
        low_us = max(self.offset_us - error_us, newer.offset_us - newer.error_us)
        high_us = min(self.offset_us + error_us, newer.offset_us + newer.error_us)
        if low_us > high_us:
            return newer
        return Relation(newer.at_us, (low_us + high_us) // 2, (high_us - low_us + 1) // 2)


class Timeline:
    """This process's clock as time since the trial's origin: straight lines that join.

    A line has the shift at its start and what it gains over SLEW_US; the last one gains nothing.
    """

    def __init__(self, shift_us: int = 0) -> None:
        self._starts_us = [0]
        self._lines = [(shift_us, 0)]

    def at(self, local_us: int) -> int:
        """The time since the origin at a reading of this process's clock, whether before or after a correction."""
        index = max(bisect_right(self._starts_us, local_us) - 1, 0)
        shift_us, gap_us = self._lines[index]
        return local_us + shift_us + (local_us - self._starts_us[index]) * gap_us // SLEW_US

    def all_at(self, local_us: Sequence[int]) -> Sequence[int]:
        """:meth:`at` for many readings."""
        shift_us, _ = self._lines[-1]
        if len(self._lines) == 1 or min(local_us) >= self._starts_us[-1]:
            return [reading + shift_us for reading in local_us]
        return [self.at(reading) for reading in local_us]

    def aim(self, shift_us: int, now_us: int) -> None:
        """Come to this shift from now on, gradually."""
        while self._starts_us[-1] > now_us:
            self._drop(-1)
        current_us = self.at(now_us) - now_us
        gap_us = min(max(shift_us - current_us, -MAX_GAP_US), MAX_GAP_US)
        self._append(now_us, current_us, gap_us)
        self._append(now_us + SLEW_US, current_us + gap_us, 0)
        while len(self._lines) > _MAX_LINES:
            self._drop(0)

    def _append(self, start_us: int, shift_us: int, gap_us: int) -> None:
        self._starts_us.append(start_us)
        self._lines.append((shift_us, gap_us))

    def _drop(self, index: int) -> None:
        del self._starts_us[index], self._lines[index]


def now_us() -> int:
    """This process's monotonic clock; only differences mean anything."""
    return perf_counter_ns() // 1000


def relation_of(pings: Iterable[Ping]) -> Relation:
    """What a handshake says, by the round with the shortest round trip."""
    best = min(pings, key=lambda ping: ping.round_trip_us)
    return Relation(best.received_us, best.offset_us, (best.round_trip_us + 1) // 2)
