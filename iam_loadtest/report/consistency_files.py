"""What probes saw, for programs: the part of summary.json, and consistency.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from iam_loadtest.analysis.consistency import Consistency, Share, consistency, node_shares
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.report.findings_json import rounded

COLUMNS = (
    *("topology", "workload", "probe", "what", "from_ms", "issued_by", "read_by"),
    *("count", "of", "share", "ci95_low", "ci95_high", "bound95", "trials"),
)

Row = dict[str, object]


def consistency_document(summary: RunSummary) -> dict[str, Any]:
    """Two lists, empty without probes: kinds of probes by cell, and stale reads at once by nodes."""
    return {
        "probes": [_kind(one) for one in consistency(summary)],
        "stale_at_once_by_nodes": [
            {"topology": topology, "issued_by": issued, "read_by": read, **_share(share)}
            for topology in summary.topologies
            for (issued, read), share in node_shares(summary.of_topology(topology)).items()
        ],
    }


def consistency_csv(summary: RunSummary) -> str:
    """The text of consistency.csv; empty without probes.

    ``what`` is fresh (by delay), stale_at_once, stale_at_once_by_nodes, doubled, lost or missing: ``count`` of ``of``.
    """
    rows = [*_kind_rows(summary), *_node_rows(summary)]
    if not rows:
        return ""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: "" if value is None else value for key, value in row.items()} for row in rows)
    return out.getvalue()


def _kind(one: Consistency) -> dict[str, Any]:
    return {
        "topology": one.topology,
        "workload": one.workload,
        "probe": one.kind.value,
        "reads": one.reads,
        "without_verdict": one.failed,
        "unwritten": one.unwritten,
        "stale_at_once": _share(one.stale_at_once),
        "stale_at_once_through_balancer": _share(one.stale_balanced),
        "stale": _share(one.stale),
        "curve": [
            {"from_ms": point.from_ms, "fresh": _share(point.fresh), "smoothed": rounded(point.smoothed)}
            for point in one.curve
        ],
        "t99_ms": one.t99_ms,
        "seen_after_p50_ms": one.visible_ms(500),
        "seen_after_max_ms": one.visible_ms(1000),
        "not_seen": one.unseen,
        "doubled": _share(one.doubled),
        "lost": _share(one.lost),
        "recovered": one.recovered,
        "reusable": one.reusable,
        "missing": None if one.missing is None else _share(one.missing),
        "not_audited": one.unaudited,
    }


def _share(one: Share) -> dict[str, Any]:
    low, high = one.interval or (None, None)
    return {
        "count": one.chosen,
        "of": one.total,
        "share": rounded(one.value),
        "ci95_low": rounded(low),
        "ci95_high": rounded(high),
        "bound95": rounded(one.bound),
        "trials": len(one.by_trial),
        "interval_is_over_trials": one.is_over_trials,
    }


def _kind_rows(summary: RunSummary) -> Iterator[Row]:
    for one in consistency(summary):
        about = {"topology": one.topology, "workload": one.workload, "probe": one.kind.value}
        for point in one.curve:
            yield {**about, "what": "fresh", "from_ms": point.from_ms, **_numbers(point.fresh)}
        named = {"stale_at_once": one.stale_at_once, "doubled": one.doubled, "lost": one.lost, "missing": one.missing}
        yield from (
            {**about, "what": what, **_numbers(found)} for what, found in named.items() if found and found.total
        )


def _node_rows(summary: RunSummary) -> Iterator[Row]:
    for topology in summary.topologies:
        for (issued, read), found in node_shares(summary.of_topology(topology)).items():
            about = {"topology": topology, "what": "stale_at_once_by_nodes", "issued_by": issued, "read_by": read}
            yield {**about, **_numbers(found)}


def _numbers(one: Share) -> Row:
    return {key: value for key, value in _share(one).items() if key in COLUMNS}
