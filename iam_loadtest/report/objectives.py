"""The scenario's objectives in the report: each judged on every cell that it is about."""

from __future__ import annotations

from iam_loadtest.analysis.objective import JudgedObjective, judge_objectives, objectives_of
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.report.table import Column, Entry, Table, words
from iam_loadtest.report.text import NO_DATA
from iam_loadtest.scenario.objective import Metric


def judged(summary: RunSummary) -> tuple[JudgedObjective, ...]:
    """The objectives of run.json judged; one that this version cannot read is left out."""
    return judge_objectives(summary, objectives_of(summary.run.info.scenario))


def objective_table(entries: tuple[JudgedObjective, ...]) -> Table:
    """One row per objective and cell."""
    columns = (
        Column("Workload"),
        Column("Topology"),
        Column("Of"),
        Column("Expected"),
        Column("Seen", True),
        Column("Verdict"),
    )
    caption = (
        "Objectives of the scenario against the figure over the counted trials: geometric mean for latency and "
        "throughput, all trials together for failures. Met and missed are said where the 95 % interval of the trials, "
        "or every trial where there is no interval, lies on one side of the limit."
    )
    return Table("objectives-judged", caption, columns, tuple(_row(entry) for entry in entries))


def _row(entry: JudgedObjective) -> tuple[Entry, ...]:
    objective = entry.objective
    whole = "all requests" if objective.metric in {Metric.FAILURES, Metric.THROUGHPUT} else "whole chain"
    return (
        words(entry.workload),
        words(entry.topology),
        words(objective.step or whole),
        words(objective.expect),
        Entry(_seen(entry), entry.value),
        Entry(entry.judgement, mark="bad" if entry.is_missed else "quiet" if not entry.is_met else ""),
    )


def _seen(entry: JudgedObjective) -> str:
    if entry.value is None:
        return NO_DATA
    unit = {Metric.FAILURES: "%", Metric.THROUGHPUT: "/s"}.get(entry.objective.metric, "ms")
    return f"{entry.value:.4g} {unit}"
