"""Faults in the report: what clients saw of each, over trials."""

from __future__ import annotations

from typing import Any

from iam_loadtest.analysis.cell import Cell
from iam_loadtest.analysis.estimate import Estimate
from iam_loadtest.analysis.recovery import CombinedRecovery, Recovery
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.report.findings_json import rounded
from iam_loadtest.report.table import Column, Entry, Table, words
from iam_loadtest.report.text import number, seconds, with_range


def recovery_table(summary: RunSummary) -> Table:
    """One row per fault of each cell with counted trials."""
    columns = (
        *(Column("Workload"), Column("Topology"), Column("Fault"), Column("At", True), Column("Trials", True)),
        *(Column("Failed", True), Column("Lost", True), Column("Of requests", True)),
        *(Column("First success s", True), Column("Longest gap s", True), Column("p95 back s", True)),
        Column("Not back", True),
    )
    rows = [_row(cell, one) for cell in summary.cells for one in cell.recoveries]
    caption = (
        "Geometric mean and range of the trials, from each fault to the next one or to the end of the window. Failed: "
        "requests sent then that did not succeed; lost: those among them without an answer. First success: from the "
        "fault to the first success of a request sent after it. Longest gap: the longest time without any success. p95 "
        "back: until three seconds in a row have a p95 no higher than any second before the first fault, and at least "
        "half as many successes as usual; n/a where it was not, or the window began less than 5 s before. Not back: "
        "trials in which it was not."
    )
    return Table("recovery", caption, columns, tuple(rows))


def recovery_document(summary: RunSummary) -> list[dict[str, Any]]:
    """The same for programs, and each trial's own values; null means no data."""
    return [_document(cell, one) for cell in summary.cells for one in cell.recoveries]


def _row(cell: Cell, one: CombinedRecovery) -> tuple[Entry, ...]:
    estimates = (one.failed, one.lost, one.requests, one.first_success_s, one.longest_gap_s, one.p95_back_s)
    return (
        *(words(cell.workload), words(cell.topology), words(one.words)),
        Entry(seconds(round(one.at_s, 1)), one.at_s),
        Entry(str(one.trials), one.trials),
        *(Entry(_shown(each), _middle(each)) for each in estimates),
        Entry(str(one.not_back), one.not_back, "bad" if one.not_back else ""),
    )


def _shown(one: Estimate) -> str:
    """A count that is zero in some trials has no geometric mean: its range alone."""
    if one.value is None and one.trials:
        return f"{number(one.minimum)}–{number(one.maximum)}"
    return with_range(one)


def _middle(one: Estimate) -> float | None:
    return one.maximum if one.value is None else one.value


def _document(cell: Cell, one: CombinedRecovery) -> dict[str, Any]:
    own = [recovery for trial in cell.counted for recovery in trial.recoveries if recovery.fault.number == one.number]
    names = ("failed", "lost", "requests", "first_success_s", "longest_gap_s", "p95_back_s")
    return {
        "topology": cell.topology,
        "workload": cell.workload,
        "fault": one.words,
        "at_s": rounded(one.at_s),
        "trials": one.trials,
        **{name: _range(getattr(one, name)) for name in names},
        "p95_not_back": one.not_back,
        "by_trial": [_trial(recovery) for recovery in own],
    }


def _range(one: Estimate) -> dict[str, Any]:
    return {
        "geometric_mean": rounded(one.value),
        "minimum": rounded(one.minimum),
        "maximum": rounded(one.maximum),
        "trials": one.trials,
    }


def _trial(one: Recovery) -> dict[str, Any]:
    return {
        "target": one.fault.target,
        "watched_s": rounded(one.watched_s),
        "failed": one.failed,
        "lost": one.lost,
        "requests": one.requests,
        "first_success_s": rounded(one.first_success_s),
        "longest_gap_s": rounded(one.longest_gap_s),
        "p95_limit_ms": rounded(one.p95_limit_ms),
        "p95_back_s": rounded(one.p95_back_s),
    }
