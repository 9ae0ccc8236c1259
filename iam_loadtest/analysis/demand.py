"""Demand: how many times over a topology carried what its service needs at the peak, within its objectives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from iam_loadtest.analysis.cell import Cell
from iam_loadtest.analysis.estimate import Estimate, estimate
from iam_loadtest.analysis.load_model import is_open_model
from iam_loadtest.analysis.objective import Judgement, objectives_about, objectives_of
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.analysis.trial_summary import TrialSummary
from iam_loadtest.oidc.grant import Grant
from iam_loadtest.scenario.demand import Demand

LOGIN_GRANTS = frozenset({Grant.AUTHORIZATION_CODE.value, Grant.PASSWORD.value})
"""What ends a user's login with tokens. A password grant stands in for a login: it shows no page."""


@dataclass(frozen=True)
class Carried:
    """What one cell carried of one need. ``what`` is tokens or logins; both rates are per second.

    ``demand_per_s`` is that of the peak, ``goodput`` the successful requests of ``steps`` over the counted trials.
    ``objectives`` is met, missed or undecided for all objectives of the cell together, None where it has none.
    Only what was carried while the objectives were met is known to be carried.
    """

    topology: str
    workload: str
    what: str
    demand_per_s: float
    steps: tuple[str, ...]
    goodput: Estimate
    objectives: Judgement | None
    is_open: bool

    @property
    def times(self) -> float | None:
        """Goodput over demand; None where no trial counts or trials have no common size."""
        return None if self.goodput.value is None else self.goodput.value / self.demand_per_s

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of ``times`` over the trials."""
        bounds = self.goodput.interval
        return bounds and (bounds[0] / self.demand_per_s, bounds[1] / self.demand_per_s)

    @property
    def is_within_objectives(self) -> bool:
        """Whether the load was carried as the scenario asks for; without objectives every success counts."""
        return self.objectives in (None, Judgement.MET)

    def describe(self) -> str:
        """One honest sentence."""
        need = f"{self.demand_per_s:.3g} {self.what}/s at the peak"
        if self.times is None:
            return f"{need}: not known, no counted trial tells"
        bounds = f" [{self.interval[0]:.3g}, {self.interval[1]:.3g}]" if self.interval else ""
        carried = f"×{self.times:.3g}{bounds}"
        if not self.is_within_objectives:
            return f"{need}: {carried} was answered, but objectives were {self.objectives} at that load"
        what_was_asked = "that was the rate offered" if self.is_open else "that is what these users asked for"
        return f"{need}: carried at least {carried}; {what_was_asked}, the most it can carry was not looked for"


def carried(summary: RunSummary) -> tuple[Carried, ...]:
    """Every cell against the scenario's demand, tokens before logins; empty without a demand.

    A cell whose workload has no login says nothing of logins, and is left out there.
    """
    scenario = summary.run.info.scenario
    demand = demand_of(scenario)
    if demand is None:
        return ()
    tokens, logins = steps_by_need(scenario)
    needs = (("tokens", demand.tokens_per_hour, tokens), ("logins", demand.logins_per_hour, logins))
    found = (
        _carried(summary, cell, what, demand.peak_per_s(per_hour), steps)
        for what, per_hour, steps in needs
        if per_hour is not None
        for cell in summary.cells
    )
    return tuple(one for one in found if one.steps)


def demand_of(scenario: Mapping[str, Any]) -> Demand | None:
    """The demand in run.json; None where it has none that this version can read."""
    stored = scenario.get("demand")
    try:
        return Demand.model_validate(stored) if isinstance(stored, Mapping) else None
    except ValidationError:
        return None


def steps_by_need(scenario: Mapping[str, Any]) -> tuple[frozenset[str], frozenset[str]]:
    """The names in samples of the steps that give tokens, and of those among them that end a login."""
    steps = scenario.get("steps")
    named = [
        (str(step.get("label") or name), str(step["grant"]))
        for name, step in (steps.items() if isinstance(steps, Mapping) else ())
        if isinstance(step, Mapping) and step.get("grant")
    ]
    return frozenset(name for name, _ in named), frozenset(name for name, grant in named if grant in LOGIN_GRANTS)


def _carried(summary: RunSummary, cell: Cell, what: str, demand_per_s: float, names: frozenset[str]) -> Carried:
    scenario = summary.run.info.scenario
    steps = tuple(part.name for part in cell.steps if part.name in names)
    goodput = estimate([_goodput(trial, steps) for trial in cell.counted])
    judged = [one.judgement for one in objectives_about(cell, objectives_of(scenario))]
    together = _together(judged) if judged else None
    is_open = is_open_model(scenario)
    return Carried(cell.topology, cell.workload, what, demand_per_s, steps, goodput, together, is_open)


def _goodput(trial: TrialSummary, steps: tuple[str, ...]) -> float | None:
    if not trial.window_s:
        return None
    return sum(part.ok for part in trial.steps if part.name in steps) / trial.window_s


def _together(judged: list[Judgement]) -> Judgement:
    if Judgement.MISSED in judged:
        return Judgement.MISSED
    return Judgement.UNDECIDED if Judgement.UNDECIDED in judged else Judgement.MET
