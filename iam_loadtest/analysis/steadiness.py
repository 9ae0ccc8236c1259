"""Steadiness: whether a trial had settled before its window began. One that still warms up measures its warm-up."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from iam_loadtest.analysis.percentile import percentile_rank
from iam_loadtest.analysis.rows import Rows
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.trial import Caution, WindowMarks

MAX_DIFFERENCE = 0.05
"""Difference of the halves' throughput, as a share of the first, above which a trial is called unsteady."""

MAX_P95_DIFFERENCE = 0.10
"""The same of the halves' p95 of whole chains."""

MIN_WINDOW_S = 60
"""A shorter window has too few bins to tell: what is seen there is a caution and never leaves a trial out."""

BIN_US = 5_000_000
CHANCE_SDS = 3.0
"""A difference must also be this many standard deviations of chance, or short windows always differ."""

NOT_STEADY = Caution(
    "not steady",
    "Throughput of the two halves of the measured window differs by more than 5 % and by more than chance.",
    "Lengthen warm-up and window; look at the throughput over time for what changed.",
)
P95_NOT_STEADY = Caution(
    "not steady",
    "The chain's p95 of the two halves of the measured window differs by more than 10 % and by more than chance.",
    NOT_STEADY.remedy,
)
STILL_WARMING_UP = Caution(
    "not steady",
    "The rule MSER-5 drops the beginning of the measured window: throughput had not settled when it began.",
    "Lengthen the warm-up; look at the throughput over time.",
)


@dataclass(frozen=True)
class Steadiness:
    """What became of throughput and p95 during the measured window.

    ``half_change`` and ``p95_change`` are the second half over the first, less one; None without a success in the
    first. ``settled_s`` is how long after the ramp MSER-5 lets the trial begin; None with fewer than ten bins.
    ``is_judged`` says whether the window is long enough for ``cautions`` to leave a trial out.
    """

    half_change: float | None = None
    p95_change: float | None = None
    settled_s: float | None = None
    is_judged: bool = False
    cautions: tuple[Caution, ...] = ()


