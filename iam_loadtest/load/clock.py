"""One time line for all processes of a trial: microseconds since its origin, on the master's clock.

Each process reads its own monotonic clock; a worker relates it to the master's once, by a handshake, so that a
step of the wall clock moves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter_ns
from typing import NamedTuple

PINGS = 10
"""Rounds of a handshake; the quickest is believed."""


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


def now_us() -> int:
    """This process's monotonic clock; only differences mean anything."""
    return perf_counter_ns() // 1000


def offset_us(pings: Iterable[Ping]) -> int:
    """Master's clock minus this process's, by the round with the shortest round trip."""
    return min(pings, key=lambda ping: ping.round_trip_us).offset_us
