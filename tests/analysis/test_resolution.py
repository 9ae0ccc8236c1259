"""Resolution: the table of half-widths of the method, and how many trials resolve a margin."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from iam_loadtest.analysis.resolution import further_trials, half_width, resolution_rows, trials_to_resolve


@pytest.mark.parametrize(
    ("trials", "sd_log", "percent"),
    [
        *[(3, 0.02, 4.6), (3, 0.05, 12.0), (3, 0.10, 25.4)],
        *[(5, 0.02, 3.0), (5, 0.05, 7.6), (5, 0.10, 15.7)],
        *[(10, 0.02, 1.9), (10, 0.05, 4.8), (10, 0.10, 9.8)],
    ],
)
def test_the_half_width_by_trials_and_spread(trials: int, sd_log: float, percent: float) -> None:
    """exp(t * sd * root(2 / n)) - 1, with t of 2n - 2 degrees of freedom: 2.776, 2.306 and 2.101."""
    assert half_width(trials, sd_log) * 100 == pytest.approx(percent, abs=0.06)


def test_the_rows_hold_the_trials_that_were_made() -> None:
    """Four beside three, five and ten; the half-width falls."""
    rows = resolution_rows(0.03, 4)
    assert [row.trials for row in rows] == [3, 4, 5, 10]
    assert all(a.half_width > b.half_width for a, b in pairwise(rows))


def test_more_candidates_need_more() -> None:
    """Intervals that hold for five topologies at once are wider than one's, at equal degrees of freedom per trial."""
    assert half_width(10, 0.05, 5) > half_width(10, 0.05)


@pytest.mark.parametrize(("sd_log", "trials"), [(0.0, 3), (0.5, None)])
def test_trials_to_resolve_at_the_ends(sd_log: float, trials: int | None) -> None:
    """Without spread the fewest do; with half of the value there are not enough trials in a lifetime."""
    assert trials_to_resolve(sd_log, 0.05) == trials


def test_trials_to_resolve_fit_the_half_widths() -> None:
    """At a spread of 5 %, five trials give about 7.6 % and three 12 %: 8 % need five, 4.7 % at 2 % need three."""
    assert trials_to_resolve(0.05, 0.08) == 5
    assert trials_to_resolve(0.02, 0.047) == 3


def test_trials_that_could_not_tell_are_never_said_to_be_enough() -> None:
    """At 3 %, three trials lie within 10 % to either side (7 %), yet not within half of it: that takes five."""
    assert trials_to_resolve(0.03, 0.10) == 3
    assert half_width(4, 0.03) > math.sqrt(1.10) - 1 > half_width(5, 0.03)
    assert further_trials(0.03, 0.10, 3) == 5
    assert further_trials(0.03, 0.10, 6) == 7
    assert further_trials(0.05, 0.08, 3) == 5
    assert further_trials(0.5, 0.05, 3) is None