class SteadinessCounter:
    """Collects what steadiness is judged by over the batches of a trial: successes over time, chains by half."""

    def __init__(self, marks: WindowMarks) -> None:
        self._start_us, self._end_us = marks.window_start_us, marks.window_end_us
        self._ramp_end_us = marks.ramp_end_us
        self._bins: dict[int, int] = {}
        self._halves = [0, 0]
        self._chains: tuple[list[npt.NDArray[np.int64]], list[npt.NDArray[np.int64]]] = ([], [])

    def add(self, rows: Rows) -> None:
        """Count one batch; nothing is counted without a complete window."""
        if self._start_us is None or self._end_us is None or Outcome.OK not in rows.outcomes:
            return
        good = rows.outcome == rows.outcomes.index(Outcome.OK)
        self._count_requests(rows.started_us[good & rows.is_request], self._start_us, self._end_us)
        middle_us = (self._start_us + self._end_us) // 2
        for half, (low, high) in enumerate(((self._start_us, middle_us), (middle_us, self._end_us))):
            inside = good & ~rows.is_request & (rows.started_us >= low) & (rows.started_us < high)
            self._chains[half].append(rows.latency_us[inside])

    def _count_requests(self, started_us: npt.NDArray[np.int64], start_us: int, end_us: int) -> None:
        middle_us = (start_us + end_us) // 2
        self._halves[0] += int(np.count_nonzero((started_us >= start_us) & (started_us < middle_us)))
        self._halves[1] += int(np.count_nonzero((started_us >= middle_us) & (started_us < end_us)))
        numbers, counts = np.unique((started_us - start_us) // BIN_US, return_counts=True)
        for number, count in zip(numbers, counts, strict=True):
            self._bins[int(number)] = self._bins.get(int(number), 0) + int(count)

    def steadiness(self) -> Steadiness:
        """The judgement of everything added."""
        if self._start_us is None or self._end_us is None:
            return Steadiness()
        first, second = self._halves
        chains = [np.sort(np.concatenate(half)) if half else np.empty(0, np.int64) for half in self._chains]
        warm_up, window = self._series(self._start_us, self._end_us)
        cut = mser_cut(np.concatenate([warm_up, window])) if len(warm_up) + len(window) >= _FEWEST_BINS else None
        seen = (
            (_differ(first, second, window), NOT_STEADY),
            (_p95_differ(*chains), P95_NOT_STEADY),
            (cut is not None and _warms_up(window, cut - len(warm_up)), STILL_WARMING_UP),
        )
        return Steadiness(
            second / first - 1 if first else None,
            _p95(chains[1]) / _p95(chains[0]) - 1 if len(chains[0]) and len(chains[1]) else None,
            None if cut is None else cut * BIN_US / 1e6,
            (self._end_us - self._start_us) / 1e6 >= MIN_WINDOW_S,
            tuple(caution for is_seen, caution in seen if is_seen),
        )

    def _series(self, start_us: int, end_us: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Successes in the whole bins of warm-up and window."""
        before = 0 if self._ramp_end_us is None else max(start_us - self._ramp_end_us, 0) // BIN_US
        counts = [float(self._bins.get(number, 0)) for number in range(-before, (end_us - start_us) // BIN_US)]
        return np.array(counts[:before]), np.array(counts[before:])


_FEWEST_BINS = 10


def mser_cut(series: npt.NDArray[np.float64]) -> int:
    """How many values MSER drops from the beginning: those whose loss makes the mean of the rest surest.

    With bins of several observations this is MSER-5 (White 1997). At most half of the values are dropped.
    """
    size = len(series)
    rest = np.arange(size, 0, -1)
    sums, squares = np.cumsum(series[::-1])[::-1], np.cumsum(series[::-1] ** 2)[::-1]
    errors = (squares - sums**2 / rest) / rest.astype(float) ** 2
    return int(np.argmin(errors[: size // 2 + 1]))


def _warms_up(window: npt.NDArray[np.float64], dropped: int) -> bool:
    """Whether bins are dropped from the window that are unlike the rest.

    MSER alone drops some of the window in one steady series of twenty, by chance.
    """
    if dropped < 1 or dropped >= len(window):
        return False
    early, late = window[:dropped], window[dropped:]
    difference = abs(float(early.mean() - late.mean()))
    by_chance = CHANCE_SDS * float(late.std()) * math.sqrt(1 / len(early) + 1 / len(late))
    return difference > max(MAX_DIFFERENCE * float(late.mean()), by_chance)


def _differ(first: int, second: int, window: npt.NDArray[np.float64]) -> bool:
    """Chance is that of independent arrivals, or what the bins of each half show: chains bring several requests."""
    halves = [half for half in np.array_split(window, 2) if len(half) > 1]
    spread = math.sqrt(sum(float(((half - half.mean()) ** 2).sum()) * len(half) / (len(half) - 1) for half in halves))
    by_chance = CHANCE_SDS * max(math.sqrt(first + second), spread)
    return first > 0 and abs(second - first) > max(MAX_DIFFERENCE * first, by_chance)


def _p95_differ(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> bool:
    if not len(first) or not len(second):
        return False
    (low_1, p95_1, high_1), (low_2, p95_2, high_2) = _p95_range(first), _p95_range(second)
    return abs(p95_2 - p95_1) > MAX_P95_DIFFERENCE * p95_1 and (high_1 < low_2 or high_2 < low_1)


def _p95_range(ordered: npt.NDArray[np.int64]) -> tuple[int, int, int]:
    """p95 and what chance allows to either side, by the ranks of independent requests."""
    size = len(ordered)
    reach = math.ceil(CHANCE_SDS / math.sqrt(2) * math.sqrt(size * 0.95 * 0.05))
    rank = percentile_rank(size, 950) - 1
    return int(ordered[max(rank - reach, 0)]), int(ordered[rank]), int(ordered[min(rank + reach, size - 1)])


def _p95(ordered: npt.NDArray[np.int64]) -> int:
    return int(ordered[percentile_rank(len(ordered), 950) - 1])
