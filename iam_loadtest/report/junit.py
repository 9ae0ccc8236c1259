"""junit.xml: objectives and trials as test cases, for pipelines that show such files.

A missed objective is a failure, one that the trials cannot decide is skipped, a trial that does not count is an error,
and one that is missing, or whose repetition counts, is skipped. Elements and attributes are those that Jenkins, GitLab
and Maven Surefire share.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.etree import ElementTree as ET

from iam_loadtest.analysis.objective import JudgedObjective
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.analysis.trial_summary import TrialSummary
from iam_loadtest.results.trial import Trial

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped."""


@dataclass(frozen=True)
class Case:
    """A test case; ``tag`` is failure, error or skipped, and empty where it passed."""

    group: str
    name: str
    tag: str = ""
    kind: str = ""
    message: str = ""
    time_s: float | None = None


def junit_xml(summary: RunSummary, objectives: Sequence[JudgedObjective]) -> str:
    """The file's text: a suite of objectives, where the scenario has any, and a suite of trials."""
    suites = [
        *([("objectives", [_objective_case(one) for one in objectives])] if objectives else []),
        ("trials", [*_trial_cases(summary), *_missing_cases(summary)]),
    ]
    every = [case for _, cases in suites for case in cases]
    counts = {name: count for name, count in _counts(every).items() if name != "skipped"}
    root = ET.Element("testsuites", {"name": _plain(summary.run.info.name), **counts})
    for name, cases in suites:
        root.append(_suite(f"{summary.run.info.name}: {name}", summary.run.info.started_at, cases))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(name: str, started_at: str, cases: Sequence[Case]) -> ET.Element:
    suite = ET.Element("testsuite", {"name": _plain(name), **_counts(cases), "timestamp": _plain(started_at[:19])})
    for case in cases:
        element = ET.SubElement(suite, "testcase", {"classname": _plain(case.group), "name": _plain(case.name)})
        if case.time_s is not None:
            element.set("time", f"{case.time_s:.3f}")
        if case.tag:
            ET.SubElement(element, case.tag, {"type": _plain(case.kind), "message": _plain(case.message)})
    return suite


def _counts(cases: Sequence[Case]) -> dict[str, str]:
    tags = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    return {
        "tests": str(len(cases)),
        **{name: str(sum(case.tag == tag for case in cases)) for name, tag in tags.items()},
    }


def _objective_case(one: JudgedObjective) -> Case:
    of = f" of step {one.objective.step}" if one.objective.step else ""
    group, name = _group(one.topology, one.workload), f"{one.objective.expect}{of}"
    if one.is_met:
        return Case(group, name)
    if not one.is_missed:
        return Case(group, name, "skipped", "objective undecided", one.describe())
    return Case(group, name, "failure", "objective missed", one.describe())


def _trial_cases(summary: RunSummary) -> list[Case]:
    """As the exit code has it: a trial that did not count is no error where its repetition did."""
    done = {one.trial.position for one in summary.counted}
    return [_trial_case(one, one.trial.position in done) for one in summary.trials]


def _trial_case(one: TrialSummary, is_made_up_for: bool) -> Case:
    trial = one.trial
    case = _group(trial.topology, trial.workload), trial.id
    time_s = _length_s(trial)
    if one.excluded is None:
        return Case(*case, time_s=time_s)
    return Case(*case, "skipped" if is_made_up_for else "error", f"trial {trial.status}", one.excluded, time_s)


def _missing_cases(summary: RunSummary) -> list[Case]:
    ended = {one.trial.id for one in summary.trials}
    return [
        Case(
            _group(one.topology, one.workload), one.id, "skipped", "trial missing", "planned, not run yet or not ended"
        )
        for one in summary.missing
        if one.id not in ended
    ]


def _group(topology: str, workload: str) -> str:
    """Topology and workload as class names have it: parts of a path."""
    return f"{topology}.{workload}"


def _length_s(trial: Trial) -> float | None:
    try:
        return (datetime.fromisoformat(trial.ended_at) - datetime.fromisoformat(trial.started_at)).total_seconds()
    except ValueError:
        return None


def _plain(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
