"""The answer: what the run shows, in plain sentences that claim no more than the trials carry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from iam_loadtest.analysis.cell import Cell
from iam_loadtest.analysis.estimate import Estimate
from iam_loadtest.analysis.part import add_outcomes
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.report.load_model import is_built_in, load_words
from iam_loadtest.report.tables import meaning
from iam_loadtest.report.text import listed, number, plural, share, with_range
from iam_loadtest.results.outcome import Outcome

TRIALS_TO_RANK = 3


@dataclass(frozen=True)
class Finding:
    """One thing that the run shows: what it is about, and what."""

    subject: str
    text: str


@dataclass(frozen=True)
class Answer:
    """``state`` says what ran, ``findings`` what differs, ``limits`` what these data cannot show."""

    state: str
    findings: tuple[Finding, ...]
    limits: tuple[str, ...]


def answer(summary: RunSummary) -> Answer:
    """The answer of a run, finished or not."""
    findings = (*_differences(summary), Finding("Failures", _failures(summary))) if summary.counted else ()
    return Answer(_state(summary), tuple(findings), tuple(_limits(summary)))


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
            f"No trial counts: of {plural(planned, 'planned trial')} of {matrix}, {_uncounted(summary)}. There are no "
            "figures to compare; the reasons stand in the table of trials."
        )
    rest = "" if counted == planned else f" ({_uncounted(summary)})"
    return f"{counted} of {plural(planned, 'planned trial')} count{rest}: {matrix}; {load_words(summary)}."


def _uncounted(summary: RunSummary) -> str:
    excluded, missing = len(summary.excluded), len(summary.missing)
    parts = [f"{excluded} ended badly or invalid"] if excluded else []
    return listed([*parts, *([f"{missing} missing"] if missing else [])])


def _differences(summary: RunSummary) -> Iterator[Finding]:
    for workload in summary.workloads:
        cells = [cell for cell in summary.of_workload(workload) if cell.requests.throughput_per_s.trials]
        if cells:
            yield Finding(workload, f"{'; '.join(_carried(cell) for cell in cells)}.{_ratios(cells)}")


def _carried(cell: Cell) -> str:
    p95 = cell.chain.p95_ms
    latency = f", chain p95 {with_range(p95)} ms" if p95.trials else ", no successful chain"
    return f"{cell.topology} {with_range(cell.requests.throughput_per_s)} successful requests/s{latency}"


def _ratios(cells: list[Cell]) -> str:
    baseline, *others = cells
    sentences = [_ratio(baseline, other) for other in others]
    return "".join(f" {sentence}" for sentence in sentences if sentence)


def _ratio(baseline: Cell, other: Cell) -> str:
    for cell in (baseline, other):
        if len(cell.counted) < TRIALS_TO_RANK:
            have = plural(len(cell.counted), "counted trial")
            return f"Not ranked: {cell.topology} has {have}, {TRIALS_TO_RANK} are needed."
    for cell in (baseline, other):
        if cell.is_unstable:
            return f"Not ranked: the trials of {cell.topology} differ too much from each other."
    ratios = [
        f"{number(of.value / to.value)} times the {what}{_overlap(of, to)}"
        for what, of, to in (
            ("throughput", other.requests.throughput_per_s, baseline.requests.throughput_per_s),
            ("p95", other.chain.p95_ms, baseline.chain.p95_ms),
        )
        if of.value and to.value
    ]
    return f"{other.topology} has {listed(ratios)} of {baseline.topology}." if ratios else ""


def _overlap(one: Estimate, other: Estimate) -> str:
    if None in {one.minimum, one.maximum, other.minimum, other.maximum}:
        return ""
    apart = one.values and other.values and (min(one.values) > max(other.values) or max(one.values) < min(other.values))
    return " (trials do not overlap)" if apart else " (trials overlap: no difference shown)"


def _failures(summary: RunSummary) -> str:
    requests = sum(cell.requests.requests for cell in summary.cells)
    failed = sum(cell.requests.failed for cell in summary.cells)
    if not requests:
        return "the measured windows hold no request at all."
    if not failed:
        return f"none of {requests:,} requests failed."
    if failed == requests:
        return f"every one of {requests:,} requests failed, mostly {_main_outcome(summary)}."
    worst = max(summary.cells, key=lambda cell: cell.requests.failure_share or 0)
    return (
        f"{share(failed / requests)} of {requests:,} requests, most with {worst.topology} under "
        f"{worst.workload} ({share(worst.requests.failure_share)}); mostly {_main_outcome(summary)}."
    )


def _main_outcome(summary: RunSummary) -> str:
    totals = add_outcomes([cell.requests.outcomes for cell in summary.cells])
    name = max((name for name in totals if name != Outcome.OK), key=lambda name: totals[name])
    return f"{name} ({meaning(name)})"


def _limits(summary: RunSummary) -> Iterator[str]:
    if summary.missing or summary.excluded:
        yield f"{_uncounted(summary).capitalize()}: what is compared may change when the matrix is complete."
    few = [cell for cell in summary.cells if 0 < len(cell.counted) < TRIALS_TO_RANK]
    if few:
        yield (
            f"{plural(len(few), 'cell')} with fewer than {TRIALS_TO_RANK} counted trials: a difference between single "
            "runs of the same build is often larger than 5 %, so nothing is ranked there; run more trials."
        )
    unstable = [f"{cell.topology} under {cell.workload}" for cell in summary.cells if cell.is_unstable]
    if unstable:
        which = "every cell" if len(unstable) == len(summary.cells) > 1 else listed(unstable)
        yield (
            f"Unstable, not ranked: {which} (trials spread over 10 %, or one over 25 % from the median). Look for what "
            "changed between the trials, then run longer trials, or more of them, of all compared topologies."
        )
    if len(summary.topologies) == 1:
        yield "One topology only: nothing is compared."
    if any(is_built_in(summary, topology) for topology in summary.topologies):
        yield (
            "The built-in IAM runs on the machine of the load generator and shares its cores: its figures try out the "
            "suite and say nothing about INDIGO IAM or any other server."
        )
    if summary.counted:
        yield (
            "Closed model: a slow server slows its users down, so throughput and latency are two sides of one figure, "
            "and latency at another load is not known."
        )
