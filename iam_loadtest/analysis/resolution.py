"""Resolution: what difference so many trials can show at a given spread, and how many would show a given difference."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import stats

from iam_loadtest.analysis.contrast import LEVEL

TRIALS_TO_RANK = 3
MAX_TRIALS_TO_RESOLVE = 200
SHOWN_TRIALS = (3, 5, 10)


@dataclass(frozen=True)
class Resolution:
    """Half-width of the 95 % interval of a ratio of two topologies, as ratio - 1, with so many trials of each.

    A difference smaller than that is not shown by these trials, whatever it is.
    """

    trials: int
    sd_log: float
    half_width: float


def half_width(trials: int, sd_log: float, candidates: int = 1) -> float:
    """Ratio - 1 at the upper end of an interval around 1, with ``trials`` of each topology and this spread.

    ``candidates`` are compared with one baseline at once; then the level is shared out among them (Sidak), which is
    a little wider than Dunnett's intervals.
    """
    freedom = (candidates + 1) * (trials - 1)
    level = LEVEL ** (1 / candidates)
    return math.expm1(float(stats.t.ppf((1 + level) / 2, freedom)) * sd_log * math.sqrt(2 / trials))


def resolution_rows(sd_log: float, trials: int, candidates: int = 1) -> tuple[Resolution, ...]:
    """The row of the spread seen: by the trials that were made, and by 3, 5 and 10."""
    numbers = sorted({*SHOWN_TRIALS, max(trials, 2)})
    return tuple(Resolution(number, sd_log, half_width(number, sd_log, candidates)) for number in numbers)


def trials_to_resolve(sd_log: float, margin: float, candidates: int = 1) -> int | None:
    """Trials of each topology whose 95 % interval is no wider than the margin to either side; None where over 200."""
    numbers = range(TRIALS_TO_RANK, MAX_TRIALS_TO_RESOLVE + 1)
    return next((number for number in numbers if half_width(number, sd_log, candidates) <= margin), None)


def further_trials(sd_log: float, margin: float, made: int, candidates: int = 1) -> int | None:
    """How many trials of each topology to make where ``made`` could not tell; always more than these.

    Their interval may already be no wider than the margin to either side and still hold both 1 and a ratio beyond the
    margin. It can no more once it is no wider than half of the margin, on the log scale. None where that is over 200.
    """
    needed = trials_to_resolve(sd_log, margin, candidates)
    if needed is None or needed > made:
        return needed
    narrower = trials_to_resolve(sd_log, math.sqrt(1 + margin) - 1, candidates)
    return None if narrower is None else max(narrower, made + 1)
