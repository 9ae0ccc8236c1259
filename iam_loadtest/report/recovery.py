"""Faults in the report: what clients saw of each, over trials."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from iam_loadtest.analysis.cell import Cell
from iam_loadtest.analysis.estimate import Estimate
from iam_loadtest.analysis.recovery import CombinedRecovery, Recovery
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.report.findings_json import rounded
from iam_loadtest.report.table import Column, Entry, Table, words
from iam_loadtest.report.text import NO_DATA, count, number, plural, quoted, seconds

MOST_TOLD = 6
"""So many faults are told in the answer."""


def recovery_table(summary: RunSummary) -> Table:
    """One row per fault of each cell with counted trials."""
    columns = (
        *(Column("Workload"), Column("Topology"), Column("Fault"), Column("At", True), Column("Trials", True)),
        *(Column("First success s", True), Column("Longest gap s", True), Column("p95 back s", True)),
        *(Column("Not back", True), Column("Failed", True), Column("Lost", True), Column("Of requests", True)),
        Column("Failed in flight", True),
    )
    rows = [_row(cell, one) for cell in summary.cells for one in cell.recoveries]
    caption = (
        "Geometric mean [range] of the trials, from each fault to the next one or to the end of the window; the range "
        "alone where a trial has none, or never came so far. Failed: requests sent then that did not succeed; lost: "
        "those among them without an answer. Failed in flight: those sent before and without an answer yet, that "
        "failed; an earlier fault may have held them up and counts them too. First success: from the fault to the "
        "first success of a request sent after it, none where the next one came before. Longest gap: the longest time "
        "without any success. p95 back: until three seconds in a row have a p95 of successful requests no higher than "
        "any second before the first fault, half as many successes as usual or more, and no more than 5 % of failures "
        "(or those of the worst second before); n/a where it was not, where the window began less than 5 s before, or "
        "the next fault less than 3 s after. Not back: trials in which it was not. Faults within half a second of each "
        "other are one."
    )
    return Table("recovery", caption, columns, tuple(rows))


def recovery_sentences(summary: RunSummary) -> Iterator[tuple[str, str]]:
    """Each fault and what clients saw of it; of many those that left them longest without a success."""
    found = [(cell, one) for cell in summary.cells for one in cell.recoveries]
    worst = sorted(range(len(found)), key=lambda index: -(found[index][1].longest_gap_s.maximum or 0.0))
    for index in sorted(worst[:MOST_TOLD]):
        cell, one = found[index]
        yield f"{one.words}, {quoted(cell.topology)} under {cell.workload}", f"{'; '.join(_in_short(one))}."
    if len(found) > MOST_TOLD:
        more = plural(len(found) - MOST_TOLD, "more fault")
        yield "Faults", f"{more}: see faults and recovery; none left clients longer without a success."


def _in_short(one: CombinedRecovery) -> Iterator[str]:
    failed, caught = one.failed.maximum, one.failed_in_flight.maximum
    yield (
        f"{_counted(one.failed)} of {_counted(one.requests)} requests failed"
        if failed
        else "no request sent after it failed"
    )
    if caught:
        yield f"{_counted(one.failed_in_flight)} failed that it caught on their way"
    if one.no_success:
        yield f"no success within {_watched(one)} in {one.no_success} of {plural(one.trials, 'trial')}"
    yield f"longest time without a success {_shown(one.longest_gap_s)} s"
    if one.not_back:
        yield f"p95 not back within {_watched(one)} in {one.not_back} of {plural(one.trials, 'trial')}"
    elif one.p95_back_s.trials:
        yield f"p95 back after {_shown(one.p95_back_s)} s" if one.p95_back_s.maximum else "p95 as before at once"


def _watched(one: CombinedRecovery) -> str:
    return seconds(round(one.watched_s, 1))


def recovery_document(summary: RunSummary) -> list[dict[str, Any]]:
    """The same for programs, and each trial's own values; null means no data."""
    return [_document(cell, one) for cell in summary.cells for one in cell.recoveries]


def _row(cell: Cell, one: CombinedRecovery) -> tuple[Entry, ...]:
    times = (one.longest_gap_s, one.p95_back_s)
    return (
        *(words(cell.workload), words(cell.topology), words(one.words)),
        Entry(seconds(round(one.at_s, 1)), one.at_s),
        Entry(str(one.trials), one.trials),
        Entry(_with_none(one.first_success_s, one.no_success), _middle(one.first_success_s), _bad(one.no_success)),
        *(Entry(_shown(each), _middle(each)) for each in times),
        Entry(str(one.not_back), one.not_back, _bad(one.not_back)),
        *(Entry(_counted(each), _middle(each)) for each in (one.failed, one.lost)),
        Entry(count(round(_middle(one.requests) or 0)), _middle(one.requests)),
        Entry(_counted(one.failed_in_flight), _middle(one.failed_in_flight)),
    )


def _bad(number_of_trials: int) -> str:
    return "bad" if number_of_trials else ""


def _with_none(one: Estimate, without: int) -> str:
    """The time, and in how many trials it never came."""
    if not without:
        return _shown(one)
    return f"{_shown(one)}, none in {plural(without, 'trial')}" if one.trials else "none"


def _shown(one: Estimate) -> str:
    """What has no geometric mean, since some trials never came so far, has its range alone."""
    if one.minimum is None or one.maximum is None:
        return NO_DATA
    ends = dict.fromkeys((_time(one.minimum), _time(one.maximum)))
    span = "–".join(ends)
    return span if len(ends) == 1 or one.value is None else f"{_time(one.value)} [{span}]"


def _time(value_s: float) -> str:
    """To a hundredth of a second: a client's clock says no more of a fault."""
    return f"{value_s:.2f}" if value_s < 10 else number(value_s)


def _counted(one: Estimate) -> str:
    """The same of counts, whose ends are whole; one that is zero in some trials has no geometric mean."""
    if one.minimum is None or one.maximum is None:
        return NO_DATA
    ends = dict.fromkeys((f"{one.minimum:,.0f}", f"{one.maximum:,.0f}"))
    span = "–".join(ends)
    return span if len(ends) == 1 or one.value is None else f"{number(one.value)} [{span}]"


def _middle(one: Estimate) -> float | None:
    return one.maximum if one.value is None else one.value


def _document(cell: Cell, one: CombinedRecovery) -> dict[str, Any]:
    own = [recovery for trial in cell.counted for recovery in trial.recoveries if recovery.numbers == one.numbers]
    names = ("failed", "lost", "requests", "failed_in_flight", "first_success_s", "longest_gap_s", "p95_back_s")
    return {
        "topology": cell.topology,
        "workload": cell.workload,
        "fault": one.words,
        "at_s": rounded(one.at_s),
        "trials": one.trials,
        **{name: _range(getattr(one, name)) for name in names},
        "no_success": one.no_success,
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
        "target": one.targets,
        "watched_s": rounded(one.watched_s),
        "failed": one.failed,
        "lost": one.lost,
        "requests": one.requests,
        "failed_in_flight": one.failed_in_flight,
        "first_success_s": rounded(one.first_success_s),
        "longest_gap_s": rounded(one.longest_gap_s),
        "p95_limit_ms": rounded(one.p95_limit_ms),
        "p95_back_s": rounded(one.p95_back_s),
    }
