"""Consistency probes in the report: from probes.csv to tables, charts and files for programs."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from iam_loadtest.report import ReportFiles, write_report
from iam_loadtest.report.limits import limits
from iam_loadtest.results.trial import TrialCounts
from tests.analysis.cells import summary_of

from .synthetic import FakeRun, FakeTopology, write_fake_run

HEAD = (
    "worker,number,phase,probe,token,route,issued_by,read_by,started_us,delay_us,attempt,latency_us,outcome,verdict\n"
)
IN = 3_000_000
READS = [
    ("a", "b", 100, 1, "stale"),
    ("a", "b", 12_000, 2, "fresh"),
    ("a", "a", 200, 1, "fresh"),
    ("b", "a", 300, 1, "fresh"),
    ("b", "a", 60_000, 1, "fresh"),
]


def rows() -> str:
    """Three reads at once, one of them stale and seen after 12 ms, one later; two double redemptions; an audit."""
    numbers = iter([1, 1, 2, 3, 4])
    lines = [
        f"0,{next(numbers)},load,issue-refresh,refresh_token,pinned,{issued},{read},{IN},{delay},{attempt},9,ok,{verdict}"
        for issued, read, delay, attempt, verdict in READS
    ]
    for number, verdict in ((5, "doubled"), (6, "once")):
        lines += [f"0,{number},load,double-refresh,refresh_token,pinned,a,b,{IN},9,1,9,ok,{verdict}"] * 2
    lines += [
        f"0,{number},audit,issue-refresh,access_token,pinned,a,{node},{IN},9,1,9,ok,kept"
        for number in (2, 3)
        for node in "ab"
    ]
    return HEAD + "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ReportFiles:
    topologies = {"one": FakeTopology(nodes=("a", "b")), "two": FakeTopology(0.7, nodes=("a", "b"))}
    fake = FakeRun(topologies, {"refresh_token": ["issue", "refresh"]}, trials=1, window_s=2.0, users=4)
    run = write_fake_run(tmp_path_factory.mktemp("reports") / "run", fake)
    for trial in (run / "trials").iterdir():
        (trial / "probes.csv").write_text(rows())
    return write_report(run)


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8").replace("\\", "")


def test_reads_redemptions_and_the_audit_have_a_table_each(files: ReportFiles) -> None:
    """1 of 3 at once stale: Wilson's interval is 6.15 to 79.23 %; of two credentials none is missing: below 77.64 %."""
    text = text_of(files.markdown)
    shown = (
        "| refresh_token | one | issue-refresh | 4 | 3 | 33.33 % | 6.15–79.23 % | 0 of 0 | n/a | 12.0 | 12.0 | 0 | 0 |"
    )
    assert shown in text
    assert "| double-refresh | 2 | 1 | 50.00 % (9.45–90.55) | 0 | 0 % (below 77.64 %) | 0 | 0 | 0 |" in text
    assert "| refresh_token | one | issue-refresh | 2 | 0 | 0 % (below 77.64 %) |" in text
    assert "1 of 3 reads at once stale, 33.33 % (6.15–79.23); 1 of 2 double redemptions accepted twice" in text
    assert "0 of 2 credentials missing after the load, 0 % (below 77.64 %)." in text
    assert "no stale read seen is no proof" in text
    page = files.html.read_text(encoding="utf-8")
    assert '<a href="#consistency">Consistency</a>' in page
    assert '<section id="consistency">' in page


def test_the_charts_say_in_words_what_they_show(files: ReportFiles) -> None:
    page = files.html.read_text(encoding="utf-8")
    assert "one, issue-refresh: 0 ms 66.67 %, 50 ms 100 %" in page
    assert "one: a then a 0 of 1, a then b 1 of 1, b then a 0 of 1" in page
    svg = (files.html.parent / "charts" / "probe_nodes.svg").read_text(encoding="utf-8")
    squares = re.findall(r"<text[^>]*>(\d of \d)</text>", svg)
    assert squares == ["0 of 1", "1 of 1", "0 of 1"] * 2
    assert (files.html.parent / "charts" / "visibility_1.svg").exists()


def test_what_being_fresh_costs_is_a_chart(files: ReportFiles) -> None:
    """A point for each topology, p95 against stale reads at once; its figures stand in words beside it."""
    svg = (files.html.parent / "charts" / "price_1.svg").read_text(encoding="utf-8")
    assert {"one", "two", "stale reads at once, %", "chain p95, ms"} <= set(
        re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    )
    page = files.html.read_text(encoding="utf-8")
    assert re.search(r"one: 33\.33 % \(6\.15–79\.23\) stale, p95 [\d.]+ ms; two: 33\.33 %", page)


def test_programs_get_the_same_figures(files: ReportFiles) -> None:
    """summary.json and consistency.csv."""
    document = json.loads(files.json.read_text(encoding="utf-8"))
    reads, double, *_ = document["probes"]
    assert (reads["probe"], reads["stale_at_once"]["count"], reads["stale_at_once"]["of"]) == ("issue-refresh", 1, 3)
    assert [point["from_ms"] for point in reads["curve"]] == [0, 50]
    assert (reads["missing"]["of"], reads["missing"]["bound95"]) == (2, pytest.approx(0.776393, abs=1e-6))
    assert (double["doubled"]["count"], double["doubled"]["of"], double["missing"]) == (1, 2, None)
    assert {"topology": "one", "issued_by": "a", "read_by": "b"}.items() <= document["stale_at_once_by_nodes"][
        1
    ].items()
    with (files.html.parent / "consistency.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    found = {(row["probe"], row["what"], row["from_ms"]): (row["count"], row["of"]) for row in table}
    assert found["issue-refresh", "fresh", "0"] == ("2", "3")
    assert found["issue-refresh", "stale_at_once", ""] == ("1", "3")
    assert found["double-refresh", "doubled", ""] == ("1", "2")
    assert ("a", "b", "1", "1") in {(row["issued_by"], row["read_by"], row["count"], row["of"]) for row in table}


def test_credentials_that_the_audit_had_no_time_for_are_named_among_the_limits() -> None:
    """They have no row in probes.csv: 40 and 10 of 250 in two trials, and none in a third that has all of them."""
    plain = summary_of({("one", "w"): [(100.0, 50.0)] * 3})
    audits = ({"audited": 60, "no_time": 40}, {"audited": 90, "no_time": 10}, {"audited": 50, "no_time": 0})
    trials = [
        replace(one, trial=replace(one.trial, counts=TrialCounts(audit=audit)))
        for one, audit in zip(plain.trials, audits, strict=True)
    ]
    said = [text for text in limits(replace(plain, trials=tuple(trials)), ()) if "no time" in text]
    assert [text.partition(":")[0] for text in said] == [
        "After the load there was no time to read 50 of 250 credentials again at every node"
    ]
    assert not any("no time" in text for text in limits(replace(plain, trials=(trials[2],)), ()))


def test_a_run_without_probes_has_no_such_section(small_run: FakeRun, tmp_path: Path) -> None:
    """And no consistency.csv: one of an earlier report is removed."""
    run = write_fake_run(tmp_path / "run", replace(small_run, trials=1))
    (run / "consistency.csv").write_text("old")
    written = write_report(run)
    assert "consistency" not in written.html.read_text(encoding="utf-8").lower()
    assert "## Consistency" not in text_of(written.markdown)
    assert json.loads(written.json.read_text(encoding="utf-8"))["probes"] == []
    assert not (run / "consistency.csv").exists()
