"""What probes saw in a trial, counted from its file."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from iam_loadtest.analysis.probe import BINS_MS, delay_bin, read_probes
from iam_loadtest.flow.probe import SCHEDULE_MS
from iam_loadtest.results.probe import PROBES_FILE, ProbeRow
from iam_loadtest.results.trial import WindowMarks

MARKS = WindowMarks(0, 1_000_000, 2_000_000, 3_000_000)
GOOD: dict[str, Any] = {
    "number": 1, "phase": "load", "probe": "issue-introspect", "token": "access_token", "route": "pinned",
    "issued_by": "a", "read_by": "b", "started_us": 1_500_000, "delay_us": 0, "attempt": 1, "latency_us": 900,
    "outcome": "ok", "verdict": "fresh",
}  # fmt: skip


def row(number: int, **changes: Any) -> ProbeRow:
    return ProbeRow(**{**GOOD, "number": number, **changes})


def write(directory: Path, *rows: ProbeRow, worker: int = 0) -> None:
    with (directory / PROBES_FILE).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("worker", *ProbeRow._fields))
        writer.writerows((worker, *one) for one in rows)


def test_bins_begin_where_the_schedule_has_its_delays() -> None:
    """A read that was to come after 2 ms and came after 4.9 ms tells of 2 ms and more."""
    assert BINS_MS == SCHEDULE_MS
    assert [delay_bin(us) for us in (0, 999, 1000, 4900, 5000, 1_999_999, 9_000_000)] == [0, 0, 1, 2, 3, 10, 11]


def test_first_reads_count_by_delay_and_what_was_read_again_says_how_long_it_took(tmp_path: Path) -> None:
    """Probe 1 fresh at once, 2 stale and seen after 20 ms, 3 stale and never seen, 4 without a verdict."""
    write(
        tmp_path,
        row(1, route="balancer"),
        row(2, delay_us=300, verdict="stale"),
        row(2, delay_us=10_000, attempt=2, verdict="stale"),
        row(2, delay_us=20_100, attempt=3, started_us=2_500_000),
        row(3, delay_us=51_000, verdict="stale"),
        row(4, verdict="failed", outcome="timeout"),
    )
    found = read_probes(tmp_path, MARKS)
    assert found is not None
    kind = "issue-introspect"
    assert found.reads == {(kind, 0, "fresh"): 1, (kind, 0, "stale"): 1, (kind, 6, "stale"): 1, (kind, 0, "failed"): 1}
    assert found.at_once == {(kind, "fresh"): 1, (kind, "stale"): 1, (kind, "failed"): 1}
    assert found.balanced == {(kind, "fresh"): 1}
    assert found.pairs == {("a", "b", False): 1, ("a", "b", True): 1}
    assert (found.visible_us, found.unseen) == ({kind: (20_100,)}, {kind: 1})


def test_only_reads_sent_in_the_window_count(tmp_path: Path) -> None:
    """The window holds its start and not its end."""
    write(tmp_path, *(row(n, started_us=us) for n, us in enumerate((999_999, 1_000_000, 1_999_999, 2_000_000))))
    found = read_probes(tmp_path, MARKS)
    assert found is not None
    assert sum(found.reads.values()) == 2
    without = read_probes(tmp_path, WindowMarks())
    assert without is not None
    assert without.reads == {}


def test_a_double_redemption_counts_once_and_a_failed_write_is_no_read(tmp_path: Path) -> None:
    """Two rows of one probe, with a third where it was tried again."""
    double = {"probe": "double-refresh", "token": "refresh_token"}
    write(
        tmp_path,
        row(1, **double, verdict="once"),
        row(1, **double, verdict="once"),
        row(2, **double, verdict="lost"),
        row(2, **double, verdict="lost"),
        row(2, **double, verdict="lost", attempt=2),
        row(3, **double, verdict="failed", attempt=0, delay_us=""),
    )
    found = read_probes(tmp_path, MARKS)
    assert found is not None
    assert found.redemptions == {("double-refresh", "once"): 1, ("double-refresh", "lost"): 1}
    assert (found.reads, found.unwritten) == ({}, {"double-refresh": 1})
    assert found.kinds == ("double-refresh",)


def test_a_credential_is_missing_where_one_node_does_not_have_it(tmp_path: Path) -> None:
    """Whenever it was given out: the audit is of the whole trial. There was no time to ask b for the last one."""
    audit = {"phase": "audit", "started_us": 2_900_000}
    write(
        tmp_path,
        row(1, **audit, read_by="a", verdict="kept"),
        row(1, **audit, read_by="b", verdict="missing"),
        *(row(1, **audit, token="refresh_token", read_by=node, verdict="kept") for node in "ab"),
        row(2, **audit, read_by="a", verdict="kept"),
        row(2, **audit, read_by="b", verdict="failed"),
        *(row(3, **audit, read_by=node, verdict="kept") for node in "ab"),
        row(4, **audit, read_by="a", verdict="kept"),
    )
    found = read_probes(tmp_path, MARKS)
    assert found is not None
    kind = "issue-introspect"
    assert found.audit == {
        (kind, "access_token", "missing"): 1,
        (kind, "refresh_token", "kept"): 1,
        (kind, "access_token", "failed"): 2,
        (kind, "access_token", "kept"): 1,
    }


def test_the_same_number_of_another_worker_is_another_probe(tmp_path: Path) -> None:
    write(tmp_path, row(1, verdict="stale"))
    own = (tmp_path / PROBES_FILE).read_text()
    write(tmp_path, row(1, attempt=2, delay_us=5000), worker=1)
    other = (tmp_path / PROBES_FILE).read_text().splitlines()[1]
    (tmp_path / PROBES_FILE).write_text(f"{own}{other}\n")
    found = read_probes(tmp_path, MARKS)
    assert found is not None
    assert (found.visible_us, found.unseen) == ({}, {"issue-introspect": 1})


def test_no_file_and_a_file_of_another_form_are_no_counts(tmp_path: Path) -> None:
    assert read_probes(tmp_path, MARKS) is None
    (tmp_path / PROBES_FILE).write_text("something,else\n1,2\n")
    assert read_probes(tmp_path, MARKS) is None
    write(tmp_path, row(1, verdict="curious"))
    assert read_probes(tmp_path, MARKS) is None
