"""Factors: what the scenario says that topologies differ in, and what each of those differences does.

An effect is stated only between topologies that differ in one factor and in nothing else that is declared.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from scipy import stats

from iam_loadtest.analysis.cell import Cell
from iam_loadtest.analysis.comparison import (
    COMPARED,
    Compared,
    contrasts_with,
    estimate_of,
    refusal_of,
)
from iam_loadtest.analysis.contrast import LEVEL, Contrast, Interval, holm
from iam_loadtest.analysis.estimate import Estimate
from iam_loadtest.analysis.summary import RunSummary

Level = str | bool | int | float
LEVELS_FOR_CURVE = 3
ALIKE = 0.20
"""Effects of several surroundings are put together unless their differences have a smaller p-value than this."""

NOT_SAID = "not said"
"""The level of a factor that a topology does not name."""

_NOT_THE_DEPLOYMENT = frozenset({"factors", "description", "hooks", "issuer", "target"})


@dataclass(frozen=True)
class FactorEffect:
    """What going from one level of a factor to another does to a metric, as a ratio with its 95 % interval.

    ``pairs`` are the topologies it rests on, (from, to) each; with several the effect is common to them, and
    ``pooled_over`` has the factors by which the pairs differ from each other, with their levels. ``surroundings`` are
    the other factors, the same in all pairs. ``p_value`` is adjusted by Holm over all effects of the run.
    ``not_stated`` says why there is no ratio. ``is_shown`` is whether interval and p-value exclude chance.
    """

    factor: str
    workload: str
    metric: Compared
    from_level: Level
    to_level: Level
    pairs: tuple[tuple[str, str], ...]
    surroundings: Mapping[str, Level] = field(default_factory=dict)
    pooled_over: Mapping[str, tuple[Level, ...]] = field(default_factory=dict)
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    not_stated: str | None = None

    @property
    def is_shown(self) -> bool:
        """Whether the trials show an effect at all; without it "no effect" is not shown either."""
        if self.low is None or self.high is None or self.p_value is None:
            return False
        return (self.low > 1 or self.high < 1) and self.p_value < 1 - LEVEL

    @property
    def is_pooled(self) -> bool:
        """Whether the effect is common to several pairs of topologies."""
        return len(self.pairs) > 1

    def describe(self) -> str:
        """``frontends 1 → 3: throughput ×1.9 [1.7, 2.1]``; says so where chance explains it."""
        change = f"{self.factor} {_word(self.from_level)} → {_word(self.to_level)}"
        if self.ratio is None or self.low is None or self.high is None:
            return f"{change}: {self.metric.name} not stated, {self.not_stated}"
        chance = "" if self.is_shown else ", which chance may explain"
        return f"{change}: {self.metric.name} ×{self.ratio:.3g} [{self.low:.3g}, {self.high:.3g}]{chance}"


@dataclass(frozen=True)
class CurvePoint:
    """One level of a numeric factor and what was measured there."""

    level: float
    topology: str
    estimate: Estimate
    is_unstable: bool


@dataclass(frozen=True)
class FactorCurve:
    """A metric over three or more levels of a numeric factor, everything else being equal; levels ascend."""

    factor: str
    workload: str
    metric: Compared
    surroundings: Mapping[str, Level]
    points: tuple[CurvePoint, ...]


@dataclass(frozen=True)
class _Group:
    """Topologies that differ in one factor only, by level in the order of levels; the first is the reference."""

    factor: str
    surroundings: Mapping[str, Level]
    levels: tuple[tuple[Level, str], ...]


@dataclass(frozen=True)
class _Raw:
    """An effect with the contrast that it comes from, from the reference to the other level."""

    effect: FactorEffect
    contrast: Contrast | None = None


def factor_effects(summary: RunSummary) -> tuple[FactorEffect, ...]:
    """The effect of each factor per workload and metric: every level against the reference, pair by pair, then common.

    The reference is the baseline's level where the baseline is among them, else the lowest or the first; numeric
    effects are stated from the lower level to the higher. Where surroundings differ and the effects do not, the common
    effect follows; where the effects differ, an entry that says so.
    """
    found: list[_Raw] = []
    groups = _groups(summary)
    for workload in summary.workloads:
        cells = {cell.topology: cell for cell in summary.of_workload(workload)}
        for factor in dict.fromkeys(group.factor for group in groups):
            for metric in COMPARED:
                refusal = refusal_of(metric, summary.run.info.scenario, workload)
                own = [group for group in groups if group.factor == factor]
                single = [raw for group in own for raw in _of_group(group, workload, cells, metric, refusal)]
                found += [*single, *_common(single)]
    return _adjusted(found)


def factor_curves(summary: RunSummary) -> tuple[FactorCurve, ...]:
    """A curve per workload, metric and surroundings for each numeric factor with three levels or more."""
    return tuple(
        FactorCurve(group.factor, workload, metric, group.surroundings, points)
        for group in _groups(summary)
        for workload in summary.workloads
        for metric in COMPARED
        if len(points := _points(summary, group, workload, metric)) >= LEVELS_FOR_CURVE
    )


def effects_made(effects: Sequence[FactorEffect]) -> int:
    """How many effects Holm's method allowed for."""
    return sum(one.p_value is not None for one in effects)


