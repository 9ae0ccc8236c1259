"""Percentile: the smallest recorded latency that at least p per cent of the rows did not exceed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

PERMILLE = {"p50": 500, "p80": 800, "p95": 950, "p99": 990, "p99_9": 999}
"""The percentiles of every table, in thousandths, so that ranks are exact integers."""


def percentile_rank(count: int, permille: int) -> int:
    """The rank, from 1, of the percentile among ``count`` sorted values: the ceiling of count * p, exactly.

    Integers on purpose: 99.9 / 100 * 1000 is not 999 in floats.
    """
    if count < 1:
        raise ValueError("no values have no percentile")
    if not 0 < permille <= 1000:
        raise ValueError("permille must be from 1 to 1000")
    return (permille * count + 999) // 1000


def percentiles(values: npt.NDArray[Any], permilles: tuple[int, ...]) -> tuple[int, ...]:
    """Recorded values at the given percentiles, never interpolated; ``values`` must not be empty."""
    ranks = [percentile_rank(len(values), permille) - 1 for permille in permilles]
    ordered = np.partition(values, sorted(set(ranks)))
    return tuple(int(ordered[rank]) for rank in ranks)
