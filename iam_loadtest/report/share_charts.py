"""Charts of shares: failures by outcome, and requests by the node that served them."""

from __future__ import annotations

from collections.abc import Iterator

from iam_loadtest.analysis.cell import Cell
from iam_loadtest.analysis.part import add_outcomes
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.report.chart_style import Chart, draw
from iam_loadtest.report.load_model import load_words
from iam_loadtest.report.palette import NODES, node_colours, outcome_colour
from iam_loadtest.report.share_chart import ShareRow, share_figure
from iam_loadtest.report.text import NO_NODE, node_name, plural, share, share_with_interval
from iam_loadtest.results.outcome import Outcome


def failure_chart(summary: RunSummary) -> Iterator[Chart]:
    """Failed share of each cell, stacked by outcome; nothing where nothing failed."""
    failed = [name for name in add_outcomes([cell.requests.outcomes for cell in summary.cells]) if name != Outcome.OK]
    if not failed:
        return
    title = "Failed requests by outcome"
    axis = "failed requests, % of all requests (less is better)"
    groups = [
        (workload, [_failure_row(cell, failed) for cell in summary.of_workload(workload)])
        for workload in summary.workloads
    ]
    intervals = any(cell.requests.failure_interval for cell in summary.cells)
    line = "; the line is the 95 % interval of the whole share over trials" if intervals else ""
    caption = f"Counted trials of each cell together{line}. Load: {load_words(summary)}."
    words = [f"{cell.workload}, {cell.topology}: {_share_words(cell)}" for cell in summary.cells]
    alt = f"{title}, share of all requests. {'; '.join(words)}."
    note = "Share of all requests that started in the measured windows. What each outcome means stands in the table."
    colours = {name: outcome_colour(name) for name in failed}
    yield draw("failures", title, alt, note, lambda: share_figure(title, axis, caption, colours, groups))


def _failure_row(cell: Cell, failed: list[str]) -> ShareRow:
    requests = cell.requests
    counts = {name: requests.outcomes[name] for name in failed if requests.outcomes.get(name)}
    parts = {name: count / requests.requests for name, count in counts.items()}
    return ShareRow(cell.topology, parts, share(requests.failure_share), requests.failure_interval)


def _share_words(cell: Cell) -> str:
    return share_with_interval(cell.requests.failure_share, cell.requests.failure_interval)


def backend_chart(summary: RunSummary) -> Iterator[Chart]:
    """Share of the requests that each node served, where a topology has more than one that answers name."""
    cells = [cell for cell in summary.cells if len(cell.backends) > 1]
    if not cells:
        return
    title = "Requests by serving node"
    groups = [
        (workload, [_backend_row(cell, summary) for cell in cells if cell.workload == workload])
        for workload in dict.fromkeys(cell.workload for cell in cells)
    ]
    caption = (
        f"Counted trials of each cell together; a balancer in turn gives equal parts. Load: {load_words(summary)}."
    )
    words = [f"{cell.workload}, {cell.topology}: {_in_words(cell)}" for cell in cells]
    alt = f"{title}, share of all requests. {'; '.join(words)}."
    note = "The node as the answers name it. Requests without an answer have none. The table has the figures."
    colours = node_colours(_node_names(summary))
    axis = "requests, % of all requests"
    yield draw("backends", title, alt, note, lambda: share_figure(title, axis, caption, colours, groups))


def _node_names(summary: RunSummary) -> list[str]:
    """Names of all nodes; their numbers within a topology where they are more than there are colours."""
    names = list(dict.fromkeys(node_name(one.name) for cell in summary.cells for one in cell.backends))
    if len(names) <= len(NODES):
        return sorted(names, key=lambda name: (name == NO_NODE, name))
    most = max(len(cell.backends) for cell in summary.cells)
    return [f"node {number}" for number in range(1, most + 1)]


def _backend_row(cell: Cell, summary: RunSummary) -> ShareRow:
    names = _node_names(summary)
    total = sum(one.requests for one in cell.backends)
    keys = [
        node_name(one.name) if node_name(one.name) in names else f"node {number}"
        for number, one in enumerate(cell.backends, 1)
    ]
    parts = {key: one.requests / total for key, one in zip(keys, cell.backends, strict=True)}
    named = sum(one.name != "" for one in cell.backends)
    return ShareRow(cell.topology, parts, plural(named, "node"))


def _in_words(cell: Cell) -> str:
    total = sum(one.requests for one in cell.backends)
    return ", ".join(f"{node_name(one.name)} {share(one.requests / total)}" for one in cell.backends)
