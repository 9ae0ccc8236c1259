"""The answer: what the run shows, in plain sentences that claim no more than the trials carry."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from iam_loadtest.analysis.cell import Cell
from iam_loadtest.analysis.comparison import COMPARED, Compared, Comparison, Verdict
from iam_loadtest.analysis.demand import carried
from iam_loadtest.analysis.factor import factor_effects
from iam_loadtest.analysis.part import add_outcomes
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.report.comparisons import interval_words
from iam_loadtest.report.consistency import consistency_sentences
from iam_loadtest.report.factors import demand_sentences, effect_sentences
from iam_loadtest.report.limits import FEW_TOPOLOGIES, limits, uncounted_words
from iam_loadtest.report.load_model import load_words
from iam_loadtest.report.metric import NAME_OF
from iam_loadtest.report.objectives import judged, objective_words
from iam_loadtest.report.recovery import recovery_sentences
from iam_loadtest.report.tables import meaning
from iam_loadtest.report.text import listed, number, plural, quoted, share, with_range
from iam_loadtest.results.outcome import Outcome


@dataclass(frozen=True)
class Finding:
    """One thing that the run shows: what it is about, and what."""

    subject: str
    text: str


@dataclass(frozen=True)
class Answer:
    """``lead`` says what differs, by how much and how sure that is; empty where nothing counts.

    ``state`` says what ran, ``findings`` has the figures of each workload, ``limits`` what these data cannot show.
    """

    lead: str
    state: str
    findings: tuple[Finding, ...]
    limits: tuple[str, ...]


def answer(summary: RunSummary, comparisons: Sequence[Comparison]) -> Answer:
    """The answer of a run, finished or not."""
    sentences = (*_in_short(summary, comparisons), _failures(summary), objective_words(judged(summary)))
    lead = " ".join(filter(None, sentences)) if summary.counted else ""
    findings = (*_differences(summary, comparisons), *_more(summary)) if summary.counted else ()
    return Answer(lead, _state(summary), findings, limits(summary, comparisons))


def _state(summary: RunSummary) -> str:
    planned, counted = len(summary.run.info.plan), len(summary.counted)
    matrix = (
        f"{plural(len(summary.topologies), 'topology', 'topologies')} under "
        f"{plural(len(summary.workloads), 'workload')}"
    )
    if not summary.trials:
        return f"No trial has ended yet: {plural(planned, 'trial')} of {matrix} planned. There is nothing to report."
    if not counted:
        return (
            f"No trial counts: of {plural(planned, 'planned trial')} of {matrix}, {uncounted_words(summary)}. "
            f"There are no figures to compare. Most often: {_main_reason(summary)}."
        )
    rest = "" if counted == planned else f" ({uncounted_words(summary)})"
    return f"{counted} of {plural(planned, 'planned trial')} count{rest}: {matrix}; {load_words(summary)}."


def _main_reason(summary: RunSummary) -> str:
    reasons = Counter(one.excluded or "" for one in summary.excluded)
    return reasons.most_common(1)[0][0].rstrip(".")


def _differences(summary: RunSummary, comparisons: Sequence[Comparison]) -> Iterator[Finding]:
    for workload in summary.workloads:
        cells = [cell for cell in summary.of_workload(workload) if cell.requests.throughput_per_s.trials]
        if cells:
            own = [one for one in comparisons if one.workload == workload]
            yield Finding(workload, f"{_carried(cells)} {_comparison_words(own)}".strip())


def _in_short(summary: RunSummary, comparisons: Sequence[Comparison]) -> Iterator[str]:
    """One sentence for each of a few topologies, two for many; why there is none where nothing can be ranked."""
    baseline, *others = summary.topologies
    ranked = [one for one in comparisons if one.verdict]
    if not others:
        yield f"Only {quoted(baseline)} was measured, so nothing is compared."
    elif not ranked:
        yield "Nothing is ranked: these trials do not say which topology is faster."
    elif len(others) > FEW_TOPOLOGIES:
        yield from _overview(ranked)
    else:
        for topology in others:
            own = [one for one in ranked if one.topology == topology]
            parts = [_tally([one for one in own if one.metric is metric], metric) for metric in COMPARED]
            if own:
                yield f"Against {quoted(baseline)}, {quoted(topology)} has {listed([part for part in parts if part])}."


def _overview(ranked: Sequence[Comparison]) -> Iterator[str]:
    """How many comparisons came to what, and the largest difference of each metric."""
    counts = Counter(str(one.verdict) for one in ranked)
    words = listed([f"{counts[verdict]} {verdict.lower()}" for verdict in Verdict if counts[verdict]])
    yield f"Of {plural(len(ranked), 'ranked comparison')} with {quoted(ranked[0].baseline)}, {words}."
    for metric in COMPARED:
        apart = [one for one in ranked if one.metric is metric and one.verdict in _APART and one.ratio]
        if apart:
            most = max(apart, key=lambda one: abs(math.log(one.ratio or 1)))
            yield (
                f"Furthest from it in {NAME_OF[metric.name]}: {quoted(most.topology)} under {most.workload} "
                f"(×{number(most.ratio)}, 95 % interval {interval_words(most)})."
            )


_APART = {Verdict.BETTER, Verdict.WORSE}


def _tally(comparisons: Sequence[Comparison], metric: Compared) -> str:
    """``higher throughput under 2 of 3 workloads (×1.35 to ×1.42, 95 % intervals within 1.32–1.51)``."""
    parts = []
    for verdict, word in _words_of(metric):
        own = [one for one in comparisons if one.verdict is verdict and one.ratio]
        if own:
            workloads = f"{len(own)} of {plural(len(comparisons), 'workload')}"
            parts.append(f"{word.format(NAME_OF[metric.name])} under {workloads} ({_span(own)})")
    return listed(parts)


def _span(comparisons: Sequence[Comparison]) -> str:
    ratios = [one.ratio for one in comparisons if one.ratio]
    low, high = number(min(ratios)), number(max(ratios))
    if len(comparisons) == 1:
        return f"×{low}, 95 % interval {interval_words(comparisons[0])}"
    times = f"×{low}" if low == high else f"×{low} to ×{high}"
    ends = [end for one in comparisons for end in (one.low, one.high) if end is not None]
    return f"{times}, 95 % intervals within {number(min(ends))}–{number(max(ends))}"


def _words_of(metric: Compared) -> tuple[tuple[Verdict, str], ...]:
    better, worse = ("higher", "lower") if metric.more_is_better else ("lower", "higher")
    return (
        (Verdict.BETTER, f"{better} {{}}"),
        (Verdict.WORSE, f"{worse} {{}}"),
        (Verdict.EQUIVALENT, "equivalent {}"),
        (Verdict.INCONCLUSIVE, "no difference shown in {}"),
    )


def _carried(cells: list[Cell]) -> str:
    shown = cells if len(cells) <= FEW_TOPOLOGIES + 1 else cells[:1]
    return "; ".join(_figures(cell) for cell in shown) + "."


def _figures(cell: Cell) -> str:
    p95 = cell.chain.p95_ms
    latency = f", chain p95 {with_range(p95)} ms" if p95.trials else ", no successful chain"
    return f"{quoted(cell.topology)} {with_range(cell.requests.throughput_per_s)} successful requests/s{latency}"


def _more(summary: RunSummary) -> Iterator[Finding]:
    """What each factor does, what faults did to clients, what probes saw, and how far the demand is carried."""
    for change, effect in effect_sentences(factor_effects(summary)):
        yield Finding(change, effect)
    for fault, seen in recovery_sentences(summary):
        yield Finding(fault, seen)
    for sentence in consistency_sentences(summary):
        yield Finding("Consistency", sentence)
    for sentence in demand_sentences(carried(summary)):
        yield Finding("Demand", sentence)


def _comparison_words(comparisons: Sequence[Comparison]) -> str:
    ranked = [sentence for metric in COMPARED for sentence in _metric_words(comparisons, metric)]
    return " ".join([*ranked, *_refused(comparisons)])


def _refused(comparisons: Sequence[Comparison]) -> Iterator[str]:
    refused = [one for one in comparisons if one.not_ranked]
    names = list(dict.fromkeys(quoted(one.topology) for one in refused))
    if len(names) > FEW_TOPOLOGIES:
        yield f"Not ranked: {listed(names)}; the table of comparisons says why."
    elif names:
        yield f"Not ranked: {'; '.join(dict.fromkeys(str(one.not_ranked) for one in refused))}."


def _metric_words(comparisons: Sequence[Comparison], metric: Compared) -> Iterator[str]:
    own = [one for one in comparisons if one.metric is metric and one.verdict]
    is_short = len(own) > FEW_TOPOLOGIES
    groups = [
        f"{word} with {listed([_with_ratio(one, is_short) for one in own if one.verdict is verdict])}"
        for verdict, word in _verdict_words(metric)
        if any(one.verdict is verdict for one in own)
    ]
    if groups:
        yield f"Against {quoted(own[0].baseline)}, {NAME_OF[metric.name]} is {'; '.join(groups)}."


def _verdict_words(metric: Compared) -> Iterator[tuple[Verdict, str]]:
    for verdict, phrase in _words_of(metric):
        shown = verdict is not Verdict.INCONCLUSIVE
        yield verdict, phrase.removesuffix(" {}") if shown else "without a difference shown"


def _with_ratio(one: Comparison, is_short: bool) -> str:
    name, ratio = quoted(one.topology), f"×{number(one.ratio)}"
    if is_short:
        return f"{name} ({ratio})"
    tell = f"; {one.trials_to_resolve} trials each would tell {one.margin * 100:g} %"
    return f"{name} ({ratio}, 95 % interval {interval_words(one)}{tell if one.trials_to_resolve else ''})"


def _failures(summary: RunSummary) -> str:
    requests = sum(cell.requests.requests for cell in summary.cells)
    failed = sum(cell.requests.failed for cell in summary.cells)
    if not requests:
        return "The measured windows hold no request at all."
    if not failed:
        return f"None of {requests:,} requests failed."
    if failed == requests:
        return f"Every one of {requests:,} requests failed, mostly {_main_outcome(summary)}."
    worst = max(summary.cells, key=lambda cell: cell.requests.failure_share or 0)
    return (
        f"{share(failed / requests)} of {requests:,} requests failed, most with {quoted(worst.topology)} under "
        f"{worst.workload}: {_failed_words(worst)}; mostly {_main_outcome(summary)}."
    )


def _failed_words(cell: Cell) -> str:
    interval = cell.requests.failure_interval
    bounds = f", 95 % interval {100 * interval[0]:.2f}–{100 * interval[1]:.2f} %" if interval else ""
    return f"{share(cell.requests.failure_share)}{bounds}"


def _main_outcome(summary: RunSummary) -> str:
    totals = add_outcomes([cell.requests.outcomes for cell in summary.cells])
    name = max((name for name in totals if name != Outcome.OK), key=lambda name: totals[name])
    return f"{name} ({meaning(name)})"