def factors_of(scenario: Mapping[str, Any], topology: str) -> Mapping[str, Level]:
    """What a scenario says of a topology's factors; empty where it says nothing."""
    topologies = scenario.get("topologies")
    noun = topologies.get(topology) if isinstance(topologies, Mapping) else None
    factors = noun.get("factors") if isinstance(noun, Mapping) else None
    return factors if isinstance(factors, Mapping) else {}


def _groups(summary: RunSummary) -> list[_Group]:
    scenario = summary.run.info.scenario
    factors = {topology: factors_of(scenario, topology) for topology in summary.topologies}
    names = dict.fromkeys(name for own in factors.values() for name in own)
    return [group for name in names for group in _groups_of(name, factors, scenario, summary.topologies[0])]


def _groups_of(
    factor: str, factors: Mapping[str, Mapping[str, Level]], scenario: Mapping[str, Any], baseline: str
) -> Iterator[_Group]:
    alike: dict[str, list[str]] = {}
    for topology, own in factors.items():
        if factor in own:
            rest = sorted((name, repr(level)) for name, level in own.items() if name != factor)
            alike.setdefault(repr((rest, _deployment(scenario, topology, factor))), []).append(topology)
    for topologies in alike.values():
        levels = [(factors[topology][factor], topology) for topology in topologies]
        if len({repr(level) for level, _ in levels}) == len(levels) > 1:
            surroundings = {name: level for name, level in factors[topologies[0]].items() if name != factor}
            yield _Group(factor, surroundings, tuple(_reference_first(levels, baseline)))


def _deployment(scenario: Mapping[str, Any], topology: str, factor: str) -> object:
    """What else a topology says of itself that must be equal: a difference nobody declared has an effect as well."""
    noun = (scenario.get("topologies") or {}).get(topology)
    if not isinstance(noun, Mapping):
        return None
    rest = {key: value for key, value in noun.items() if key not in _NOT_THE_DEPLOYMENT and key != factor}
    settings = rest.get("settings")
    if isinstance(settings, Mapping):
        rest["settings"] = {key: value for key, value in settings.items() if key != factor}
    return sorted((key, repr(value)) for key, value in rest.items())


def _reference_first(levels: Sequence[tuple[Level, str]], baseline: str) -> list[tuple[Level, str]]:
    ordered = sorted(levels, key=lambda one: float(one[0])) if _are_numbers(levels) else list(levels)
    return sorted(ordered, key=lambda one: one[1] != baseline)


def _are_numbers(levels: Sequence[tuple[Level, str]]) -> bool:
    return all(isinstance(level, int | float) and not isinstance(level, bool) for level, _ in levels)


def _of_group(
    group: _Group, workload: str, cells: Mapping[str, Cell], metric: Compared, refusal: str | None
) -> list[_Raw]:
    (level, topology), *others = [one for one in group.levels if one[1] in cells] or [("", "")]
    if not others or topology != group.levels[0][1]:
        return []
    found = contrasts_with(cells[topology], [cells[name] for _, name in others], metric, refusal)
    is_numeric = _are_numbers(group.levels)
    return [
        _oriented(
            FactorEffect(
                group.factor,
                workload,
                metric,
                level,
                other,
                ((topology, name),),
                group.surroundings,
                not_stated=one if isinstance(one := found[name], str) else None,
            ),
            None if isinstance(one, str) else one,
            is_numeric,
        )
        for other, name in others
    ]


