"""Comparison: a topology against the baseline under one workload, over trials, on the log scale.

Two topologies: Student's t on the logs with pooled variance; more: Dunnett's intervals against the baseline. Checked
by simulation at three against three trials: about 4 % false alarms, where resampling requests gives 80 %.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from iam_loadtest.analysis.cell import Cell
from iam_loadtest.analysis.contrast import LEVEL, Contrast, Drift, Series, contrasts, holm
from iam_loadtest.analysis.estimate import Estimate
from iam_loadtest.analysis.load_model import is_of_probes, is_open_model
from iam_loadtest.analysis.margin import margins_of
from iam_loadtest.analysis.resolution import TRIALS_TO_RANK, Resolution, further_trials, resolution_rows
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.analysis.trial_summary import TrialSummary
from iam_loadtest.scenario.margin import Margins

OPEN_MODEL = "in the open model throughput is the rate that was offered; p95 and failures tell topologies apart"
PROBES_ALONE = "throughput of probes is what their waits leave; p95 and the shares of stale reads tell topologies apart"
NO_SPREAD = "trials of each topology are equal to the last digit, which leaves nothing to judge a difference by"

_NO_SPREAD = 1e-9
"""Below this a standard deviation of logarithms is the rounding of equal figures."""


class Verdict(StrEnum):
    """What the trials say of a topology against the baseline. INCONCLUSIVE is not "the same"."""

    BETTER = "BETTER"
    WORSE = "WORSE"
    EQUIVALENT = "EQUIVALENT"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True)
class Compared:
    """A metric that topologies are compared by."""

    name: str
    more_is_better: bool

    def margin(self, margins: Margins) -> float:
        """The smallest ratio - 1 of this metric that matters."""
        return margins.throughput_share if self.more_is_better else margins.p95_share


THROUGHPUT = Compared("throughput", more_is_better=True)
P95 = Compared("p95", more_is_better=False)
COMPARED = (THROUGHPUT, P95)


@dataclass(frozen=True)
class Comparison:
    """Candidate over baseline; ``low`` and ``high`` bound the ratio at 95 %, for all candidates of the workload.

    ``margin`` is the smallest ratio - 1 that matters. ``not_ranked`` says why there is no verdict; then there is no
    ratio either: one without an interval would be read as a result. ``p_value`` is adjusted by Holm over all
    comparisons made together.
    ``sd_log`` is the spread between trials, pooled; ``resolution`` what other numbers of trials could show at that
    spread. ``trials_to_resolve`` is how many trials of each topology, more than these, would resolve the margin; None
    where these do or where it is over 200. ``drift`` is the trend over the order of trials that the figures allow for;
    None: none seen. ``trials`` is how many of the baseline and of the candidate have the metric.
    """

    workload: str
    baseline: str
    topology: str
    metric: Compared
    ratio: float | None = None
    margin: float = 0.0
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    verdict: Verdict | None = None
    is_material: bool = False
    trials_to_resolve: int | None = None
    not_ranked: str | None = None
    sd_log: float | None = None
    resolution: tuple[Resolution, ...] = ()
    drift: Drift | None = None
    trials: tuple[int, int] = (0, 0)

    @property
    def detectable(self) -> float | None:
        """Half the interval's width, as ratio - 1. A true difference of that size is shown about every second time."""
        if self.low is None or self.high is None:
            return None
        return math.sqrt(self.high / self.low) - 1


@dataclass(frozen=True)
class Finding:
    """A comparison before its p-value is adjusted for the others; without a contrast it is not ranked."""

    comparison: Comparison
    contrast: Contrast | None = None
    candidates: int = 1


def compare(summary: RunSummary) -> tuple[Comparison, ...]:
    """Every topology against the first one, per workload and metric; empty for a single topology."""
    scenario = summary.run.info.scenario
    margins = margins_of(scenario)
    found: list[Finding] = []
    for workload in summary.workloads:
        cells = summary.of_workload(workload)
        if cells and cells[0].topology == summary.topologies[0]:
            for metric in COMPARED:
                refusal = refusal_of(metric, scenario, workload)
                found += against(cells[0], cells[1:], metric, metric.margin(margins), refusal)
    return judged(found)


def refusal_of(metric: Compared, scenario: Mapping[str, Any], workload: str) -> str | None:
    """Why nothing can be ranked by this metric under this load, whatever was measured; None where it can."""
    if metric is not THROUGHPUT:
        return None
    if is_open_model(scenario):
        return OPEN_MODEL
    return PROBES_ALONE if is_of_probes(scenario, workload) else None


def comparisons_made(comparisons: Sequence[Comparison]) -> int:
    """How many comparisons Holm's method allowed for."""
    return sum(one.p_value is not None for one in comparisons)


def estimate_of(cell: Cell, metric: Compared) -> Estimate:
    """The figure of a cell that is compared: goodput, or p95 of the whole chain."""
    return cell.requests.throughput_per_s if metric is THROUGHPUT else cell.chain.p95_ms


def series_of(cell: Cell, metric: Compared, with_order: bool = True) -> Series:
    """The compared figure of each counted trial that has it, with the trials' places in the running order."""
    known = [(value, one.order) for one in cell.counted if (value := _value_of(one, metric)) is not None]
    return Series(tuple(value for value, _ in known), tuple(order for _, order in known) if with_order else ())


