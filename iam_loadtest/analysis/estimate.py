"""Estimate: one metric over the trials that count. The trial is the unit; requests within one are not independent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, stdev

from scipy import stats

MAX_SPREAD_SD = 0.10
"""Standard deviation of the logs above which trials are called unstable."""

TRIALS_FOR_INTERVAL = 3

MAX_FROM_MEDIAN = 0.25
"""Distance of a trial from the median, as a share of it, above which trials are called unstable."""

TRIALS_FOR_MODE = 2
MIN_GAP_OF_MODES = math.log(1.10)
WIDER_THAN_A_MODE = 3.0


@dataclass(frozen=True)
class Estimate:
    """The geometric mean of per-trial values and their range.

    ``value`` is None where no trial has the metric, and where some trials are zero and others are not: such
    trials have no common size. ``sd_log`` is the spread between trials; None below two trials or with a zero.
    ``trials`` is how many trials have the metric.
    """

    value: float | None
    minimum: float | None
    maximum: float | None
    trials: int
    sd_log: float | None
    values: tuple[float, ...]

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the geometric mean: Student's t on the logs of the trials.

        None below three trials, with a zero among them, and where trials are unstable: it would mislead.
        """
        return None if self.is_unstable else self._by_student()

    @property
    def cautious_interval(self) -> tuple[float, float] | None:
        """As ``interval``, and where trials are unstable as wide as they make it and never narrower than their range.

        It serves to hold trials against a limit that is far away, not to rank them.
        """
        found = self._by_student()
        if found is None or not self.is_unstable:
            return found
        return min(found[0], *self.values), max(found[1], *self.values)

    def _by_student(self) -> tuple[float, float] | None:
        if self.value is None or self.sd_log is None or self.trials < TRIALS_FOR_INTERVAL:
            return None
        half = float(stats.t.ppf(0.975, self.trials - 1)) * self.sd_log / math.sqrt(self.trials)
        return self.value * math.exp(-half), self.value * math.exp(half)

    @property
    def modes(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """The trials as two groups where they have two modes: a mean would describe neither.

        Two trials or more in each, over 10 % apart, and the gap at least three times as wide as either group, on the
        log scale. None where that is not so.
        """
        ordered = sorted(self.values)
        if len(ordered) < 2 * TRIALS_FOR_MODE or ordered[0] <= 0:
            return None
        cuts = range(TRIALS_FOR_MODE, len(ordered) - TRIALS_FOR_MODE + 1)
        cut = max(cuts, key=lambda i: ordered[i] / ordered[i - 1])
        gap = math.log(ordered[cut] / ordered[cut - 1])
        widest = max(math.log(ordered[cut - 1] / ordered[0]), math.log(ordered[-1] / ordered[cut]))
        if gap < max(MIN_GAP_OF_MODES, WIDER_THAN_A_MODE * widest):
            return None
        return tuple(ordered[:cut]), tuple(ordered[cut:])

    @property
    def is_unstable(self) -> bool:
        """Whether the trials differ so much that no ranking word may be said of them."""
        if self.trials < 2:
            return False
        if self.value is None:
            return True
        middle = median(self.values)
        far = any(abs(value - middle) > MAX_FROM_MEDIAN * middle for value in self.values)
        return far or (self.sd_log is not None and self.sd_log > MAX_SPREAD_SD)


def estimate(values: Sequence[float | None]) -> Estimate:
    """The estimate from one value per counted trial; None stands for a trial without the metric."""
    known = tuple(float(value) for value in values if value is not None)
    if not known:
        return Estimate(None, None, None, 0, None, ())
    sd_log = stdev(math.log(value) for value in known) if len(known) > 1 and min(known) > 0 else None
    return Estimate(_geometric_mean(known), min(known), max(known), len(known), sd_log, known)


def _geometric_mean(values: tuple[float, ...]) -> float | None:
    if min(values) == max(values):
        return values[0]
    if min(values) > 0:
        return math.exp(math.fsum(math.log(value) for value in values) / len(values))
    return None
