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
    assert summary.timeline == Timeline(1, (2.0, 0.0), (0.0, 1.0), 80, (None,))


def test_a_long_trial_has_wider_bins(tmp_path: Path) -> None:
    """One request in each of 721 seconds: 720 full seconds in bins of three, one request per second in each."""
    rows = [row(second * 1_000_000, "issue", 5) for second in range(3 * MAX_BINS + 1)]
    timeline = summarise_trial(write_rows(tmp_path, rows), trial()).timeline
    assert timeline is not None
    assert timeline.bin_s == 3
    assert timeline.ok_per_s == (1.0,) * MAX_BINS
    assert timeline.failed_per_s == (0.0,) * MAX_BINS


def test_each_bin_has_the_p95_of_its_own_chains(tmp_path: Path) -> None:
    """Forty chains a second of 1 to 40 ms, then of 101 to 140 ms: 38 of 40 did not exceed 38 and 138 ms."""
    rows = [row(0, "issue", 5), row(2_999_999, "issue", 5)]
    for second, slowest_ms in enumerate((0, 100)):
        rows += [row(second * 1_000_000 + i, "workflow", (slowest_ms + i) * 1000) for i in range(1, 41)]
    rows += [row(10, "workflow", 9_000_000, "timeout")]
    timeline = summarise_trial(write_rows(tmp_path, rows), trial()).timeline
    assert timeline is not None
    assert (timeline.p95_bin_s, timeline.p95_ms) == (1, (38.0, 138.0))


def test_few_chains_have_wider_bins_and_too_few_no_p95(tmp_path: Path) -> None:
    """Eighty chains in eight seconds: bins of four seconds hold forty on average, the second one has only nineteen."""
    rows = [row(second * 1_000_000, "issue", 5) for second in range(9)]
    rows += [row(second * 1_000_000 + i, "workflow", 1000) for second in range(4) for i in range(15)]
    rows += [row(7, "workflow", 1000)]
    rows += [row(5_000_000 + i, "workflow", 1000) for i in range(19)]
    timeline = summarise_trial(write_rows(tmp_path, rows), trial()).timeline
    assert timeline is not None
    assert (timeline.p95_bin_s, timeline.p95_ms) == (4, (1.0, None))


def test_no_request_has_no_timeline(tmp_path: Path) -> None:
    """Rows of chains alone are none."""
    assert summarise_trial(write_rows(tmp_path, [row(5, "workflow", 5)]), trial()).timeline is None
