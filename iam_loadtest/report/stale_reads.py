"""Stale reads in the report: how long until the credential was accepted, and between which nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from iam_loadtest.analysis.cell import Cell
from iam_loadtest.analysis.percentile import percentile_rank
from iam_loadtest.analysis.stale_read import FollowedUp, by_nodes
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.report.chart_style import Chart, draw
from iam_loadtest.report.heat_chart import Square, heat_figure
from iam_loadtest.report.table import Column, Entry, Table, figure, whole, words
from iam_loadtest.report.text import count

NOT_THE_ISSUER = "The node that gave the credential out is not in the data: rows of one chain are not linked."


def followed_up(cell: Cell) -> list[FollowedUp]:
    """Those of all counted trials of a cell."""
    return [one for trial in cell.counted for one in trial.followed_up]


def stale_read_table(summary: RunSummary) -> Table:
    """One row per cell whose counted trials had stale reads that were followed up, or too many to follow."""
    columns = (
        Column("Workload"),
        Column("Topology"),
        Column("Accepted later", True),
        Column("Refused for 2 s", True),
        Column("Ended otherwise", True),
        Column("Not followed", True),
        Column("Known after, median ms", True),
        Column("p95 ms", True),
        Column("Longest ms", True),
    )
    rows = [_row(cell) for cell in summary.cells if _counts(cell)]
    caption = (
        "Stale reads followed up by sending the same request again for two seconds, outside the samples, over whole "
        "trials. Accepted later: the node had not caught up. Known after: from the refusal to the sending of the "
        "accepted try, an upper bound as coarse as the tries (5, 10, 20, 50, 100, 200, 500, 1000, 2000 ms)."
    )
    return Table("stale-reads", caption, columns, tuple(rows))


def _row(cell: Cell) -> tuple[Entry, ...]:
    counts = _counts(cell)
    numbers = (counts[name] for name in ("confirmed", "unconfirmed", "otherwise", "not_followed"))
    after_us = sorted(one.visible_after_us for one in followed_up(cell) if one.visible_after_us is not None)
    times = (figure(_at(after_us, permille)) for permille in (500, 950, 1000))
    return (words(cell.workload), words(cell.topology), *(whole(number) for number in numbers), *times)


def _counts(cell: Cell) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in cell.counted:
        total.update(one.trial.counts.stale_reads)
    return total


def _at(ordered_us: list[int], permille: int) -> float | None:
    return ordered_us[percentile_rank(len(ordered_us), permille) - 1] / 1000 if ordered_us else None


def stale_chart(summary: RunSummary) -> Iterator[Chart]:
    """Stale reads by the node that refused and the node that accepted, where answers name more than one."""
    found = {topology: _nodes_and_counts(summary, topology) for topology in summary.topologies}
    panels = [(topology, nodes, _squares(nodes, counts)) for topology, (nodes, counts) in found.items() if counts]
    if not panels:
        return
    title = "Stale reads by node"
    caption = "All workloads together, counted trials. Shaded by number."
    said = "; ".join(_in_words(topology, found[topology][1]) for topology, *_ in panels)
    alt = f"{title}: refused by, then accepted by, how often. {said}."
    note = (
        "Rows: the node that refused a fresh credential; columns: the node that accepted it later. A full row is a "
        "node that is behind the others. A full diagonal is a node that caught up by itself. "
        f"{NOT_THE_ISSUER}"
    )
    yield draw(
        "stale_reads", title, alt, note, lambda: heat_figure(title, "refused by", "accepted by", caption, panels)
    )


def _in_words(topology: str, counts: Mapping[tuple[str, str], int]) -> str:
    return f"{topology}: {', '.join(f'{first} then {then} {number}' for (first, then), number in counts.items())}"


def _squares(nodes: list[str], counts: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], Square]:
    """Every pair with its number, shaded from none to the greatest one."""
    pairs = {(first, then): counts.get((first, then), 0) for first in nodes for then in nodes}
    return {pair: (number / max(counts.values()), count(number)) for pair, number in pairs.items()}


def _nodes_and_counts(summary: RunSummary, topology: str) -> tuple[list[str], dict[tuple[str, str], int]]:
    """The nodes of a topology and its counts by pair; none where answers name no more than one node."""
    counts = by_nodes(one for cell in summary.of_topology(topology) for one in followed_up(cell))
    served = [one.name for cell in summary.of_topology(topology) for one in cell.backends if one.name]
    nodes = sorted({*served, *(node for pair in counts for node in pair)})
    return nodes, counts if len(nodes) > 1 else {}
