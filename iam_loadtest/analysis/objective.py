"""Objectives judged: whether the combined figure of each cell keeps its limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from iam_loadtest.analysis.cell import Cell
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.results.sample import WORKFLOW_STEP
from iam_loadtest.scenario.objective import Metric, Objective

_UNIT = {Metric.FAILURES: "%", Metric.THROUGHPUT: "/s"}


@dataclass(frozen=True)
class JudgedObjective:
    """One objective on one cell. ``value`` is in the metric's unit; None where no counted trial has the figure.

    The value is the estimate over the counted trials: the geometric mean for latency and throughput, the share
    over all of them together for failures.
    """

    objective: Objective
    topology: str
    workload: str
    value: float | None

    @property
    def is_met(self) -> bool:
        """Whether the figure is there and keeps its limit."""
        return self.value is not None and self.objective.is_met_by(self.value)

    def describe(self) -> str:
        """The cell, what was expected, and what was seen, in one line."""
        part = f" step {self.objective.step}" if self.objective.step else ""
        unit = _UNIT.get(self.objective.metric, " ms")
        seen = "no counted trial has the figure" if self.value is None else f"it is {self.value:.4g}{unit}"
        return f"{self.topology} / {self.workload}{part}: expected {self.objective.expect}; {seen}"


def judge_objectives(summary: RunSummary, objectives: Sequence[Objective]) -> tuple[JudgedObjective, ...]:
    """Every objective on every cell that it is about, in the order of the cells."""
    return tuple(
        JudgedObjective(objective, cell.topology, cell.workload, _value(cell, objective))
        for cell in summary.cells
        for objective in _about(cell, objectives)
    )


def _about(cell: Cell, objectives: Sequence[Objective]) -> Iterator[Objective]:
    steps = {part.name for part in cell.steps}
    for objective in objectives:
        right_workload = objective.workload in (None, cell.workload)
        if right_workload and (objective.step is None or objective.step in steps or objective.workload):
            yield objective


def _value(cell: Cell, objective: Objective) -> float | None:
    metric = objective.metric
    name = objective.step or (cell.requests.name if metric in _UNIT else WORKFLOW_STEP)
    part = next((part for part in cell.parts if part.name == name), None)
    if part is None:
        return None
    if metric is Metric.FAILURES:
        return None if part.failure_share is None else part.failure_share * 100
    if metric is Metric.THROUGHPUT:
        return part.throughput_per_s.value
    value: float | None = getattr(part, f"{metric}_ms").value
    return value
