"""Objectives: judged on the figure over the counted trials, per cell."""

from __future__ import annotations

import pytest

from iam_loadtest.analysis.objective import judge_objectives
from iam_loadtest.scenario.objective import Objective

from .cells import summary_of

SUMMARY = summary_of({("base", "access"): [(100.0, 50.0), (400.0, 50.0)], ("base", "idle"): [(0.0, None)]})


def judged(expect: str, **about: str) -> list[tuple[str, float | None, bool]]:
    objective = Objective(expect=expect, **about)
    return [(one.workload, one.value, one.is_met) for one in judge_objectives(SUMMARY, [objective])]


@pytest.mark.parametrize(
    ("expect", "value", "met"),
    [
        ("p95 < 60ms", 50.0, True),
        ("p95 < 0.05s", 50.0, False),
        ("throughput > 199/s", 200.0, True),
        ("throughput >= 201/s", 200.0, False),
        ("failures < 1%", 0.0, True),
    ],
)
def test_an_objective_is_about_the_geometric_mean_or_the_share(expect: str, value: float, met: bool) -> None:
    """100 and 400 requests per second come to 200."""
    workload, seen, is_met = judged(expect, workload="access")[0]
    assert (workload, seen, is_met) == ("access", pytest.approx(value), met)


def test_no_data_is_a_miss() -> None:
    """A latency that nobody measured keeps no limit, and a missing step neither."""
    assert judged("p95 < 1s", workload="idle") == [("idle", None, False)]
    assert judged("p95 < 1s", workload="idle", step="refresh") == [("idle", None, False)]


def test_an_objective_without_a_workload_is_about_every_cell() -> None:
    """One with a step only about workloads that have it."""
    assert [workload for workload, _, _ in judged("p95 < 1s")] == ["access", "idle"]
    assert judged("p95 < 1s", step="refresh") == []


def test_the_description_names_the_cell_and_both_figures() -> None:
    """For the last lines of a run."""
    missed, unknown = judge_objectives(SUMMARY, [Objective(expect="p95 < 10ms")])
    assert missed.describe() == "base / access: expected p95 < 10ms; it is 50 ms"
    assert unknown.describe() == "base / idle: expected p95 < 10ms; no counted trial has the figure"
