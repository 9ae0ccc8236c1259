"""junit.xml: what pipelines show, of the elements and attributes that Jenkins, GitLab and Surefire share."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from iam_loadtest.report import ReportFiles, write_report
from iam_loadtest.results.trial import TrialStatus

from .synthetic import FakeRun, FakeTopology, write_fake_run

Report = Callable[[FakeRun], ReportFiles]
REQUIRED = {
    "testsuites": set(),
    "testsuite": {"name", "tests", "failures", "errors"},
    "testcase": {"name"},
    "failure": set(),
    "error": set(),
    "skipped": set(),
}
ALLOWED = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname", "id", "package"},
    "testcase": {"name", "classname", "time"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": {"type", "message"},
}
CHILDREN = {"testsuites": {"testsuite"}, "testsuite": {"testcase"}, "testcase": {"failure", "error", "skipped"}}


def with_objectives(run: Path, *objectives: object) -> Path:
    """The run with these objectives in its scenario."""
    document = json.loads((run / "run.json").read_text())
    document["scenario"]["objectives"] = list(objectives)
    (run / "run.json").write_text(json.dumps(document))
    return run


def read(files: ReportFiles) -> ET.Element:
    """The document, after a look at its structure and its counts."""
    root = ET.parse(files.junit).getroot()
    assert root.tag == "testsuites"
    for element in root.iter():
        assert REQUIRED[element.tag] <= set(element.attrib) <= ALLOWED[element.tag]
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
    for suite in root.iter("testsuite"):
        assert int(suite.attrib["tests"]) == len(suite)
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.attrib[name]) == len(suite.findall(f"testcase/{tag}"))
    return root


def cases(root: ET.Element, suite: str) -> dict[tuple[str, str], tuple[str, str]]:
    """Tag and message of each case of a suite by class and name; empty where it passed."""
    found = next(one for one in root if one.attrib["name"].endswith(f": {suite}"))
    return {
        (case.attrib["classname"], case.attrib["name"]): (case[0].tag, case[0].attrib["message"])
        if len(case)
        else ("", "")
        for case in found
    }


def test_a_run_without_objectives_has_its_trials(finished: ReportFiles) -> None:
    """Each with the time that it took."""
    root = read(finished)
    assert [suite.attrib["name"] for suite in root] == ["two-frontends: trials"]
    assert root.attrib["tests"] == "18"
    assert set(cases(root, "trials").values()) == {("", "")}
    assert {case.attrib["time"] for case in root.iter("testcase")} == {"12.000"}


@pytest.mark.usefixtures("no_charts")
def test_objectives_are_cases_of_their_topology_and_workload(small_run: FakeRun, tmp_path: Path) -> None:
    """A missed one says what was expected and what was seen."""
    run = write_fake_run(tmp_path / "run", small_run)
    step = {"expect": "p95 < 60s", "workload": "refresh_token", "step": "refresh"}
    files = write_report(with_objectives(run, "p95 < 1ms", step, "failures < 1.2%"))
    root = read(files)
    found = cases(root, "objectives")
    assert found["one.refresh_token", "p95 < 60s of step refresh"] == ("", "")
    tag, message = found["two.refresh_token", "p95 < 1ms"]
    assert tag == "failure"
    assert message.startswith("two / refresh_token: expected p95 < 1ms; it is ")
    tag, message = found["two.refresh_token", "failures < 1.2%"]
    assert tag == "skipped"
    assert "95 % interval" in message
    assert "Objectives: 3 met, 2 missed and 1 undecided. Missed: p95 < 1ms with “one” under refresh_token and " in (
        files.markdown.read_text(encoding="utf-8").replace("\\", "")
    )


@pytest.mark.usefixtures("no_charts")
def test_trials_that_do_not_count_are_errors_and_missing_ones_are_skipped(
    small_run: FakeRun, report_of: Report
) -> None:
    """With the reason, so that a pipeline shows it."""
    invalid, missing = "001-one-refresh_token-t1", "002-two-refresh_token-t1"
    fake = replace(
        small_run, endings={invalid: (TrialStatus.INVALID, "worker 1 was lost")}, missing=frozenset({missing})
    )
    found = cases(read(report_of(fake)), "trials")
    assert found["one.refresh_token", invalid] == ("error", "worker 1 was lost")
    assert found["two.refresh_token", missing] == ("skipped", "planned, not run yet or not ended")
    assert len(found) == 6


@pytest.mark.usefixtures("no_charts")
def test_what_xml_cannot_hold_is_replaced(small_run: FakeRun, report_of: Report) -> None:
    """A server's error text may hold anything."""
    reason = '<bell \x07 & "quotes" \']]>\x00'
    fake = replace(small_run, trials=1, topologies={"one": FakeTopology()})
    files = report_of(replace(fake, endings={"001-one-refresh_token-t1": (TrialStatus.INVALID, reason)}))
    message = cases(read(files), "trials")["one.refresh_token", "001-one-refresh_token-t1"][1]
    assert message == '<bell \ufffd & "quotes" \']]>\ufffd'
