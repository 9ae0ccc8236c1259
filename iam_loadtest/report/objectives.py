"""The scenario's objectives in the report: each judged on every cell that it is about."""

from __future__ import annotations

from collections.abc import Sequence

from iam_loadtest.analysis.objective import JudgedObjective, Judgement, judge_objectives, objectives_of
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.report.table import Column, Entry, Table, words
from iam_loadtest.report.text import NO_DATA, listed, plural, quoted
from iam_loadtest.scenario.objective import Metric

MAX_NAMED = 3
"""So many missed objectives are named in a sentence."""


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
        Column("Between", True),
        Column("Over", True),
        Column("Verdict"),
    )
    caption = (
        "Objectives of the scenario against the figure over the counted trials: geometric mean for latency and "
        "throughput, all trials together for failures. Between: its 95 % interval, never narrower than the range of "
        "unstable trials or than the number of requests leaves open; the range alone below three trials. Met "
        "and missed are said where the whole interval lies on one side of the limit, or nothing succeeded at all; a "
        "limit of failures is not met where a trial left out for its failures did not keep it. Undecided is neither: "
        "run more trials, three at least."
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
        Entry(_between(entry), entry.low),
        Entry(f"{plural(entry.trials, 'trial')}{', interval' if entry.is_interval else ''}", entry.trials),
        Entry(entry.judgement, mark="bad" if entry.is_missed else "quiet" if not entry.is_met else ""),
    )


def _between(entry: JudgedObjective) -> str:
    if entry.low is None or entry.high is None:
        return NO_DATA
    return f"{entry.low:.4g}–{entry.high:.4g}"


def _seen(entry: JudgedObjective) -> str:
    if entry.value is None:
        return NO_DATA
    unit = {Metric.FAILURES: "%", Metric.THROUGHPUT: "/s"}.get(entry.objective.metric, "ms")
    return f"{entry.value:.4g} {unit}"


def objective_words(entries: Sequence[JudgedObjective]) -> str:
    """How many are met, missed and undecided, and on which cells they are missed; empty without objectives."""
    if not entries:
        return ""
    counts = [f"{sum(one.judgement is which for one in entries)} {which}" for which in Judgement]
    missed = [
        f"{one.objective.expect} with {quoted(one.topology)} under {one.workload}" for one in entries if one.is_missed
    ]
    shown = [*missed[:MAX_NAMED], *([f"{len(missed) - MAX_NAMED} more"] if len(missed) > MAX_NAMED else [])]
    return f"Objectives: {listed(counts)}.{f' Missed: {listed(shown)}.' if shown else ''}"
