"""What server.csv says of each node over the measured window, and second by second."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from iam_loadtest.results.server_file import OBSERVER, SERVER_FILE
from iam_loadtest.results.trial import WindowMarks

CONFLICTS = ("wsrep_local_cert_failures", "wsrep_local_bf_aborts")
_NS_PER_S = 1e9

Point = tuple[float, float]
"""Seconds since the trial's origin, and a value."""


@dataclass(frozen=True)
class NodeFigures:
    """One node over the measured window; None where it does not say so.

    CPU is in percent of a core. ``requests`` and ``errors`` (5xx) are those that the balancer gave to it, else its own
    count; ``conflicts`` transactions that Galera rolled back, ``paused_share`` the share of the time in which
    replication was held back, ``repl_latency_ms`` how long a message takes to all members, ``lag`` the most
    transactions that a replica was behind.
    """

    node: str
    cpu_percent: float | None
    max_cpu_percent: float | None
    max_pss_mib: float | None
    requests: float | None = None
    errors: float | None = None
    conflicts: float | None = None
    paused_share: float | None = None
    repl_latency_ms: float | None = None
    lag: float | None = None
    threads_running: float | None = None


@dataclass(frozen=True)
class NodeSeries:
    """One node over the whole trial: what can be drawn."""

    node: str
    cpu_percent: tuple[Point, ...]
    requests_per_s: tuple[Point, ...]
    conflicts_per_s: tuple[Point, ...]


@dataclass(frozen=True)
class ServerView:
    """The inside of one trial; empty where it has no server.csv."""

    nodes: tuple[NodeFigures, ...] = ()
    series: tuple[NodeSeries, ...] = ()


Rows = Sequence[Mapping[str, str]]


def read_server_view(directory: Path, marks: WindowMarks) -> ServerView:
    """The view of a trial's directory; empty too where the file is of another form."""
    path = directory / SERVER_FILE
    if not path.is_file() or marks.window_start_us is None or marks.window_end_us is None:
        return ServerView()
    by_node: dict[str, list[Mapping[str, str]]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                by_node.setdefault(row["node"], []).append(row)
        return ServerView(
            tuple(_figures(node, rows, marks) for node, rows in by_node.items()),
            tuple(_series(node, rows) for node, rows in by_node.items() if node != OBSERVER),
        )
    except (OSError, KeyError, ValueError, csv.Error):
        return ServerView()


def _inside(rows: Rows, marks: WindowMarks) -> Rows:
    start_us, end_us = marks.window_start_us or 0, marks.window_end_us or 0
    return [row for row in rows if start_us <= int(row["time_us"]) < end_us]


def _figures(node: str, every_row: Rows, marks: WindowMarks) -> NodeFigures:
    rows, growth = _inside(every_row, marks), partial(_growth_in, every_row, marks)
    cpu, paused = _values(rows, "cpu_percent"), growth("wsrep_flow_control_paused_ns")
    latency = [value for value in _values(rows, "wsrep_evs_repl_latency") if value > 0]
    conflicts = [growth(column) for column in CONFLICTS]
    return NodeFigures(
        node=node,
        cpu_percent=sum(cpu) / len(cpu) if cpu else None,
        max_cpu_percent=max(cpu, default=None),
        max_pss_mib=max(_values(rows, "pss_mib"), default=None),
        requests=_first(growth("proxy_requests"), growth("iam_requests")),
        errors=_first(growth("proxy_5xx"), growth("iam_5xx")),
        conflicts=None if None in conflicts else sum(one.by for one in conflicts if one),
        paused_share=None if paused is None else min(paused.by / _NS_PER_S / paused.watched_s, 1.0),
        repl_latency_ms=sum(latency) / len(latency) * 1000 if latency else None,
        lag=max(_values(rows, "replica_gtid_lag"), default=None),
        threads_running=max(_values(rows, "threads_running"), default=None),
    )


def _series(node: str, rows: Rows) -> NodeSeries:
    requests = _rates(rows, "proxy_requests") or _rates(rows, "iam_requests")
    parts = [dict(_rates(rows, column)) for column in CONFLICTS]
    conflicts = tuple((at_s, value + parts[1].get(at_s, 0.0)) for at_s, value in parts[0].items())
    return NodeSeries(node, tuple(_points(rows, "cpu_percent")), requests, conflicts)


def _rates(rows: Rows, column: str) -> tuple[Point, ...]:
    """How fast a total grew between rows, at the later of each two."""
    points = _points(rows, column)
    return tuple(
        (at_s, _growth(before, now) / (at_s - before_s))
        for (before_s, before), (at_s, now) in pairwise(points)
        if at_s > before_s
    )


class _Grown(NamedTuple):
    """How much a total grew inside the window, as far as that was watched."""

    by: float
    watched_s: float


def _growth_in(rows: Rows, marks: WindowMarks, column: str) -> _Grown | None:
    """Starts of the server anew included; None where no two values have a part of the window between them.

    What grew between two rows counts by the part of their time that is inside: a window seldom begins with a row, and
    of a short one the seconds at its ends are a good part.
    """
    start_s, end_s = (marks.window_start_us or 0) / 1e6, (marks.window_end_us or 0) / 1e6
    by = watched_s = 0.0
    for (before_s, before), (at_s, now) in pairwise(_points(rows, column)):
        inside_s = min(at_s, end_s) - max(before_s, start_s)
        if inside_s > 0:
            by += _growth(before, now) * inside_s / (at_s - before_s)
            watched_s += inside_s
    return _Grown(by, watched_s) if watched_s else None


def _growth(before: float, now: float) -> float:
    """A total that went down began at zero again."""
    return now - before if now >= before else now


def _values(rows: Rows, column: str) -> list[float]:
    return [value for _, value in _points(rows, column)]


def _points(rows: Rows, column: str) -> list[Point]:
    return [(int(row["time_us"]) / 1e6, float(row[column])) for row in rows if row[column] != ""]


def _first(*values: _Grown | None) -> float | None:
    return next((value.by for value in values if value is not None), None)


def together(views: Iterable[ServerView]) -> tuple[NodeFigures, ...]:
    """The nodes over several trials: means of what is measured, peaks of peaks."""
    by_node: dict[str, list[NodeFigures]] = {}
    for view in views:
        for one in view.nodes:
            by_node.setdefault(one.node, []).append(one)
    return tuple(_together(node, own) for node, own in sorted(by_node.items()))


def _together(node: str, own: Sequence[NodeFigures]) -> NodeFigures:
    return NodeFigures(
        node=node,
        cpu_percent=_mean(one.cpu_percent for one in own),
        max_cpu_percent=_peak(one.max_cpu_percent for one in own),
        max_pss_mib=_peak(one.max_pss_mib for one in own),
        requests=_mean(one.requests for one in own),
        errors=_mean(one.errors for one in own),
        conflicts=_mean(one.conflicts for one in own),
        paused_share=_mean(one.paused_share for one in own),
        repl_latency_ms=_mean(one.repl_latency_ms for one in own),
        lag=_peak(one.lag for one in own),
        threads_running=_peak(one.threads_running for one in own),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _peak(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)
