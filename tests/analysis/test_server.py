"""What is made of server.csv: totals become growth, starts anew and silence are seen through."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from iam_loadtest.analysis.server import NodeFigures, ServerView, read_server_view, together
from iam_loadtest.results.server_file import COLUMNS, SERVER_FILE
from iam_loadtest.results.trial import WindowMarks

MARKS = WindowMarks(0, 1_000_000, 4_000_000, 5_000_000)


def view_of(directory: Path, rows: list[dict[str, object]]) -> ServerView:
    with (directory / SERVER_FILE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return read_server_view(directory, MARKS)


def test_only_the_window_counts_and_totals_are_differences(tmp_path: Path) -> None:
    """CPU 10 and 30 within it; of the 100 requests from 0 s to 2 s half, then 60 to 3 s; the row at 5 s is cool-down,
    and of the 40 requests until then half are inside.
    """
    rows: list[dict[str, object]] = [
        {"time_us": 0, "node": "frontend-1", "cpu_percent": 99, "proxy_requests": 0},
        {"time_us": 2_000_000, "node": "frontend-1", "cpu_percent": 10, "proxy_requests": 100, "pss_mib": 48},
        {"time_us": 3_000_000, "node": "frontend-1", "cpu_percent": 30, "proxy_requests": 160, "pss_mib": 50},
        {"time_us": 5_000_000, "node": "frontend-1", "cpu_percent": 99, "proxy_requests": 200},
    ]
    (one,) = view_of(tmp_path, rows).nodes
    assert (one.cpu_percent, one.max_cpu_percent, one.max_pss_mib, one.requests) == (20.0, 30.0, 50.0, 130.0)
    assert one.conflicts is None


def test_rows_outside_of_the_window_alone_say_nothing(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"time_us": t, "node": "frontend-1", "proxy_requests": t} for t in (0, 1_000_000)]
    assert view_of(tmp_path, rows).nodes[0].requests is None


def test_a_server_that_began_anew_goes_on_from_zero(tmp_path: Path) -> None:
    """Conflicts 5, 8, silence, 2: three before and two after the start; at certification and before together."""
    rows: list[dict[str, object]] = [
        {"time_us": t, "node": "database-1", "wsrep_local_cert_failures": failures, "wsrep_local_bf_aborts": aborts}
        for t, failures, aborts in ((1_000_000, 5, 1), (2_000_000, 8, 1), (2_500_000, "", ""), (3_000_000, 2, 0))
    ]
    view = view_of(tmp_path, rows)
    assert view.nodes[0].conflicts == 5.0
    assert view.series[0].conflicts_per_s == ((2.0, 3.0), (3.0, 2.0))


def test_flow_control_is_a_share_of_the_time(tmp_path: Path) -> None:
    """Half a second of two."""
    rows: list[dict[str, object]] = [
        {"time_us": t, "node": "database-1", "wsrep_flow_control_paused_ns": paused}
        for t, paused in ((1_000_000, 0), (3_000_000, 500_000_000))
    ]
    assert view_of(tmp_path, rows).nodes[0].paused_share == pytest.approx(0.25)


def test_a_trial_that_was_not_watched_has_no_servers(tmp_path: Path) -> None:
    """The same where the file is of another form."""
    assert read_server_view(tmp_path, MARKS) == ServerView()
    (tmp_path / SERVER_FILE).write_text("time,what\n1,2\n", encoding="utf-8")
    assert read_server_view(tmp_path, MARKS) == ServerView()


def test_trials_together_have_means_and_peaks() -> None:
    """CPU 10 and 20 is 15 on average; the peak is the higher one; what one trial does not know the other says."""
    first = ServerView((NodeFigures("database-1", 10.0, 50.0, 60.0, conflicts=4.0),))
    second = ServerView((NodeFigures("database-1", 20.0, 40.0, 70.0, conflicts=None),))
    (one,) = together([first, second])
    assert (one.cpu_percent, one.max_cpu_percent, one.max_pss_mib, one.conflicts) == (15.0, 50.0, 70.0, 4.0)
