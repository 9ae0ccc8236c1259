"""The timeline: requests per second over the whole trial."""

from __future__ import annotations

from pathlib import Path

from iam_loadtest.analysis.timeline import MAX_BINS, Timeline
from iam_loadtest.analysis.trial_summary import summarise_trial

from .samples import row, trial, write_rows


def test_requests_are_counted_in_the_second_of_their_start(tmp_path: Path) -> None:
    """Failures apart, chains not at all, and the last second, which is seldom full, left out."""
    rows = [
        row(0, "issue", 5),
        row(0, "workflow", 5),
        row(999_999, "issue", 5),
        row(1_000_000, "issue", 5, "timeout"),
        row(2_500_000, "issue", 5),
    ]
    summary = summarise_trial(write_rows(tmp_path, rows), trial())
    assert summary.timeline == Timeline(1, (2.0, 0.0), (0.0, 1.0))


def test_a_long_trial_has_wider_bins(tmp_path: Path) -> None:
    """One request in each of 721 seconds: 720 full seconds in bins of three, one request per second in each."""
    rows = [row(second * 1_000_000, "issue", 5) for second in range(3 * MAX_BINS + 1)]
    timeline = summarise_trial(write_rows(tmp_path, rows), trial()).timeline
    assert timeline == Timeline(3, (1.0,) * MAX_BINS, (0.0,) * MAX_BINS)


def test_no_request_has_no_timeline(tmp_path: Path) -> None:
    """Rows of chains alone are none."""
    assert summarise_trial(write_rows(tmp_path, [row(5, "workflow", 5)]), trial()).timeline is None
