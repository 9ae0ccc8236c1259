"""summary.json: the numbers of a report, for programs. null means no data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from iam_loadtest.analysis.cell import Cell, CombinedPart
from iam_loadtest.analysis.comparison import Comparison
from iam_loadtest.analysis.estimate import Estimate
from iam_loadtest.analysis.part import ALL_REQUESTS, Part
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.analysis.trial_summary import TrialSummary
from iam_loadtest.report.consistency_files import consistency_document
from iam_loadtest.report.findings_json import findings_document, rounded, steadiness_document
from iam_loadtest.report.recovery import recovery_document

SUMMARY_FORMAT = 1
_RATES = ("throughput_per_s", "attempted_per_s")
_LATENCIES = ("p50_ms", "p80_ms", "p95_ms", "p99_ms", "p99_9_ms", "max_ms")


def summary_document(summary: RunSummary, comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """The document; floats are rounded to twelve significant digits so that machines agree on its text."""
    info = summary.run.info
    return {
        "format": SUMMARY_FORMAT,
        "run": {
            "name": info.name,
            "started_at": info.started_at,
            "seed": info.seed,
            "fingerprint": info.fingerprint,
            "versions": dict(info.versions),
            "machine": dict(info.machine),
            "load": info.scenario.get("load"),
            "calibration": info.calibration and dict(info.calibration),
        },
        "trials_planned": len(info.plan),
        "trials_counted": len(summary.counted),
        "trials_excluded": {one.trial.id: one.excluded for one in summary.excluded},
        "trials_missing": [planned.id for planned in summary.missing],
        "topologies": list(summary.topologies),
        "workloads": list(summary.workloads),
        "cells": [_cell(cell) for cell in summary.cells],
        "comparisons": [comparison_document(one) for one in comparisons],
        **findings_document(summary),
        **consistency_document(summary),
        "recovery": recovery_document(summary),
        "trials": [_trial(one) for one in summary.trials],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "topology": cell.topology,
        "workload": cell.workload,
        "trials_counted": len(cell.counted),
        "unstable": cell.is_unstable,
        "requests": _combined(cell.requests),
        "chain": _combined(cell.chain),
        "steps": {step.name: _combined(step) for step in cell.steps},
    }


def _combined(part: CombinedPart) -> dict[str, Any]:
    low, high = part.failure_interval or (None, None)
    return {
        "requests": part.requests,
        "failed": part.failed,
        "failure_share": rounded(part.failure_share),
        "failure_share_ci95_low": rounded(low),
        "failure_share_ci95_high": rounded(high),
        "outcomes": dict(part.outcomes),
        **{name: _estimate(getattr(part, name)) for name in _estimates_of(part.name)},
    }


def _estimates_of(part: str) -> tuple[str, ...]:
    return _RATES if part == ALL_REQUESTS else (*_RATES, *_LATENCIES)


def comparison_document(one: Comparison) -> dict[str, Any]:
    """One comparison for programs."""
    return {
        "workload": one.workload,
        "baseline": one.baseline,
        "topology": one.topology,
        "metric": one.metric.name,
        "margin": one.margin,
        "ratio": rounded(one.ratio),
        "ci95_low": rounded(one.low),
        "ci95_high": rounded(one.high),
        "p_value_holm": None if one.p_value is None else float(f"{one.p_value:.6g}"),
        "verdict": one.verdict and str(one.verdict),
        "material": one.is_material,
        "trials_to_resolve": one.trials_to_resolve,
        "detectable": rounded(one.detectable),
        "sd_log": rounded(one.sd_log),
        "drift_per_trial": one.drift and rounded(one.drift.per_trial),
        "not_ranked_because": one.not_ranked,
    }


def _estimate(one: Estimate) -> dict[str, Any]:
    return {
        "geometric_mean": rounded(one.value),
        "minimum": rounded(one.minimum),
        "maximum": rounded(one.maximum),
        "ci95_low": rounded(one.interval[0]) if one.interval else None,
        "ci95_high": rounded(one.interval[1]) if one.interval else None,
        "sd_log": rounded(one.sd_log),
        "trials": one.trials,
    }


def _trial(one: TrialSummary) -> dict[str, Any]:
    trial = one.trial
    return {
        "id": trial.id,
        "position": trial.position,
        "topology": trial.topology,
        "workload": trial.workload,
        "trial": trial.trial,
        "status": str(trial.status),
        "counted": one.is_counted,
        "excluded_because": one.excluded,
        "window_s": one.window_s,
        "rows": one.rows,
        "steadiness": steadiness_document(one.steadiness),
        "cautions": [caution.kind for caution in one.cautions],
        "requests": _part(one.requests),
        "chain": _part(one.chain),
        "steps": {step.name: _part(step) for step in one.steps},
    }


def _part(part: Part | None) -> dict[str, Any] | None:
    if part is None:
        return None
    document: dict[str, Any] = {
        "requests": part.requests,
        "failed": part.failed,
        "failure_share": rounded(part.failure_share),
        "outcomes": dict(part.outcomes),
        "throughput_per_s": rounded(part.throughput_per_s),
        "attempted_per_s": rounded(part.attempted_per_s),
    }
    if part.name != ALL_REQUESTS:
        document.update({name: _milliseconds(part, name) for name in _LATENCIES})
    return document


def _milliseconds(part: Part, name: str) -> float | None:
    value_us: int | None = getattr(part.latency, name.replace("_ms", "_us"))
    return None if value_us is None else value_us / 1000
