"""How fast a core works, seen from the process whose work it does: the CPU time of one small, fixed piece of work.

A virtual machine is not told when its core runs at half speed, since a neighbour has the other half of the real one, or
the clock went down: no time is missing then, and every instruction takes longer.
"""

from __future__ import annotations

import time

import gevent

_EVERY_S = 0.02
_ADDITIONS = 1_000


class CorePace:
    """Looks every 20 ms, for some 40 us, from a greenlet of its own."""

    def __init__(self) -> None:
        self._pieces_ns: list[int] = []
        gevent.spawn(self._look)

    def begin(self) -> None:
        """Forget what was seen until now."""
        self._pieces_ns.clear()

    def figures(self) -> dict[str, float]:
        """CPU microseconds of the piece of work: the shortest, and the mean of all."""
        pieces_ns = self._pieces_ns or [piece_ns()]
        return {"piece_best_us": min(pieces_ns) / 1000, "piece_mean_us": sum(pieces_ns) / len(pieces_ns) / 1000}

    def _look(self) -> None:
        while True:
            self._pieces_ns.append(piece_ns())
            gevent.sleep(_EVERY_S)


def piece_ns() -> int:
    """Do the piece of work once."""
    start_ns = time.thread_time_ns()
    total = 0
    for number in range(_ADDITIONS):
        total += number
    return time.thread_time_ns() - start_ns
