"""Objectives judged: whether what the trials of a cell show keeps its limit, misses it, or leaves it open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from iam_loadtest.analysis.cell import Cell, CombinedPart
from iam_loadtest.analysis.contrast import Interval
from iam_loadtest.analysis.estimate import TRIALS_FOR_INTERVAL, Estimate
from iam_loadtest.analysis.share import wilson
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.results.sample import WORKFLOW_STEP
from iam_loadtest.scenario.objective import Metric, Objective

_UNIT = {Metric.FAILURES: "%", Metric.THROUGHPUT: "/s"}


class Judgement(StrEnum):
    """What became of an objective. UNDECIDED is neither: the trials allow for both."""

    MET = "met"
    MISSED = "missed"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class JudgedObjective:
    """One objective on one cell. ``value`` is in the metric's unit; None where no counted trial has the figure.

    The value is the estimate over the counted trials: the geometric mean for latency and throughput, the share
    over all of them together for failures. ``low`` and ``high`` are the 95 % interval where ``is_interval``, which
    alone decides; never narrower than the range of unstable trials, and for failures than Wilson's interval of all
    requests: few of them without a failure show little. Else they are the least and greatest of the trials, which are
    too few to decide anything. ``trials`` is how many trials have the figure. A limit of failures is not met where a
    trial that was left out for its failures (``validity.failures``) did not keep it.
    """

    objective: Objective
    topology: str
    workload: str
    value: float | None
    judgement: Judgement = Judgement.UNDECIDED
    low: float | None = None
    high: float | None = None
    is_interval: bool = False
    trials: int = 0

    @property
    def is_met(self) -> bool:
        """Whether the trials show that the limit is kept."""
        return self.judgement is Judgement.MET

    @property
    def is_missed(self) -> bool:
        """Whether the trials show that the limit is not kept."""
        return self.judgement is Judgement.MISSED

    def describe(self) -> str:
        """The cell, what was expected, and what was seen, in one line."""
        part = f" step {self.objective.step}" if self.objective.step else ""
        return f"{self.topology} / {self.workload}{part}: expected {self.objective.expect}; {self._seen()}"

    def _seen(self) -> str:
        if self.low is None or self.high is None:
            return "no counted trial has the figure"
        unit = _UNIT.get(self.objective.metric, " ms")
        low, high = f"{self.low:.4g}", f"{self.high:.4g}{unit}"
        value = "it differs too much between trials" if self.value is None else f"it is {self.value:.4g}{unit}"
        if self.is_interval:
            return f"{value}, 95 % interval {low} to {high}"
        if self.trials == 1:
            requests = f", {low} to {high} by its number of requests" if self.low < self.high else ""
            return f"{value} in the one trial that counts{requests}{self._needed()}"
        return f"{value}, {self.trials} trials {low} to {high}{self._needed()}"

    def _needed(self) -> str:
        too_few = self.judgement is Judgement.UNDECIDED and self.trials < TRIALS_FOR_INTERVAL
        return f"; {TRIALS_FOR_INTERVAL} trials are needed to tell" if too_few else ""


@dataclass(frozen=True)
class _Figure:
    """What the trials of a cell say of one metric, in the objective's unit.

    ``has_success`` is whether anything that it is about succeeded in any of them.
    """

    value: float | None = None
    bounds: Interval | None = None
    is_interval: bool = False
    trials: int = 0
    has_success: bool = False


def judge_objectives(summary: RunSummary, objectives: Sequence[Objective]) -> tuple[JudgedObjective, ...]:
    """Every objective on every cell that it is about, in the order of the cells."""
    return tuple(_judged(cell, objective) for cell in summary.cells for objective in _about(cell, objectives))


def objectives_of(scenario: Mapping[str, Any]) -> tuple[Objective, ...]:
    """The objectives in run.json; one that this version cannot read is left out."""
    found = (_objective(value) for value in scenario.get("objectives") or ())
    return tuple(objective for objective in found if objective is not None)


def _objective(value: object) -> Objective | None:
    if not isinstance(value, str | Mapping):
        return None
    try:
        return Objective.model_validate(value)
    except ValidationError:
        return None


def objectives_about(cell: Cell, objectives: Sequence[Objective]) -> tuple[JudgedObjective, ...]:
    """Every objective that is about the cell, judged on it."""
    return tuple(_judged(cell, objective) for objective in _about(cell, objectives))


def _judged(cell: Cell, objective: Objective) -> JudgedObjective:
    figure = _figure(cell, objective)
    low, high = figure.bounds or (None, None)
    judgement = _judgement(cell, objective, figure)
    return JudgedObjective(
        objective,
        cell.topology,
        cell.workload,
        figure.value,
        judgement,
        low,
        high,
        figure.is_interval,
        figure.trials,
    )


def _judgement(cell: Cell, objective: Objective, figure: _Figure) -> Judgement:
    """Met or missed where all of the interval lies on one side of the limit; without an interval nothing is decided.

    Where nothing succeeded in any counted trial, no interval is needed to say that a limit is missed. Trials that
    count without the figure, with no success for example, keep no limit. No trial at all shows nothing.
    """
    if not cell.counted:
        return Judgement.UNDECIDED
    if not figure.has_success and (figure.value is None or not objective.is_met_by(figure.value)):
        return Judgement.MISSED
    if figure.bounds is None or not figure.is_interval:
        return Judgement.UNDECIDED
    kept = [objective.is_met_by(bound) for bound in figure.bounds]
    if figure.trials < len(cell.counted) or _misses_elsewhere(cell, objective):
        kept.append(False)
    if any(kept) and not all(kept):
        return Judgement.UNDECIDED
    return Judgement.MET if all(kept) else Judgement.MISSED


def _misses_elsewhere(cell: Cell, objective: Objective) -> bool:
    """Whether a trial that was left out for its failures misses a limit of failures."""
    if objective.metric is not Metric.FAILURES:
        return False
    left_out = [one for one in cell.trials if one.exceeds_failures and not one.is_counted]
    parts = [one.part(objective.step or cell.requests.name) for one in left_out]
    shares = [part.failure_share for part in parts if part is not None]
    return any(share is not None and not objective.is_met_by(100 * share) for share in shares)


def _about(cell: Cell, objectives: Sequence[Objective]) -> Iterator[Objective]:
    steps = {part.name for part in cell.steps}
    for objective in objectives:
        right_workload = objective.workload in (None, cell.workload)
        if right_workload and (objective.step is None or objective.step in steps or objective.workload):
            yield objective


def _figure(cell: Cell, objective: Objective) -> _Figure:
    metric = objective.metric
    name = objective.step or (cell.requests.name if metric in _UNIT else WORKFLOW_STEP)
    part = next((part for part in cell.parts if part.name == name), None)
    if part is None:
        return _Figure()
    if metric is Metric.FAILURES:
        figure = _failures(part)
    elif metric is Metric.THROUGHPUT:
        figure = _of_estimate(part.throughput_per_s)
    else:
        figure = _of_estimate(getattr(part, f"{metric.value.replace('.', '_')}_ms"))
    return replace(figure, has_success=part.failed < part.requests)


def _of_estimate(one: Estimate) -> _Figure:
    if one.minimum is None or one.maximum is None:
        return _Figure()
    interval = one.cautious_interval
    return _Figure(one.value, interval or (one.minimum, one.maximum), interval is not None, one.trials)


def _failures(part: CombinedPart) -> _Figure:
    shares = [100 * failed / total for failed, total in part.failed_by_trial if total]
    if part.failure_share is None or not shares:
        return _Figure()
    interval = part.failure_interval
    low, high = (100 * bound for bound in interval or wilson(part.failed, part.requests))
    bounds = (low, high) if interval else (min(low, *shares), max(high, *shares))
    return _Figure(100 * part.failure_share, bounds, interval is not None, len(shares))
