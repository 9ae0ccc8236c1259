"""The latency distribution: recorded values at percentiles, and no tail made of single requests."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.analysis.distribution import GRID, SLOWER_ROWS, WHOLE, distribution_of


def at(values: list[int], part: int) -> int:
    """The latency at a percentile of the grid."""
    found = distribution_of(np.array(values))
    assert found is not None
    return found.latency_us[found.positions.index(part)]


def test_the_grid_holds_the_percentiles_that_the_axis_names() -> None:
    """From the fastest request to 99.9 %, each decade of the tail as wide as the first."""
    assert {0, 90_000, 99_000, 99_900} <= set(GRID)
    assert (GRID[0], GRID[-1], len(GRID)) == (0, 99_900, 121)
    assert list(GRID) == sorted(set(GRID))


def test_the_curve_of_ten_thousand_rows_by_hand() -> None:
    """Of 1 to 10,000, 9,000 did not exceed 9,000 and 9,990 not 9,990."""
    values = list(range(10_000, 0, -1))
    assert [at(values, part) for part in (0, 90_000, 99_000, 99_900)] == [1, 9_000, 9_900, 9_990]


@given(st.lists(st.integers(0, 1000), min_size=SLOWER_ROWS + 1, max_size=400))
def test_the_curve_ends_where_fewer_than_five_rows_would_be_slower(values: list[int]) -> None:
    """Each point is recorded, enough rows did not exceed it, and five more came after it."""
    found = distribution_of(np.array(values))
    assert found is not None
    ordered = sorted(values)
    for part, value in zip(found.positions, found.latency_us, strict=True):
        assert value in ordered
        assert bisect_right(ordered, value) * WHOLE >= part * len(ordered)
        assert part * len(ordered) <= (len(ordered) - SLOWER_ROWS) * WHOLE
    assert list(found.latency_us) == sorted(found.latency_us)


def test_too_few_rows_have_no_curve() -> None:
    """Five rows: none could be shown."""
    assert distribution_of(np.array([1, 2, 3, 4, 5])) is None
    assert distribution_of(np.array([])) is None
