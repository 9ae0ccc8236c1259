"""Distribution: the latencies of one trial along the percentile axis, with the tail drawn out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

WHOLE = 100_000
"""Percentiles of the grid are counted in these parts, so that ranks are exact integers."""

SLOWER_ROWS = 5
"""The curve ends where fewer rows than this are slower: beyond, it would show single requests."""

_POINTS_PER_DECADE = 40
_DECADES = 3


def _grid() -> tuple[int, ...]:
    """Percentiles evenly spaced by log10(1 / (1 - p)), from p = 0 to 0.999, in parts of WHOLE."""
    steps = range(_DECADES * _POINTS_PER_DECADE + 1)
    return tuple(round(WHOLE * (1 - 10 ** (-step / _POINTS_PER_DECADE))) for step in steps)


GRID = _grid()


@dataclass(frozen=True)
class Distribution:
    """Recorded latencies at percentiles of GRID, none interpolated; shorter than GRID where rows are few."""

    latency_us: tuple[int, ...]

    @property
    def positions(self) -> tuple[int, ...]:
        """The percentile of each latency, in parts of WHOLE."""
        return GRID[: len(self.latency_us)]


def distribution_of(values_us: npt.NDArray[Any]) -> Distribution | None:
    """The curve of successful rows; None where even its first point would show single requests."""
    count = len(values_us)
    if count <= SLOWER_ROWS:
        return None
    ordered = np.sort(values_us)
    ranks = [max(1, -(-part * count // WHOLE)) for part in GRID]
    return Distribution(tuple(int(ordered[rank - 1]) for rank in ranks if count - rank >= SLOWER_ROWS))
