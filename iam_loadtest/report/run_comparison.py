"""One run against another, in a table and in lines."""

from __future__ import annotations

from collections.abc import Iterator

from iam_loadtest.analysis.run_comparison import RunComparison
from iam_loadtest.report.comparisons import NOT_RANKED_NOTE, interval_words, verdict_words
from iam_loadtest.report.table import Column, Entry, Table, ratio_entry, words
from iam_loadtest.report.text import NO_DATA, share_with_interval


def run_comparison_table(comparison: RunComparison) -> Table:
    """One row per topology, workload and metric that both runs have."""
    columns = (
        Column("Workload"),
        Column("Topology"),
        Column("Metric"),
        Column("Ratio", True),
        Column("95 % interval", True),
        Column("Could show", True),
        Column("Trials", True),
        Column("Verdict", wide=True),
    )
    rows = tuple(
        (
            words(one.workload),
            words(one.topology),
            words(one.metric.name),
            ratio_entry(one.ratio),
            Entry(interval_words(one), one.low),
            Entry(NO_DATA if one.detectable is None else f"{one.detectable * 100:.1f} %", one.detectable),
            Entry(f"{one.trials[0]} and {one.trials[1]}", min(one.trials)),
            Entry(verdict_words(one)),
        )
        for one in comparison.comparisons
    )
    caption = (
        "Candidate over baseline. Could show: half the interval's width; a true difference of that size is shown about "
        f"every second time. {NOT_RANKED_NOTE}"
    )
    return Table("run-comparison", caption, columns, rows)


def failure_lines(comparison: RunComparison) -> Iterator[str]:
    """Each cell whose failure share is not zero in both runs, with the 95 % intervals."""
    for one in comparison.failures:
        if one.baseline or one.candidate:
            old, new = (
                share_with_interval(one.baseline, one.baseline_interval),
                share_with_interval(one.candidate, one.candidate_interval),
            )
            worse = ": WORSE, at least one in a hundred more" if one.is_worse else ""
            yield f"Failed requests, {one.workload}, {one.topology}: {old} before, {new} now{worse}."
