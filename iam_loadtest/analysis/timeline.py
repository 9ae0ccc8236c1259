"""Timeline: what a trial did over time, ramp and cool-down included, in bins of whole seconds."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from iam_loadtest.analysis.percentile import PERMILLE, percentiles
from iam_loadtest.analysis.rows import Rows
from iam_loadtest.results.outcome import Outcome

MAX_BINS = 240
CHAINS_FOR_P95 = 20
"""Successful chains below which a bin has no p95: it would be the slowest chain alone."""

_LATENCY_BITS = 34  # latency_us is late + latency, each of 32 bits
_LATENCY_MASK = (1 << _LATENCY_BITS) - 1


@dataclass(frozen=True)
class Timeline:
    """Requests by the moment they started. Bin i covers seconds i * bin_s to (i + 1) * bin_s.

    ``p95_ms`` is of the successful chains that started in a bin of ``p95_bin_s`` seconds, which are wider where chains
    are few; None where a bin has fewer than CHAINS_FOR_P95. The last second, which a trial seldom fills, is left out
    where there is more than one; the last bin may be short.
    """

    bin_s: int
    ok_per_s: tuple[float, ...]
    failed_per_s: tuple[float, ...]
    p95_bin_s: int = 1
    p95_ms: tuple[float | None, ...] = ()


class TimelineCounter:
    """Counts requests per second of a trial over its batches; rows of whole chains are not requests."""

    def __init__(self) -> None:
        self._ok = np.zeros(0, np.int64)
        self._failed = np.zeros(0, np.int64)
        self._chains: list[npt.NDArray[np.int64]] = []

    def add(self, rows: Rows) -> None:
        """Count the requests of one batch, and keep the latencies of its successful chains."""
        chain = ~rows.is_request
        started = rows.started_us >= 0
        ok = np.zeros(len(rows), bool)
        if Outcome.OK in rows.outcomes:
            ok = rows.outcome == rows.outcomes.index(Outcome.OK)
        second = rows.started_us // 1_000_000
        self._ok = _added(self._ok, second[started & ~chain & ok])
        self._failed = _added(self._failed, second[started & ~chain & ~ok])
        good = started & chain & ok
        self._chains.append((second[good] << _LATENCY_BITS) | rows.latency_us[good])

    def timeline(self) -> Timeline | None:
        """Rates per bin, few enough to draw; None where there was no request."""
        seconds = max(len(self._ok), len(self._failed))
        if not seconds:
            return None
        seconds = max(seconds - 1, 1)
        bin_s = -(-seconds // MAX_BINS)
        rates = _rates(self._ok, seconds, bin_s), _rates(self._failed, seconds, bin_s)
        return Timeline(bin_s, *rates, *_p95(np.sort(np.concatenate(self._chains)), seconds, bin_s))


def _added(counts: npt.NDArray[np.int64], seconds: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    new = np.bincount(seconds, minlength=len(counts)).astype(np.int64)
    new[: len(counts)] += counts
    return new


def _rates(counts: npt.NDArray[np.int64], seconds: int, bin_s: int) -> tuple[float, ...]:
    padded = np.zeros(seconds, np.int64)
    padded[: len(counts)] = counts[:seconds]
    starts = np.arange(0, seconds, bin_s)
    widths = np.minimum(starts + bin_s, seconds) - starts
    return tuple(float(rate) for rate in np.add.reduceat(padded, starts) / widths)


def _p95(chains: npt.NDArray[np.int64], seconds: int, bin_s: int) -> tuple[int, tuple[float | None, ...]]:
    """Width of the bins and p95 of each, from seconds and latencies packed into sorted numbers."""
    width_s = bin_s * max(1, -(-2 * CHAINS_FOR_P95 * seconds // (max(len(chains), 1) * bin_s)))
    edges = np.searchsorted(chains, np.arange(0, seconds + width_s, width_s) << _LATENCY_BITS)
    bins = (chains[first:last] & _LATENCY_MASK for first, last in pairwise(edges))
    return width_s, tuple(_p95_of(latencies_us) for latencies_us in bins)


def _p95_of(latencies_us: npt.NDArray[np.int64]) -> float | None:
    if len(latencies_us) < CHAINS_FOR_P95:
        return None
    return percentiles(latencies_us, (PERMILLE["p95"],))[0] / 1000
