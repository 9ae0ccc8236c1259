"""summary.csv: one row per trial and step; rows over trials carry their own label in the first column."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from iam_loadtest.analysis.cell import Cell, CombinedPart
from iam_loadtest.analysis.estimate import Estimate
from iam_loadtest.analysis.part import Part
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.analysis.trial_summary import TrialSummary

_ESTIMATES = ("throughput_per_s", "attempted_per_s", "p50_ms", "p80_ms", "p95_ms", "p99_ms", "p99_9_ms", "max_ms")
COLUMNS = (
    "row",
    "topology",
    "workload",
    "step",
    "trial",
    "trial_id",
    "status",
    "counted",
    "trials_counted",
    "window_s",
    "requests",
    "ok",
    "failed",
    "failure_share",
    *_ESTIMATES,
)

Row = dict[str, object]


def summary_csv(summary: RunSummary) -> str:
    """The file's text. ``row`` is trial, geometric_mean, minimum, maximum, ci95_low or ci95_high; empty: no data."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for cell in summary.cells:
        writer.writerows(row for one in cell.trials for row in _trial_rows(one))
        writer.writerows(row for part in cell.parts for row in _combined_rows(cell, part))
    return out.getvalue()


def _trial_rows(one: TrialSummary) -> Iterator[Row]:
    trial = one.trial
    common: Row = {
        "row": "trial",
        "topology": trial.topology,
        "workload": trial.workload,
        "trial": trial.trial,
        "trial_id": trial.id,
        "status": str(trial.status),
        "counted": "yes" if one.is_counted else "no",
        "window_s": _cell(one.window_s),
    }
    parts = [part for part in (one.requests, one.chain, *one.steps) if part is not None]
    if not parts:
        yield common
    for part in parts:
        yield {**common, **_part_values(part)}


def _part_values(part: Part) -> Row:
    latency = part.latency
    microseconds = (latency.p50_us, latency.p80_us, latency.p95_us, latency.p99_us, latency.p99_9_us, latency.max_us)
    milliseconds = [None if value is None else value / 1000 for value in microseconds]
    values = (part.throughput_per_s, part.attempted_per_s, *milliseconds)
    return {
        "step": part.name,
        "requests": part.requests,
        "ok": part.ok,
        "failed": part.failed,
        "failure_share": _cell(part.failure_share),
        **{name: _cell(value) for name, value in zip(_ESTIMATES, values, strict=True)},
    }


def _combined_rows(cell: Cell, part: CombinedPart) -> Iterator[Row]:
    common: Row = {
        "topology": cell.topology,
        "workload": cell.workload,
        "step": part.name,
        "trials_counted": len(cell.counted),
    }
    estimates: dict[str, Estimate] = {name: getattr(part, name) for name in _ESTIMATES}
    totals: Row = {
        "requests": part.requests,
        "ok": part.requests - part.failed,
        "failed": part.failed,
        "failure_share": _cell(part.failure_share),
    }
    yield {"row": "geometric_mean", **common, **totals, **{name: _cell(e.value) for name, e in estimates.items()}}
    yield {"row": "minimum", **common, **{name: _cell(e.minimum) for name, e in estimates.items()}}
    yield {"row": "maximum", **common, **{name: _cell(e.maximum) for name, e in estimates.items()}}
    intervals = {name: e.interval for name, e in estimates.items()} | {"failure_share": part.failure_interval}
    known = {name: bounds for name, bounds in intervals.items() if bounds}
    for side, row in enumerate(("ci95_low", "ci95_high") if known else ()):
        yield {"row": row, **common, **{name: _cell(bounds[side]) for name, bounds in known.items()}}


def _cell(value: float | None) -> object:
    return "" if value is None else float(f"{value:.12g}")
