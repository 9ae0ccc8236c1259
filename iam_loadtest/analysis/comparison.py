"""Comparison: a topology against the baseline under one workload, over trials, on the log scale.

Two topologies: Student's t on the logs with pooled variance; more: Dunnett's intervals against the baseline. Checked
by simulation at three against three trials: about 4 % false alarms, where resampling requests gives 80 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy import stats

from iam_loadtest.analysis.cell import Cell
from iam_loadtest.analysis.estimate import Estimate
from iam_loadtest.analysis.summary import RunSummary

TRIALS_TO_RANK = 3
LEVEL = 0.95
EQUIVALENCE_LEVEL = 0.90
MAX_TRIALS_TO_RESOLVE = 200


class Verdict(StrEnum):
    """What the trials say of a topology against the baseline. INCONCLUSIVE is not "the same"."""

    BETTER = "BETTER"
    WORSE = "WORSE"
    EQUIVALENT = "EQUIVALENT"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True)
class Compared:
    """A metric that topologies are compared by. ``margin`` is the smallest ratio - 1 that matters."""

    name: str
    margin: float
    more_is_better: bool


THROUGHPUT = Compared("throughput", 0.05, more_is_better=True)
P95 = Compared("p95", 0.10, more_is_better=False)
COMPARED = (THROUGHPUT, P95)


@dataclass(frozen=True)
class Comparison:
    """Candidate over baseline; ``low`` and ``high`` bound the ratio at 95 %, for all candidates of the workload.

    ``not_ranked`` says why there is no verdict; then only the ratio of geometric means is given, where there is one.
    ``p_value`` is adjusted by Holm over all comparisons of the run. ``trials_to_resolve`` is how many trials of each
    topology would resolve the margin at the spread seen; None where these do or where it is over 200.
    """

    workload: str
    baseline: str
    topology: str
    metric: Compared
    ratio: float | None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    verdict: Verdict | None = None
    is_material: bool = False
    trials_to_resolve: int | None = None
    not_ranked: str | None = None


@dataclass(frozen=True)
class _Raw:
    """One comparison before its p-value is adjusted for the others."""

    comparison: Comparison
    p_value: float
    equivalent: bool
    sd_log: float


def compare(summary: RunSummary) -> tuple[Comparison, ...]:
    """Every topology against the first one, per workload and metric; empty for a single topology."""
    found: list[Comparison | _Raw] = []
    for workload in summary.workloads:
        cells = summary.of_workload(workload)
        if cells and cells[0].topology == summary.topologies[0]:
            for metric in COMPARED:
                found.extend(_against_baseline(cells, metric))
    return _judged(found)


def estimate_of(cell: Cell, metric: Compared) -> Estimate:
    """The figure of a cell that is compared: goodput, or p95 of the whole chain."""
    return cell.requests.throughput_per_s if metric is THROUGHPUT else cell.chain.p95_ms


def _against_baseline(cells: Sequence[Cell], metric: Compared) -> list[Comparison | _Raw]:
    baseline, *others = cells
    candidates = [cell for cell in others if _why_not(baseline, metric) is None and _why_not(cell, metric) is None]
    raw = _compared(baseline, candidates, metric) if candidates else {}
    return [raw.get(cell.topology) or _unranked(baseline, cell, metric) for cell in others]


def _why_not(cell: Cell, metric: Compared) -> str | None:
    one = estimate_of(cell, metric)
    if one.trials < TRIALS_TO_RANK:
        counted = f"{one.trials} counted trial" + ("" if one.trials == 1 else "s")
        return f"“{cell.topology}” has {counted}, {TRIALS_TO_RANK} are needed"
    if cell.is_unstable:
        return f"the trials of “{cell.topology}” differ too much from each other"
    return None if one.sd_log is not None else f"“{cell.topology}” has trials without a success"


def _unranked(baseline: Cell, cell: Cell, metric: Compared) -> Comparison:
    reason = _why_not(baseline, metric) or _why_not(cell, metric)
    ratio = _ratio(estimate_of(cell, metric), estimate_of(baseline, metric))
    return Comparison(cell.workload, baseline.topology, cell.topology, metric, ratio, not_ranked=reason)


def _ratio(one: Estimate, baseline: Estimate) -> float | None:
    return one.value / baseline.value if one.value and baseline.value else None


def _compared(baseline: Cell, candidates: Sequence[Cell], metric: Compared) -> dict[str, _Raw]:
    control = np.log(estimate_of(baseline, metric).values)
    logs = [np.log(estimate_of(cell, metric).values) for cell in candidates]
    sd_log, freedom = _pooled([control, *logs])
    wide, narrow = (_intervals(control, logs, sd_log, freedom, level) for level in (LEVEL, EQUIVALENCE_LEVEL))
    found = {}
    for cell, own, (low, high), inner in zip(candidates, logs, wide, narrow, strict=True):
        ratio = _ratio(estimate_of(cell, metric), estimate_of(baseline, metric))
        comparison = Comparison(cell.workload, baseline.topology, cell.topology, metric, ratio, low, high)
        inside = 1 / (1 + metric.margin) <= inner[0] and inner[1] <= 1 + metric.margin
        found[cell.topology] = _Raw(comparison, _p_value(own, control, sd_log, freedom), inside, sd_log)
    return found


def _pooled(samples: Sequence[np.ndarray]) -> tuple[float, int]:
    """Standard deviation within samples, pooled, and its degrees of freedom."""
    freedom = sum(len(sample) - 1 for sample in samples)
    squares = sum(float(((sample - sample.mean()) ** 2).sum()) for sample in samples)
    return math.sqrt(squares / freedom), freedom


def _intervals(
    control: np.ndarray, samples: Sequence[np.ndarray], sd_log: float, freedom: int, level: float
) -> list[tuple[float, float]]:
    """Intervals of the ratios, covering all of them at once with the given probability."""
    if len(samples) == 1 or sd_log == 0:
        factor = float(stats.t.ppf((1 + level) / 2, freedom))
        return [_around(sample, control, factor * sd_log) for sample in samples]
    result = stats.dunnett(*samples, control=control, rng=np.random.default_rng(1))
    bounds = result.confidence_interval(level)
    return [(math.exp(low), math.exp(high)) for low, high in zip(bounds.low, bounds.high, strict=True)]


def _around(sample: np.ndarray, control: np.ndarray, half_unit: float) -> tuple[float, float]:
    middle = float(sample.mean() - control.mean())
    half = half_unit * math.sqrt(1 / len(sample) + 1 / len(control))
    return math.exp(middle - half), math.exp(middle + half)


def _p_value(sample: np.ndarray, control: np.ndarray, sd_log: float, freedom: int) -> float:
    difference = abs(float(sample.mean() - control.mean()))
    if sd_log == 0:
        return 0.0 if difference else 1.0
    t = difference / (sd_log * math.sqrt(1 / len(sample) + 1 / len(control)))
    return float(2 * stats.t.sf(t, freedom))


def _judged(found: Sequence[Comparison | _Raw]) -> tuple[Comparison, ...]:
    adjusted = iter(holm([one.p_value for one in found if isinstance(one, _Raw)]))
    return tuple(_verdict(one, next(adjusted)) if isinstance(one, _Raw) else one for one in found)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for making all these comparisons (Holm 1979), in the order given."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, p_values[i] * (len(p_values) - rank)))
        adjusted[i] = highest
    return adjusted


def _verdict(raw: _Raw, p_value: float) -> Comparison:
    one = replace(raw.comparison, p_value=p_value)
    margin, low, high = one.metric.margin, one.low or 0.0, one.high or math.inf
    apart = (low > 1 or high < 1) and p_value < 1 - LEVEL
    if apart:
        better = (low > 1) == one.metric.more_is_better
        material = low > 1 + margin or high < 1 / (1 + margin)
        return replace(one, verdict=Verdict.BETTER if better else Verdict.WORSE, is_material=material)
    if raw.equivalent:
        return replace(one, verdict=Verdict.EQUIVALENT)
    return replace(one, verdict=Verdict.INCONCLUSIVE, trials_to_resolve=trials_to_resolve(raw.sd_log, margin))


def trials_to_resolve(sd_log: float, margin: float) -> int | None:
    """Trials of each of two topologies whose 95 % interval is no wider than the margin to either side."""
    for trials in range(TRIALS_TO_RANK, MAX_TRIALS_TO_RESOLVE + 1):
        half = float(stats.t.ppf((1 + LEVEL) / 2, 2 * trials - 2)) * sd_log * math.sqrt(2 / trials)
        if half <= math.log1p(margin):
            return trials
    return None
