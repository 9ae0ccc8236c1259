"""Shares over trials: what three trials say of a failure rate, none failed included."""

from __future__ import annotations

import numpy as np
import pytest

from iam_loadtest.analysis.share import share_interval, wilson


def test_no_failure_in_many_requests_is_not_never() -> None:
    """None of 3,000: Wilson's upper bound is z^2 / (n + z^2) = 3.84 / 3003.84, about 0.13 %."""
    interval = share_interval([(0, 1000)] * 3)
    assert interval == (0.0, pytest.approx(3.8415 / 3003.8415, rel=1e-4))


def test_wilson_by_hand() -> None:
    """10 of 100: from 5.52 to 17.44 %."""
    assert wilson(10, 100) == (pytest.approx(0.0552, abs=1e-4), pytest.approx(0.1744, abs=1e-4))
    assert wilson(100, 100)[1] == 1.0


def test_trials_that_differ_widen_the_interval_beyond_the_requests() -> None:
    """1, 2 and 3 % of 100,000 each: t gives 2 % plus or minus 4.303 / root(3) points, cut at zero."""
    interval = share_interval([(1000, 100_000), (2000, 100_000), (3000, 100_000)])
    assert interval == (0.0, pytest.approx(0.02 + 4.3027 * 0.01 / 3**0.5, rel=1e-4))


def test_two_trials_have_no_interval_and_trials_without_requests_are_none() -> None:
    """As for every other figure."""
    assert share_interval([(0, 100), (0, 100)]) is None
    assert share_interval([(0, 100), (0, 100), (0, 0)]) is None


def test_the_interval_covers_the_share_when_trials_differ_more_than_requests() -> None:
    """1,000 times three trials whose own share varies by a fifth around 2 %: at least 93 % hold it."""
    random = np.random.default_rng(5)
    held = 0
    for _ in range(1000):
        own = np.clip(random.normal(0.02, 0.004, 3), 0, 1)
        interval = share_interval([(int(random.binomial(20_000, share)), 20_000) for share in own])
        assert interval is not None
        held += interval[0] <= 0.02 <= interval[1]
    assert 930 <= held <= 980
