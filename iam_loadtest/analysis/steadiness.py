"""Steadiness: whether the two halves of a measured window agree. A trial that still warms up measures its warm-up."""

from __future__ import annotations

import math

import numpy as np

from iam_loadtest.analysis.rows import Rows
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.trial import Caution, WindowMarks

MAX_DIFFERENCE = 0.05
"""Difference of the halves' throughput, as a share of the first, above which a trial is called unsteady."""

NOT_STEADY = Caution(
    "not steady",
    "Throughput of the two halves of the measured window differs by more than 5 % and by more than chance.",
    "Lengthen warm-up and window; look at the throughput over time for what changed.",
)

CHANCE_SDS = 3.0
"""The difference must also be this many standard deviations of independent arrivals, or short windows always differ."""


class HalvesCounter:
    """Counts successful requests in each half of the measured window over the batches of a trial."""

    def __init__(self, marks: WindowMarks) -> None:
        self._marks = marks
        self.first = 0
        self.second = 0

    def add(self, rows: Rows) -> None:
        """Count one batch; nothing is counted without a complete window."""
        start_us, end_us = self._marks.window_start_us, self._marks.window_end_us
        if start_us is None or end_us is None or Outcome.OK not in rows.outcomes:
            return
        good = rows.outcome == rows.outcomes.index(Outcome.OK)
        good &= rows.is_request
        middle_us = (start_us + end_us) // 2
        started_us = rows.started_us[good]
        self.first += int(np.count_nonzero((started_us >= start_us) & (started_us < middle_us)))
        self.second += int(np.count_nonzero((started_us >= middle_us) & (started_us < end_us)))

    @property
    def change(self) -> float | None:
        """The second half's throughput over the first's, less one; None where the first half has no success."""
        return self.second / self.first - 1 if self.first else None

    def cautions(self) -> tuple[Caution, ...]:
        """One caution where the halves differ by more than 5 % and more than chance; else none."""
        difference = self.second - self.first
        by_chance = CHANCE_SDS * math.sqrt(self.first + self.second)
        if not self.first or abs(difference) <= max(MAX_DIFFERENCE * self.first, by_chance):
            return ()
        return (NOT_STEADY,)
