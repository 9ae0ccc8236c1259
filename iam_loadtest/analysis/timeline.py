"""Timeline: what a trial did over time, ramp and cool-down included, in bins of whole seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from iam_loadtest.analysis.rows import Rows
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.sample import WORKFLOW_STEP

MAX_BINS = 240


@dataclass(frozen=True)
class Timeline:
    """Requests by the moment they started. Bin i covers seconds i * bin_s to (i + 1) * bin_s.

    The last second, which a trial seldom fills, is left out where there is more than one; the last bin may be short.
    """

    bin_s: int
    ok_per_s: tuple[float, ...]
    failed_per_s: tuple[float, ...]


class TimelineCounter:
    """Counts requests per second of a trial over its batches; rows of whole chains are not requests."""

    def __init__(self) -> None:
        self._ok = np.zeros(0, np.int64)
        self._failed = np.zeros(0, np.int64)

    def add(self, rows: Rows) -> None:
        """Count the requests of one batch."""
        request = np.ones(len(rows), bool)
        if WORKFLOW_STEP in rows.steps:
            request = rows.step != rows.steps.index(WORKFLOW_STEP)
        request &= rows.started_us >= 0
        ok = np.zeros(len(rows), bool)
        if Outcome.OK in rows.outcomes:
            ok = rows.outcome == rows.outcomes.index(Outcome.OK)
        second = rows.started_us // 1_000_000
        self._ok = _added(self._ok, second[request & ok])
        self._failed = _added(self._failed, second[request & ~ok])

    def timeline(self) -> Timeline | None:
        """Rates per bin, few enough to draw; None where there was no request."""
        seconds = max(len(self._ok), len(self._failed))
        if not seconds:
            return None
        seconds = max(seconds - 1, 1)
        bin_s = -(-seconds // MAX_BINS)
        return Timeline(bin_s, _rates(self._ok, seconds, bin_s), _rates(self._failed, seconds, bin_s))


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
