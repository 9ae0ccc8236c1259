"""Contrasts: drift over the order of trials is seen and allowed for, and looking for it costs little."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from iam_loadtest.analysis.contrast import Contrast, Series, contrasts

INTERLEAVED = ((1, 4, 5), (2, 3, 6))
BLOCKS = ((1, 2, 3), (4, 5, 6))


def one_contrast(
    random: np.random.Generator, order: tuple[tuple[int, ...], tuple[int, ...]], slope: float, ratio: float = 1
) -> Contrast:
    """Three against three trials with a spread of 2 %, of the given ratio, that drift by ``slope`` a trial."""
    base, other = (np.exp(random.normal(0, 0.02, 3) + slope * np.array(own)) * 100 for own in order)
    found = contrasts(Series(tuple(base), order[0]), [Series(tuple(other * ratio), order[1])])
    return found[0]


def share_that_holds(contrast_list: list[Contrast], ratio: float) -> float:
    return sum(one.interval[0] <= ratio <= one.interval[1] for one in contrast_list) / len(contrast_list)


@pytest.mark.parametrize("slope", [0.0, 0.01, 0.03])
def test_interleaved_trials_are_seldom_told_apart_whatever_the_drift(slope: float) -> None:
    """1,000 pairs of the same build, steady or drifting by 1 or 3 % a trial: at most 7 % false alarms."""
    random = np.random.default_rng(11)
    found = [one_contrast(random, INTERLEAVED, slope) for _ in range(1000)]
    assert share_that_holds(found, 1) >= 0.93


def test_the_interval_of_a_ratio_covers_it_under_drift() -> None:
    """With a drift of 3 % a trial and a true ratio of 1.2: between 93 and 97 % of 1,000 intervals hold it."""
    random = np.random.default_rng(12)
    found = [one_contrast(random, INTERLEAVED, 0.03, 1.2) for _ in range(1000)]
    assert sum(one.drift is not None for one in found) > 500
    assert 0.93 <= share_that_holds(found, 1.2) <= 0.97


def test_the_drift_is_said_by_its_size() -> None:
    """Exactly 3 % more each trial and no other difference but a ratio of two."""
    base, other = ([100 * 1.03**order for order in own] for own in INTERLEAVED)
    noise = (1.0001, 0.9999, 1.0)
    control = Series(tuple(v * n for v, n in zip(base, noise, strict=True)), INTERLEAVED[0])
    found = contrasts(control, [Series(tuple(2 * v for v in other), INTERLEAVED[1])])[0]
    assert found.drift is not None
    assert found.drift.per_trial == pytest.approx(0.03, abs=1e-3)
    assert found.ratio == pytest.approx(2, rel=1e-3)
    assert found.freedom == 3


def test_without_an_order_no_drift_is_looked_for() -> None:
    """Trials of two runs are not interleaved: a trend cannot be told from a difference."""
    values = tuple(100 * 1.03**order for order in INTERLEAVED[0])
    found = contrasts(Series(values, ()), [Series(values, ())])[0]
    assert (found.drift, found.freedom) == (None, 4)


def test_three_candidates_of_the_same_build_are_seldom_told_apart_by_any() -> None:
    """1,000 families of three against one baseline: at most 7 % with a false alarm anywhere (Dunnett)."""
    random = np.random.default_rng(13)
    orders = ((1, 8, 10), (2, 7, 9), (3, 6, 12), (4, 5, 11))
    told = 0
    for _ in range(1000):
        control, *others = (Series(tuple(np.exp(random.normal(0, 0.03, 3)) * 50), order) for order in orders)
        told += any(not one.interval[0] <= 1 <= one.interval[1] for one in contrasts(control, others))
    assert told <= 70


def test_simulated_intervals_are_those_of_dunnett() -> None:
    """The factor that is found by simulation equals scipy's for the correlation of equal groups: one half."""
    from iam_loadtest.analysis.contrast import _simultaneous  # noqa: PLC0415  held against scipy here alone

    random = np.random.default_rng(14)
    samples = [random.normal(0, 1, 5) for _ in range(4)]
    result = stats.dunnett(*samples[1:], control=samples[0], rng=np.random.default_rng(2))
    bounds = result.confidence_interval(0.95)
    pooled = math.sqrt(sum(float(((s - s.mean()) ** 2).sum()) for s in samples) / 16)
    theirs = (bounds.high[0] - bounds.low[0]) / 2 / (pooled * math.sqrt(2 / 5))
    ours = _simultaneous(tuple(tuple(1.0 if i == j else 0.5 for j in range(3)) for i in range(3)), 16, 0.95)
    assert ours == pytest.approx(theirs, rel=0.01)
