"""What became of stale reads: were they late, or was the credential never there?"""

from __future__ import annotations

from collections import Counter

from iam_loadtest.analysis.cell import Cell
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.report.table import Column, Entry, Table, whole, words


def stale_read_table(summary: RunSummary) -> Table:
    """One row per cell whose counted trials had stale reads that were followed up, or too many to follow."""
    columns = (
        Column("Workload"),
        Column("Topology"),
        Column("Accepted later", True),
        Column("Refused for 2 s", True),
        Column("Ended otherwise", True),
        Column("Not followed", True),
    )
    rows = [_row(cell) for cell in summary.cells if _counts(cell)]
    caption = (
        "Stale reads followed up by sending the same request again for two seconds, outside the samples, over whole "
        "trials. Accepted later: the node had not caught up. How long it took stands in each trial's stale_reads.csv."
    )
    return Table("stale-reads", caption, columns, tuple(rows))


def _row(cell: Cell) -> tuple[Entry, ...]:
    counts = _counts(cell)
    numbers = (counts[name] for name in ("confirmed", "unconfirmed", "otherwise", "not_followed"))
    return (words(cell.workload), words(cell.topology), *(whole(number) for number in numbers))


def _counts(cell: Cell) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in cell.counted:
        total.update(one.trial.counts.stale_reads)
    return total