def _oriented(effect: FactorEffect, contrast: Contrast | None, is_numeric: bool) -> _Raw:
    """The effect with its figures, turned round where it would go from the higher number to the lower."""
    if is_numeric and float(effect.from_level) > float(effect.to_level):
        pairs = tuple((to, from_) for from_, to in effect.pairs)
        effect = replace(effect, from_level=effect.to_level, to_level=effect.from_level, pairs=pairs)
        contrast = contrast and _inverse(contrast)
    if contrast is None:
        return _Raw(effect)
    low, high = contrast.interval
    return _Raw(replace(effect, ratio=contrast.ratio, low=low, high=high, p_value=contrast.p_value), contrast)


def _inverse(one: Contrast) -> Contrast:
    return replace(
        one,
        ratio=1 / one.ratio,
        interval=_turned(one.interval),
        equivalence_interval=_turned(one.equivalence_interval),
    )


def _turned(interval: Interval) -> Interval:
    return 1 / interval[1], 1 / interval[0]


def _common(raws: Sequence[_Raw]) -> Iterator[_Raw]:
    """One effect for each change of level that was measured in several surroundings."""
    by_change: dict[str, list[_Raw]] = {}
    for raw in raws:
        if raw.contrast:
            by_change.setdefault(repr((raw.effect.from_level, raw.effect.to_level)), []).append(raw)
    for own in by_change.values():
        if len(own) > 1:
            yield _Raw(_pooled([raw.effect for raw in own], [raw.contrast for raw in own if raw.contrast]))


def _pooled(effects: Sequence[FactorEffect], found: Sequence[Contrast]) -> FactorEffect:
    """The mean of the effects weighted by their precision, with the spread of all trials; none where they differ."""
    logs = [math.log(one.ratio) for one in found]
    weights = [1 / one.scale**2 for one in found]
    freedom = sum(one.freedom for one in found)
    variance = sum(one.freedom * one.sd_log**2 for one in found) / freedom
    middle = sum(w * log for w, log in zip(weights, logs, strict=True)) / sum(weights)
    between = sum(w * (log - middle) ** 2 for w, log in zip(weights, logs, strict=True)) / (len(logs) - 1)
    unlike = float(stats.f.sf(between / variance, len(logs) - 1, freedom))
    pairs = tuple(pair for one in effects for pair in one.pairs)
    around, over = _surroundings_of([one.surroundings for one in effects])
    one = replace(
        effects[0],
        pairs=pairs,
        surroundings=around,
        pooled_over=over,
        ratio=None,
        low=None,
        high=None,
        p_value=None,
    )
    if unlike < ALIKE:
        least, most = min(found, key=lambda c: c.ratio).ratio, max(found, key=lambda c: c.ratio).ratio
        reason = f"it differs with the surroundings, from ×{least:.3g} to ×{most:.3g} (F test, p = {unlike:.2g})"
        return replace(one, not_stated=reason)
    deviation = math.sqrt(variance / sum(weights))
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * deviation
    p_value = float(2 * stats.t.sf(abs(middle) / deviation, freedom))
    return replace(
        one, ratio=math.exp(middle), low=math.exp(middle - half), high=math.exp(middle + half), p_value=p_value
    )


def _surroundings_of(
    own: Sequence[Mapping[str, Level]],
) -> tuple[dict[str, Level], dict[str, tuple[Level, ...]]]:
    """Factors that are the same in all surroundings, and those that differ with their levels in order."""
    names = dict.fromkeys(name for one in own for name in one)
    levels = {name: tuple(dict.fromkeys(one.get(name, NOT_SAID) for one in own)) for name in names}
    same = {name: found[0] for name, found in levels.items() if len(found) == 1}
    return same, {name: found for name, found in levels.items() if len(found) > 1}


def _adjusted(found: Sequence[_Raw]) -> tuple[FactorEffect, ...]:
    adjusted = iter(holm([raw.effect.p_value for raw in found if raw.effect.p_value is not None]))
    return tuple(
        raw.effect if raw.effect.p_value is None else replace(raw.effect, p_value=next(adjusted)) for raw in found
    )


def _points(summary: RunSummary, group: _Group, workload: str, metric: Compared) -> tuple[CurvePoint, ...]:
    if not _are_numbers(group.levels):
        return ()
    cells = [(float(level), summary.cell(topology, workload)) for level, topology in group.levels]
    points = [
        CurvePoint(level, cell.topology, one, cell.is_unstable)
        for level, cell in cells
        if cell is not None and (one := estimate_of(cell, metric)).trials
    ]
    return tuple(sorted(points, key=lambda point: point.level))


def _word(level: Level) -> str:
    return str(level).lower() if isinstance(level, bool) else f"{level:g}" if isinstance(level, float) else str(level)
