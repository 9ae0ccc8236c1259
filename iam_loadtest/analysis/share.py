"""The interval of a share of requests over trials. Shares may be zero, so logarithms do not serve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from scipy import stats

from iam_loadtest.analysis.contrast import LEVEL, Interval
from iam_loadtest.analysis.estimate import TRIALS_FOR_INTERVAL


def share_interval(counts: Sequence[tuple[int, int]]) -> Interval | None:
    """The 95 % interval of a share from (chosen, all) of each trial; None below three trials with requests.

    Student's t on the shares of the trials, but never narrower than Wilson's interval of all requests together: where
    every trial shows the same, none failed for example, the spread between trials says nothing and the number of
    requests still limits what is known. Within 0 and 1.
    """
    known = [(chosen, total) for chosen, total in counts if total]
    if len(known) < TRIALS_FOR_INTERVAL:
        return None
    shares = [chosen / total for chosen, total in known]
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(shares) - 1)) * stdev(shares) / math.sqrt(len(shares))
    low, high = wilson(sum(chosen for chosen, _ in known), sum(total for _, total in known))
    return max(min(fmean(shares) - half, low), 0.0), min(max(fmean(shares) + half, high), 1.0)


def wilson(chosen: int, total: int) -> Interval:
    """Wilson's 95 % score interval of a share (Wilson 1927), for requests as if they were independent."""
    z = float(stats.norm.ppf((1 + LEVEL) / 2))
    share, weight = chosen / total, z * z / total
    middle = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt(share * (1 - share) / total + weight / (4 * total)) / (1 + weight)
    return max(middle - half, 0.0) if chosen else 0.0, min(middle + half, 1.0) if chosen < total else 1.0
