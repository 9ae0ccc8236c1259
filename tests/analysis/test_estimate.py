"""Over trials: the geometric mean, the range, and no word of rank where trials disagree."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.analysis.estimate import estimate


def test_the_geometric_mean_of_two_and_eight_is_four() -> None:
    """With the range, and the spread of the logs: log 8 - log 2 over the root of two."""
    one = estimate([2.0, 8.0])
    assert one.value == pytest.approx(4.0)
    assert (one.minimum, one.maximum, one.trials) == (2.0, 8.0, 2)
    assert one.sd_log == pytest.approx(math.log(4) / math.sqrt(2))


def test_no_trial_gives_no_estimate() -> None:
    """None, never zero."""
    one = estimate([None, None])
    assert (one.value, one.minimum, one.maximum, one.sd_log, one.trials) == (None, None, None, None, 0)
    assert not one.is_unstable


def test_trials_without_the_metric_are_not_counted() -> None:
    """Two of three have it."""
    assert estimate([100.0, None, 100.0]).trials == 2


def test_one_trial_has_no_spread() -> None:
    """And is not called unstable."""
    one = estimate([5.0])
    assert (one.value, one.sd_log, one.is_unstable) == (5.0, None, False)


def test_all_zero_is_zero() -> None:
    """No request succeeded in any trial: that throughput is known."""
    one = estimate([0.0, 0.0])
    assert (one.value, one.is_unstable) == (0.0, False)


def test_zero_beside_other_values_has_no_mean() -> None:
    """A trial that stood still and one that ran have no common size."""
    one = estimate([0.0, 100.0])
    assert (one.value, one.minimum, one.maximum) == (None, 0.0, 100.0)
    assert one.is_unstable


@pytest.mark.parametrize(
    ("values", "unstable"),
    [
        ([100.0, 101.0, 102.0], False),
        ([100.0, 100.0, 126.0], True),
        ([100.0, 100.0, 74.0], True),
        ([90.0, 100.0, 112.0], True),
        ([92.0, 100.0, 108.0], False),
    ],
)
def test_trials_are_unstable_beyond_a_quarter_of_the_median_or_a_tenth_of_spread(
    values: list[float], unstable: bool
) -> None:
    """The logs of 90, 100, 112 have a standard deviation of 10.9 %, those of 92, 100, 108 of 8.0 %."""
    assert estimate(values).is_unstable is unstable


@given(st.lists(st.floats(1e-3, 1e9), min_size=3, max_size=10))
def test_the_cautious_interval_holds_every_unstable_trial(values: list[float]) -> None:
    """It is that of stable trials where they are; two trials have none."""
    one = estimate(values)
    assert one.cautious_interval is not None
    if one.is_unstable:
        assert one.interval is None
        assert one.cautious_interval[0] <= min(values) <= max(values) <= one.cautious_interval[1]
    else:
        assert one.cautious_interval == one.interval
    assert estimate(values[:2]).cautious_interval is None


@given(st.lists(st.floats(1e-3, 1e9), min_size=1, max_size=10))
def test_the_mean_lies_within_the_range(values: list[float]) -> None:
    """Up to rounding."""
    one = estimate(values)
    assert one.value is not None
    assert min(values) * (1 - 1e-9) <= one.value <= max(values) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("values", "modes"),
    [
        ([100.0, 151.0, 101.0, 150.0], ((100.0, 101.0), (150.0, 151.0))),
        ([100.0, 101.0, 150.0], None),
        ([100.0, 110.0, 121.0, 133.0], None),
        ([100.0, 101.0, 105.0, 106.0], None),
        ([0.0, 0.0, 5.0, 5.0], None),
    ],
)
def test_two_modes_are_two_modes(values: list[float], modes: object) -> None:
    """Two trials near 100 and two near 150; not one that is off, not an even spread, not 4 % apart, not with zeros."""
    assert estimate(values).modes == modes
