"""A report of a run with faults: recovery, marks in the charts, and the servers under the clients' view."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from iam_loadtest.report import ReportFiles, write_report
from iam_loadtest.results.fault import FaultRecord
from iam_loadtest.results.run import read_run
from iam_loadtest.results.server_file import COLUMNS, SERVER_FILE
from iam_loadtest.results.trial import write_trial

from .synthetic import FakeRun, FakeTopology, default_run, write_fake_run


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> ReportFiles:
    """Two trials of one topology, in which a frontend is killed 6 s into a window of 12 s; it was watched."""
    fake: FakeRun = replace(
        default_run(),
        topologies={"geo": FakeTopology(nodes=("frontend-1", "frontend-2"), provider="lab")},
        workloads={"refresh_token": ["issue", "refresh"]},
        trials=2,
        window_s=12.0,
        users=4,
    )
    directory = write_fake_run(tmp_path_factory.mktemp("faults") / "run", fake)
    for trial in read_run(directory).trials:
        start_us = trial.marks.window_start_us or 0
        fault = FaultRecord(0, "kill", "frontend-2", "frontend-2", "SIGKILL to frontend-2", start_us + 6_000_000)
        write_trial(read_run(directory).trial_directory(trial), replace(trial, faults=(fault,)))
        _write_servers(read_run(directory).trial_directory(trial) / SERVER_FILE)
    return write_report(directory)


def _write_servers(path: Path) -> None:
    """Two frontends, of which the second one is silent from 8 s on."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for second in range(14):
            for node in ("frontend-1", "frontend-2", "observer"):
                alive = node != "frontend-2" or second < 8
                values = {"cpu_percent": 25, "proxy_requests": 10 * second} if alive else {}
                writer.writerow({"time_us": second * 1_000_000, "node": node, **values})


def test_each_fault_has_its_recovery(broken: ReportFiles) -> None:
    """In the page, its Markdown twin, and for programs trial by trial."""
    (one,) = json.loads(broken.json.read_text(encoding="utf-8"))["recovery"]
    assert (one["topology"], one["fault"], one["at_s"], one["trials"]) == ("geo", "kill frontend-2", 6.0, 2)
    assert [trial["target"] for trial in one["by_trial"]] == ["frontend-2", "frontend-2"]
    assert one["failed"] == {"geometric_mean": 0.0, "minimum": 0.0, "maximum": 0.0, "trials": 2}
    for file in (broken.html, broken.markdown):
        assert "Faults and recovery" in file.read_text(encoding="utf-8")


def test_the_answer_says_what_clients_saw_of_it(broken: ReportFiles) -> None:
    answer = broken.markdown.read_text(encoding="utf-8").replace("\\", "").split("### What these data")[0]
    assert "- **kill frontend-2, “geo” under refresh_token**: no request sent after it failed; longest time" in answer
    limits = broken.markdown.read_text(encoding="utf-8").split("### What these data")[1]
    assert "Faults were done on purpose" in limits


def test_faults_are_marked_and_named_over_time(broken: ReportFiles) -> None:
    charts = broken.html.parent / "charts"
    assert "kill frontend-2" in (charts / "timeline_1.svg").read_text(encoding="utf-8")
    assert "Red: faults" in (charts / "timeline_1.svg").read_text(encoding="utf-8")


def test_the_servers_stand_under_the_clients_view(broken: ReportFiles) -> None:
    """A line per node, and their figures; the observer's own CPU is in the table alone."""
    chart = (broken.html.parent / "charts" / "servers_1.svg").read_text(encoding="utf-8")
    assert "frontend-2" in chart
    assert "observer" not in chart
    table = broken.markdown.read_text(encoding="utf-8").split("### The servers", 1)[1]
    assert "| refresh\\_token | geo | observer | 25.0 |" in table


def test_a_trial_with_faults_is_asked_for_no_steady_state(broken: ReportFiles) -> None:
    document = json.loads(broken.json.read_text(encoding="utf-8"))
    assert document["trials_counted"] == 2
    assert {trial["steadiness"]["judged"] for trial in document["trials"]} == {False}


def test_a_run_without_them_has_neither(finished: ReportFiles) -> None:
    text = finished.markdown.read_text(encoding="utf-8")
    assert "Faults and recovery" not in text
    assert "### The servers" not in text
    assert json.loads(finished.json.read_text(encoding="utf-8"))["recovery"] == []