def against(
    baseline: Cell,
    others: Sequence[Cell],
    metric: Compared,
    margin: float,
    refusal: str | None = None,
    with_order: bool = True,
) -> list[Finding]:
    """Each of the other cells against the baseline; ``refusal`` says why none of them may be ranked.

    ``with_order`` is False where the trials were not interleaved: then a drift could not be told from a difference.
    """
    found = contrasts_with(baseline, others, metric, refusal, with_order)
    ranked = sum(isinstance(one, Contrast) for one in found.values())
    return [
        Finding(_comparison(baseline, cell, metric, margin, one), None, ranked)
        if isinstance(one := found[cell.topology], str)
        else Finding(_comparison(baseline, cell, metric, margin, None), one, ranked)
        for cell in others
    ]


def contrasts_with(
    baseline: Cell, others: Sequence[Cell], metric: Compared, refusal: str | None = None, with_order: bool = True
) -> dict[str, Contrast | str]:
    """By topology: the contrast with the baseline, or why there is none."""
    reasons = {
        cell.topology: refusal or why_not(baseline, metric) or why_not(cell, metric) or _unlike_faults(baseline, cell)
        for cell in others
    }
    candidates = [cell for cell in others if reasons[cell.topology] is None]
    control = series_of(baseline, metric, with_order)
    found = contrasts(control, [series_of(cell, metric, with_order) for cell in candidates]) if candidates else ()
    ranked = {
        cell.topology: NO_SPREAD if contrast.sd_log < _NO_SPREAD else contrast
        for cell, contrast in zip(candidates, found, strict=True)
    }
    return {topology: reason or ranked[topology] for topology, reason in reasons.items()}


def _unlike_faults(baseline: Cell, cell: Cell) -> str | None:
    """What was broken on purpose, when and for how long is no property of a topology."""
    met, other = ({fault.as_asked for trial in one.counted for fault in trial.trial.faults} for one in (baseline, cell))
    return None if met == other else f"“{cell.topology}” met other faults than “{baseline.topology}”"


def why_not(cell: Cell, metric: Compared) -> str | None:
    """Why the cell's figure may not be ranked; None where it may."""
    one = estimate_of(cell, metric)
    if one.trials < TRIALS_TO_RANK:
        return f"“{cell.topology}” has {_trials_words(cell, one)}, {TRIALS_TO_RANK} are needed"
    if cell.is_unstable:
        which = " and ".join(each.name for each in COMPARED if estimate_of(cell, each).is_unstable)
        return f"the trials of “{cell.topology}” differ too much from each other in {which}"
    return None if one.sd_log is not None else f"“{cell.topology}” has trials without a success"


def _trials_words(cell: Cell, one: Estimate) -> str:
    """How many trials have the figure; trials without a success count and have no p95."""
    if one.trials < len(cell.counted):
        return f"{one.trials} of {len(cell.counted)} counted trials with a success"
    return f"{one.trials} counted trial" + ("" if one.trials == 1 else "s")


def judged(found: Sequence[Finding]) -> tuple[Comparison, ...]:
    """The comparisons with their verdicts, allowing for how many were made."""
    adjusted = iter(holm([one.contrast.p_value for one in found if one.contrast]))
    return tuple(
        _verdict(one.comparison, one.contrast, next(adjusted), one.candidates) if one.contrast else one.comparison
        for one in found
    )


def _value_of(trial: TrialSummary, metric: Compared) -> float | None:
    if metric is THROUGHPUT:
        return trial.requests.throughput_per_s if trial.requests else None
    latency_us = trial.chain.latency.p95_us if trial.chain else None
    return None if latency_us is None else latency_us / 1000


def _comparison(baseline: Cell, cell: Cell, metric: Compared, margin: float, reason: str | None) -> Comparison:
    one, base = estimate_of(cell, metric), estimate_of(baseline, metric)
    names = cell.workload, baseline.topology, cell.topology
    return Comparison(*names, metric, margin=margin, not_ranked=reason, trials=(base.trials, one.trials))


def _verdict(plain: Comparison, contrast: Contrast, p_value: float, candidates: int) -> Comparison:
    (low, high), inner, margin = contrast.interval, contrast.equivalence_interval, plain.margin
    trials = math.floor(contrast.freedom / (candidates + 1) + 0.5) + 1
    one = replace(
        plain,
        ratio=contrast.ratio,
        low=low,
        high=high,
        p_value=p_value,
        sd_log=contrast.sd_log,
        resolution=resolution_rows(contrast.sd_log, trials, candidates),
        drift=contrast.drift,
    )
    if (low > 1 or high < 1) and p_value < 1 - LEVEL:
        better = (low > 1) == one.metric.more_is_better
        material = low > 1 + margin or high < 1 / (1 + margin)
        return replace(one, verdict=Verdict.BETTER if better else Verdict.WORSE, is_material=material)
    if 1 / (1 + margin) <= inner[0] and inner[1] <= 1 + margin:
        return replace(one, verdict=Verdict.EQUIVALENT)
    needed = further_trials(contrast.sd_log, margin, trials, candidates)
    return replace(one, verdict=Verdict.INCONCLUSIVE, trials_to_resolve=needed)
