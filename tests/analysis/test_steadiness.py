"""Steadiness: a window whose halves disagree is pointed out, chance is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from iam_loadtest.analysis.steadiness import NOT_STEADY
from iam_loadtest.analysis.trial_summary import TrialSummary, summarise_trial
from iam_loadtest.results.sample import Sample
from iam_loadtest.results.trial import WindowMarks

from .samples import row, trial, write_rows


def halves(first: int, second: int) -> list[Sample]:
    """So many successful requests in the first and the second half of the window from 1 s to 3 s."""
    return [row(1_000_000 + i, "issue", 5) for i in range(first)] + [
        row(2_000_000 + i, "issue", 5) for i in range(second)
    ]


def summary(directory: Path, rows: list[Sample]) -> TrialSummary:
    return summarise_trial(write_rows(directory, rows), trial())


def test_halves_that_differ_by_a_fifth_are_a_caution_and_the_trial_counts(tmp_path: Path) -> None:
    """2,000 and 2,400: six standard deviations of chance."""
    found = summary(tmp_path, halves(2000, 2400))
    assert found.is_counted
    assert found.cautions == (NOT_STEADY,)
    assert found.half_change == pytest.approx(0.2)


def test_halves_that_differ_by_less_than_five_per_cent_are_steady(tmp_path: Path) -> None:
    """20,000 and 20,900: more than chance, too little to matter."""
    assert summary(tmp_path, halves(20_000, 20_900)).cautions == ()


def test_a_short_window_differs_by_chance(tmp_path: Path) -> None:
    """10 and 14 requests say nothing."""
    assert summary(tmp_path, halves(10, 14)).cautions == ()


def test_failures_chains_and_what_lies_outside_are_not_counted(tmp_path: Path) -> None:
    """Only successful requests of the window make its halves."""
    more = [row(1_500_000, "issue", 5, "timeout"), row(1_500_000, "workflow", 5), row(0, "issue", 5)] * 500
    assert summary(tmp_path, [*halves(500, 500), *more]).cautions == ()


def test_without_a_window_there_are_no_halves(tmp_path: Path) -> None:
    """The trial ended before."""
    directory = write_rows(tmp_path, halves(500, 900))
    assert summarise_trial(directory, trial(marks=WindowMarks())).cautions == ()
