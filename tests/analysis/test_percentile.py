"""Percentiles: recorded values, ranks in exact integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.analysis.percentile import percentile_rank, percentiles


@pytest.mark.parametrize(
    ("count", "permille", "rank"),
    [
        (1, 500, 1),
        (2, 500, 1),
        (3, 500, 2),
        (100, 950, 95),
        (101, 950, 96),
        (1000, 999, 999),
        (20, 800, 16),
        (7, 1000, 7),
    ],
)
def test_the_rank_is_the_ceiling_of_count_times_p(count: int, permille: int, rank: int) -> None:
    """By hand; 99.9 % of 1000 is 999, which floats would make 1000."""
    assert percentile_rank(count, permille) == rank


def test_percentiles_of_ten_values_by_hand() -> None:
    """Of 10 to 100, half did not exceed 50, 80 % not 80, 95 % not 100 (nine values are only 90 %)."""
    values = np.array([70, 10, 100, 30, 50, 20, 90, 60, 40, 80])
    assert percentiles(values, (500, 800, 950, 990, 1000)) == (50, 80, 100, 100, 100)


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=60), st.integers(1, 1000))
def test_a_percentile_is_the_smallest_recorded_value_that_enough_rows_did_not_exceed(
    values: list[int], permille: int
) -> None:
    """The definition itself, by counting."""
    enough = [value for value in values if sum(other <= value for other in values) * 1000 >= permille * len(values)]
    assert percentiles(np.array(values), (permille,)) == (min(enough),)


def test_no_values_have_no_percentile() -> None:
    """Nothing is not zero."""
    with pytest.raises(ValueError, match="no values"):
        percentile_rank(0, 500)


@pytest.mark.parametrize("permille", [0, 1001])
def test_a_percentile_is_above_zero_and_at_most_all(permille: int) -> None:
    """Outside of that there is no rank."""
    with pytest.raises(ValueError, match="permille"):
        percentile_rank(5, permille)
