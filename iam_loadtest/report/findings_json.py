"""What summary.json says beyond figures: objectives, effects of factors, and the demand carried."""

from __future__ import annotations

from typing import Any

from iam_loadtest.analysis.demand import Carried, carried
from iam_loadtest.analysis.factor import FactorEffect, factor_effects
from iam_loadtest.analysis.objective import JudgedObjective
from iam_loadtest.analysis.steadiness import Steadiness
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.report.objectives import judged
from iam_loadtest.scenario.objective import Metric


def findings_document(summary: RunSummary) -> dict[str, Any]:
    """The three lists, each empty where there is nothing; null means no data."""
    return {
        "objectives": [_objective(one) for one in judged(summary)],
        "effects": [_effect(one) for one in factor_effects(summary)],
        "demand": [_carried(one) for one in carried(summary)],
    }


def steadiness_document(one: Steadiness) -> dict[str, Any]:
    """How one trial went over its window."""
    return {
        "half_change": rounded(one.half_change),
        "p95_change": rounded(one.p95_change),
        "settled_s": one.settled_s,
        "judged": one.is_judged,
    }


def rounded(value: float | None) -> float | None:
    """Twelve significant digits, so that machines agree on the text."""
    return None if value is None else float(f"{value:.12g}")


def _objective(one: JudgedObjective) -> dict[str, Any]:
    return {
        "topology": one.topology,
        "workload": one.workload,
        "step": one.objective.step,
        "expect": one.objective.expect,
        "judgement": str(one.judgement),
        "value": rounded(one.value),
        "low": rounded(one.low),
        "high": rounded(one.high),
        "low_and_high_are": _kind_of_bounds(one),
        "trials": one.trials,
    }


def _kind_of_bounds(one: JudgedObjective) -> str:
    if one.is_interval:
        return "ci95"
    is_share = one.objective.metric is Metric.FAILURES
    return "range of trials and ci95 of requests" if is_share else "range of trials"


def _effect(one: FactorEffect) -> dict[str, Any]:
    return {
        "factor": one.factor,
        "workload": one.workload,
        "metric": one.metric.name,
        "from": one.from_level,
        "to": one.to_level,
        "pairs": [list(pair) for pair in one.pairs],
        "surroundings": dict(one.surroundings),
        "pooled_over": {name: list(levels) for name, levels in one.pooled_over.items()},
        "ratio": rounded(one.ratio),
        "ci95_low": rounded(one.low),
        "ci95_high": rounded(one.high),
        "p_value_holm": None if one.p_value is None else float(f"{one.p_value:.6g}"),
        "shown": one.is_shown,
        "not_stated_because": one.not_stated,
    }


def _carried(one: Carried) -> dict[str, Any]:
    low, high = one.interval or (None, None)
    return {
        "topology": one.topology,
        "workload": one.workload,
        "what": one.what,
        "demand_per_s": rounded(one.demand_per_s),
        "times_at_least": rounded(one.times) if one.is_within_objectives else None,
        "times_answered": rounded(one.times),
        "ci95_low": rounded(low),
        "ci95_high": rounded(high),
        "objectives": one.objectives and str(one.objectives),
    }
