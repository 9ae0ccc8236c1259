"""The comparisons with the baseline, in a table and in words."""

from __future__ import annotations

from collections.abc import Sequence

from iam_loadtest.analysis.comparison import Comparison, Verdict, comparisons_made
from iam_loadtest.analysis.resolution import MAX_TRIALS_TO_RESOLVE
from iam_loadtest.report.table import Column, Entry, Table, ratio_entry, whole, words
from iam_loadtest.report.text import NO_DATA, number, quoted


def comparison_table(comparisons: Sequence[Comparison]) -> Table:
    """One row per workload, topology and metric; rows without a verdict say why."""
    columns = (
        Column("Workload"),
        Column("Topology"),
        Column("Metric"),
        Column("Ratio", True),
        Column("95 % interval", True),
        Column("Verdict", wide=True),
        Column("p (Holm)", True),
        Column("Could show", True),
        Column("Trials to tell", True),
    )
    return Table("comparisons", _caption(comparisons), columns, tuple(_row(one) for one in comparisons))


def _caption(comparisons: Sequence[Comparison]) -> str:
    baseline = comparisons[0].baseline if comparisons else NO_DATA
    what = f"Ratio to {quoted(baseline)}: throughput of successful requests and p95 of whole chains."
    ranked = comparisons_made(comparisons)
    if not ranked:
        return f"{what} {NOT_RANKED_NOTE}"
    return (
        f"{what} {allowed_for(ranked)} Intervals hold for all topologies of a workload at once. "
        "Could show: half the interval's width; a true difference of that size is shown about every second time. "
        "Trials to tell: how many of each topology would resolve the margin at the spread seen."
        f"{f' {NOT_RANKED_NOTE}' if ranked < len(comparisons) else ''}"
    )


NOT_RANKED_NOTE = "A row that is not ranked says why; it has no ratio, since one without an interval tells nothing."


def allowed_for(ranked: int) -> str:
    """What the verdicts allow for, in a sentence; empty where nothing is ranked."""
    if ranked < 2:
        return "BETTER and WORSE rest on the one comparison that was made." if ranked else ""
    return f"BETTER and WORSE allow for {ranked} comparisons by Holm's method."


def _row(one: Comparison) -> tuple[Entry, ...]:
    return (
        words(one.workload),
        words(one.topology),
        words(one.metric.name),
        ratio_entry(one.ratio),
        Entry(interval_words(one), one.low),
        Entry(verdict_words(one), mark=_MARKS.get(one.verdict, "") if one.verdict else "quiet"),
        Entry(NO_DATA if one.p_value is None else _p(one.p_value), one.p_value),
        _change(one.detectable),
        _to_tell(one),
    )


def resolution_table(comparisons: Sequence[Comparison]) -> Table:
    """Per workload and metric: the spread between trials, and what 3, 5 or 10 trials of each topology show at it."""
    ranked = {(one.workload, one.metric.name): one for one in comparisons if one.resolution}
    numbers = sorted({row.trials for one in ranked.values() for row in one.resolution})
    columns = (
        Column("Workload"),
        Column("Metric"),
        Column("Spread between trials", True),
        Column("Margin", True),
        *(Column(f"{trials} trials show", True) for trials in numbers),
    )
    caption = (
        "The smallest change of a ratio that so many trials of each topology tell from none, at the spread seen here "
        "(standard deviation of the logarithms over trials). Choose the number of trials from the change that matters."
    )
    rows = [_resolution_row(one, numbers) for one in ranked.values()]
    return Table("resolution", caption, columns, tuple(rows))


def _resolution_row(one: Comparison, numbers: Sequence[int]) -> tuple[Entry, ...]:
    shown = {row.trials: row.half_width for row in one.resolution}
    return (
        words(one.workload),
        words(one.metric.name),
        _change(one.sd_log),
        _change(one.margin),
        *(_change(shown.get(trials)) for trials in numbers),
    )


def _change(value: float | None) -> Entry:
    return Entry(NO_DATA if value is None else f"{number(100 * value)} %", value)


def _to_tell(one: Comparison) -> Entry:
    if one.verdict is None or one.trials_to_resolve:
        return whole(one.trials_to_resolve)
    return Entry(f"over {MAX_TRIALS_TO_RESOLVE}" if one.verdict is Verdict.INCONCLUSIVE else "enough")


_MARKS = {Verdict.BETTER: "good", Verdict.WORSE: "bad"}


def verdict_words(one: Comparison) -> str:
    """The verdict, with "materially" where all of the interval lies beyond the margin; or why there is none."""
    if one.verdict is None:
        return f"not ranked: {one.not_ranked}"
    return f"{one.verdict}, materially" if one.is_material else str(one.verdict)


def ratio_words(one: Comparison) -> str:
    """Ratio, interval and verdict in one line."""
    if one.verdict is None or one.ratio is None:
        return "not ranked"
    return f"×{number(one.ratio)} [{interval_words(one)}] {verdict_words(one)}"


def interval_words(one: Comparison) -> str:
    """The 95 % interval of the ratio; n/a where there is none."""
    if one.low is None or one.high is None:
        return NO_DATA
    return f"{number(one.low)}–{number(one.high)}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
