"""What each factor does, and how far a topology carries the demand: tables and sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from iam_loadtest.analysis.demand import Carried
from iam_loadtest.analysis.factor import FactorEffect, effects_made
from iam_loadtest.analysis.objective import Judgement
from iam_loadtest.report.metric import NAME_OF
from iam_loadtest.report.table import Column, Entry, Table, figure, ratio_entry, words
from iam_loadtest.report.text import NO_DATA, listed, number, plural, quoted, with_range


def effect_table(effects: Sequence[FactorEffect]) -> Table:
    """One row per factor, workload and metric; rows without a ratio say why."""
    columns = (
        Column("Factor"),
        Column("Change"),
        Column("Workload"),
        Column("Metric"),
        Column("Ratio", True),
        Column("95 % interval", True),
        Column("Verdict", wide=True),
        Column("Between", wide=True),
    )
    return Table("factor-effects", _effect_caption(effects), columns, tuple(_effect_row(one) for one in effects))


def _effect_caption(effects: Sequence[FactorEffect]) -> str:
    made = effects_made(effects)
    sentences = [
        "Each row is of one workload and compares topologies that differ in this factor and in nothing else that is "
        "declared; in brackets the other factors, the same on both sides."
    ]
    if any(one.is_pooled for one in effects):
        sentences.append(
            "Pooled over: the mean of several such pairs, weighted by their precision, which differ from each other in "
            "the factors named there; no workloads are pooled, nor pairs whose effects differ (F test)."
        )
    if made > 1:
        sentences.append(f"Verdicts allow for {made} effects by Holm's method.")
    if made < len(effects):
        sentences.append("A row that is not stated says why.")
    return " ".join(sentences)


def _effect_row(one: FactorEffect) -> tuple[Entry, ...]:
    return (
        words(one.factor),
        words(f"{one.from_level} → {one.to_level}"),
        words(one.workload),
        words(one.metric.name),
        ratio_entry(one.ratio),
        Entry(interval_of(one), one.low),
        _effect_verdict(one),
        words("; ".join(f"{from_} → {to}" for from_, to in one.pairs) + around_words(one)),
    )


def interval_of(one: FactorEffect) -> str:
    """The 95 % interval of the effect; n/a where there is none."""
    return NO_DATA if one.low is None or one.high is None else f"{number(one.low)}–{number(one.high)}"


def _effect_verdict(one: FactorEffect) -> Entry:
    if one.not_stated:
        return Entry(f"not stated: {one.not_stated}", mark="quiet")
    if not one.is_shown or one.ratio is None:
        return Entry("no effect shown", mark="quiet")
    is_better = (one.ratio > 1) == one.metric.more_is_better
    return Entry("better" if is_better else "worse", mark="good" if is_better else "bad")


def surroundings_words(surroundings: Mapping[str, object]) -> str:
    """`` (database mariadb, network none)``; empty where there are none."""
    listed = ", ".join(f"{name} {level}" for name, level in surroundings.items())
    return f" ({listed})" if listed else ""


def around_words(one: FactorEffect) -> str:
    """The surroundings of an effect, and over what it was pooled; empty where there is neither."""
    if not one.is_pooled:
        return surroundings_words(one.surroundings)
    over = [f"{name} {listed([str(level) for level in levels])}" for name, levels in one.pooled_over.items()]
    pooled = f"{'not ' if one.not_stated else ''}pooled over {'; '.join(over) or f'{len(one.pairs)} pairs'}"
    same = [f"{name} {level}" for name, level in one.surroundings.items()]
    return f" ({'; '.join([*same, pooled])})"


def effect_sentences(effects: Sequence[FactorEffect]) -> Iterator[tuple[str, str]]:
    """Each change of a factor with an effect that is shown: ``frontends 1 → 3``, ``throughput ×1.9 [1.7–2.1] ...``.

    What is the same around all effects of a change stands once, with the change.
    """
    shown = [one for one in effects if one.is_shown and one.ratio and one.low and one.high]
    for factor, change in dict.fromkeys((one.factor, (one.from_level, one.to_level)) for one in shown):
        own = [one for one in shown if one.factor == factor and (one.from_level, one.to_level) == change]
        widest = _widest(own)
        around = {around_words(one) for one in widest}
        common = around.pop() if len(around) == 1 else None
        words = [_effect_words(one, "" if common is not None else around_words(one)) for one in widest]
        yield f"{factor} {change[0]} → {change[1]}{common or ''}", f"{'; '.join(words)}."


def _widest(effects: Sequence[FactorEffect]) -> list[FactorEffect]:
    """The effect common to all surroundings where there is one, else that of each."""
    pooled = {(one.workload, one.metric) for one in effects if one.is_pooled}
    return [one for one in effects if one.is_pooled or (one.workload, one.metric) not in pooled]


def _effect_words(one: FactorEffect, around: str) -> str:
    return f"{NAME_OF[one.metric.name]} ×{number(one.ratio)} [{interval_of(one)}] under {one.workload}{around}"


def demand_table(found: Sequence[Carried]) -> Table:
    """One row per cell and need: how many times over the demand of the peak was carried."""
    columns = (
        Column("Workload"),
        Column("Topology"),
        Column("What"),
        Column("Needed /s", True),
        Column("Carried /s", True),
        Column("Times", True),
        Column("95 % interval", True),
        Column("Objectives"),
    )
    caption = (
        "The scenario's demand at its peak against what was answered successfully. Under the load of this run that is "
        "the least that the topology carries; the most was not looked for. Where objectives were not met, what was "
        "answered is not carried."
    )
    return Table("demand", caption, columns, tuple(_demand_row(one) for one in found))


def _demand_row(one: Carried) -> tuple[Entry, ...]:
    bounds = one.interval
    return (
        words(one.workload),
        words(one.topology),
        words(one.what),
        figure(one.demand_per_s),
        Entry(with_range(one.goodput), one.goodput.value),
        ratio_entry(one.times),
        Entry(f"{number(bounds[0])}–{number(bounds[1])}" if bounds else NO_DATA, bounds and bounds[0]),
        Entry(one.objectives or "none set", mark="bad" if one.objectives is Judgement.MISSED else ""),
    )


def demand_sentences(found: Sequence[Carried]) -> Iterator[str]:
    """How many times over each topology carried each need, by the least of its workloads that met their objectives."""
    for what in dict.fromkeys(one.what for one in found):
        own = [one for one in found if one.what == what]
        least = {one.topology: one for one in sorted(own, key=lambda one: -(one.times or 0)) if _is_carried(one)}
        if least:
            times = [f"{quoted(name)} ×{number(one.times)} ({_how_sure(one)})" for name, one in least.items()]
            need = f"{number(own[0].demand_per_s)} {what}/s"
            yield f"the peak of {need} was carried at least so many times over: {listed(times)}."
        others = [quoted(name) for name in dict.fromkeys(one.topology for one in own) if name not in least]
        if others:
            yield f"no workload shows that {listed(others)} would carry the {what} of the peak within the objectives."


def _how_sure(one: Carried) -> str:
    """Under which workload, and the interval of the figure; the range of the trials where they have none."""
    goodput = one.goodput
    if one.interval:
        bounds = f"95 % interval {number(one.interval[0])}–{number(one.interval[1])}"
    elif goodput.trials == 1 or goodput.minimum is None or goodput.maximum is None:
        bounds = plural(goodput.trials, "trial")
    else:
        ends = (number(end / one.demand_per_s) for end in (goodput.minimum, goodput.maximum))
        bounds = f"{plural(goodput.trials, 'trial')} from {' to '.join(ends)}"
    return f"under {one.workload}, {bounds}"


def _is_carried(one: Carried) -> bool:
    return one.is_within_objectives and one.times is not None
