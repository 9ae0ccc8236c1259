"""The servers in the report, under the clients' view: what server.csv says of each node."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from iam_loadtest.analysis.cell import Cell
from iam_loadtest.analysis.server import NodeFigures, NodeSeries, together
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.report.chart_style import Chart, draw
from iam_loadtest.report.server_chart import ServerPanel, server_figure
from iam_loadtest.report.table import Column, Entry, Table, figure, percent, words
from iam_loadtest.report.text import listed

_DRAWN = ("frontend", "database", "balancer", "sessions")
"""Nodes whose names begin so are drawn; delay lines, sentinels and the supervisor stand in the table."""


def server_table(summary: RunSummary) -> Table:
    """One row per node of each cell whose counted trials were watched."""
    columns = (
        *(Column("Workload"), Column("Topology"), Column("Node"), Column("CPU %", True), Column("Peak CPU %", True)),
        *(Column("Peak MiB", True), Column("Requests", True), Column("5xx", True), Column("Conflicts", True)),
        *(Column("Held back", True), Column("Replication ms", True), Column("Behind", True)),
        Column("Peak threads running", True),
    )
    rows = [_row(cell, one) for cell in summary.cells for one in together(trial.servers for trial in cell.counted)]
    caption = (
        "From server.csv, measured windows of the counted trials: means over trials, peaks over all of them. CPU: of "
        "one core. Requests and 5xx: as the balancer counted them for the node, else as it did itself. Conflicts: "
        "transactions that Galera rolled back, at certification or before. Held back: share of the time in which flow "
        "control stopped replication. Replication: mean time until all members have a message. Behind: most "
        "transactions that a replica was behind its primary. n/a: does not apply to the node."
    )
    return Table("servers", caption, columns, tuple(rows))


def server_charts(summary: RunSummary) -> Iterator[Chart]:
    """One per workload: the first counted trial of each topology that has several nodes."""
    for index, workload in enumerate(summary.workloads, 1):
        panels = [panel for cell in summary.of_workload(workload) if (panel := _panel(cell))]
        if not panels:
            continue
        title = f"Servers over time: {workload}"
        caption = (
            "The first counted trial of each topology. CPU in percent of a core; requests that the balancer gave to "
            "each frontend; transactions that Galera rolled back, where there were any. Shaded: measured window; red: "
            "faults."
        )
        alt = f"{title}, one line per node for {listed([panel.topology for panel in panels])}."
        note = "A line that ends is a server that did not answer: it was killed, stopped, or too busy."
        yield draw(f"servers_{index}", title, alt, note, partial(server_figure, title, caption, panels))


def _row(cell: Cell, one: NodeFigures) -> tuple[Entry, ...]:
    return (
        *(words(cell.workload), words(cell.topology), words(one.node)),
        *(figure(value) for value in (one.cpu_percent, one.max_cpu_percent, one.max_pss_mib, one.requests)),
        figure(one.errors),
        figure(one.conflicts),
        percent(one.paused_share),
        *(figure(value) for value in (one.repl_latency_ms, one.lag, one.threads_running)),
    )


def _panel(cell: Cell) -> ServerPanel | None:
    for one in cell.counted:
        nodes = _drawn(one.servers.series)
        if len(nodes) > 1:
            return ServerPanel(cell.topology, nodes, one.trial)
    return None


def _drawn(series: Sequence[NodeSeries]) -> tuple[NodeSeries, ...]:
    return tuple(one for one in series if one.node.startswith(_DRAWN))
