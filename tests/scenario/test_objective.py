"""Objectives are read as people say them and compared in one unit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.scenario.objective import Metric, Objective, parse_expectation


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p95 < 500ms", (Metric.P95, "<", 500)),
        ("p95 < 0.5s", (Metric.P95, "<", 500)),
        ("  p50<=2 s ", (Metric.P50, "<=", 2000)),
        ("p99 < 1.5 ms", (Metric.P99, "<", 1.5)),
        ("p80 > 1ms", (Metric.P80, ">", 1)),
        ("failures < 1%", (Metric.FAILURES, "<", 1)),
        ("failures <= 0.1 %", (Metric.FAILURES, "<=", 0.1)),
        ("throughput > 300/s", (Metric.THROUGHPUT, ">", 300)),
        ("throughput >= 12.5 /s", (Metric.THROUGHPUT, ">=", 12.5)),
    ],
)
def test_an_objective_is_read_with_its_unit(text: str, expected: tuple[Metric, str, float]) -> None:
    """Latencies become milliseconds, failures percent, throughput per second."""
    assert parse_expectation(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *["", "p95", "p95 <", "p95 < 500", "p90 < 5ms", "p95 = 5ms", "p95 < 5%", "failures < 5ms", "failures < 1"],
        *["throughput > 300", "throughput > 5ms", "p95 < -5ms", "p95 < 5ms and failures < 1%", "fast"],
    ],
)
def test_an_objective_without_metric_comparison_or_fitting_unit_is_refused(text: str) -> None:
    """The message shows the forms."""
    with pytest.raises(ValueError, match=r"must be like `p95 < 500ms`"):
        parse_expectation(text)


@pytest.mark.parametrize(
    ("text", "kept", "missed"),
    [
        ("p95 < 500ms", [499.999, 0], [500, 501]),
        ("p95 <= 500ms", [500], [500.001]),
        ("failures < 1%", [0, 0.999], [1, 100]),
        ("throughput > 300/s", [300.001], [300, 0]),
        ("throughput >= 300/s", [300], [299.999]),
    ],
)
def test_a_limit_is_kept_on_its_right_side_only(text: str, kept: list[float], missed: list[float]) -> None:
    """At the limit itself only `<=` and `>=` hold."""
    objective = Objective.model_validate(text)
    assert all(objective.is_met_by(value) for value in kept)
    assert not any(objective.is_met_by(value) for value in missed)


@given(
    st.sampled_from(["p50", "p80", "p95", "p99"]),
    st.sampled_from(["<", "<=", ">", ">="]),
    st.decimals(0, 100_000, places=3),
)
def test_seconds_and_milliseconds_are_the_same_limit(metric: str, comparison: str, limit_s: object) -> None:
    """1.234s is 1234ms."""
    in_s = Objective.model_validate(f"{metric} {comparison} {limit_s}s")
    in_ms = Objective.model_validate(f"{metric} {comparison} {float(str(limit_s)) * 1000:.6f}ms")
    assert in_s.metric == in_ms.metric
    assert in_s.limit == pytest.approx(in_ms.limit)


def test_an_objective_may_be_for_one_workload_and_step() -> None:
    """The long form has the same text below `expect`."""
    objective = Objective.model_validate({"workload": "workflow", "step": "exchange", "expect": "p99 < 2s"})
    assert (objective.workload, objective.step, objective.metric, objective.limit) == (
        "workflow",
        "exchange",
        Metric.P99,
        2000,
    )
