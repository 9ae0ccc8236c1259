"""What the machine makes of a loop on one core, as JSON: first one that looks at the clock, and the gaps in it; then
one that does the same piece of work over and over, and how fast.

python bench/clock_gaps.py RATE_PER_S SECONDS CORE
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

LATE_US = 5_000
_TENTH_S = 0.1
_ADDITIONS = 10_000


def kept_off_s(core: int) -> float:
    """Seconds in which this thread could not run though it wanted to: the core was another's, or the host's."""
    return _waited_s() + _stolen_s(core)


def _waited_s() -> float:
    with suppress(OSError):
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    return 0.0


def _stolen_s(core: int) -> float:
    with suppress(OSError):
        for line in Path("/proc/stat").read_text().splitlines():
            name, *ticks = line.split()
            if name == f"cpu{core}":
                return int(ticks[7]) / os.sysconf("SC_CLK_TCK")
    return 0.0


def gaps_us(seconds: float, at_least_us: int) -> list[float]:
    """How long the loop did not run, each time that it did not."""
    found: list[float] = []
    last = time.monotonic_ns()
    end = last + int(seconds * 1e9)
    while last < end:
        now = time.monotonic_ns()
        if now - last > at_least_us * 1000:
            found.append((now - last) / 1000)
        last = now
    return found


def late_arrivals(gaps: list[float], rate_per_s: float) -> float:
    """Evenly spaced arrivals whose time was more than the limit before the end of the gap that it fell into."""
    return sum(max(gap - LATE_US, 0) for gap in gaps) * rate_per_s / 1e6


def paces(seconds: float) -> list[float]:
    """How fast the core worked in each tenth of a second, of the fastest: by its CPU time, whoever else had it."""
    took_ns = [_piece_ns(time.monotonic() + _TENTH_S) for _ in range(int(seconds / _TENTH_S))]
    return sorted(min(took_ns) / one_ns for one_ns in took_ns)


def _piece_ns(until_s: float) -> float:
    """The CPU time of the piece of work, as often as it fits."""
    pieces, start_ns = 0, time.thread_time_ns()
    while time.monotonic() < until_s:
        pieces += 1
        total = 0
        for number in range(_ADDITIONS):
            total += number
    return (time.thread_time_ns() - start_ns) / max(pieces, 1)


def main() -> None:
    rate_per_s, seconds, core = float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    os.sched_setaffinity(0, {core})
    kept_off = kept_off_s(core)
    gaps = gaps_us(seconds, at_least_us=100)
    kept_off_share = (kept_off_s(core) - kept_off) / seconds
    pace = paces(seconds)
    figures = {
        "rate_per_s": rate_per_s,
        "late_share": late_arrivals(gaps, rate_per_s) / (rate_per_s * seconds),
        "longest_us": max(gaps, default=0),
        "kept_off_share": kept_off_share,
        "pace_p50": pace[len(pace) // 2],
        "pace_p5": pace[len(pace) // 20],
        "pace_min": pace[0],
    }
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    main()
