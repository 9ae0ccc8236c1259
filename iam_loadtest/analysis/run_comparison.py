"""One run against another: the same cells of both, by the statistics that compare topologies within a run.

The trials of two runs are not interleaved: what changed between them on machine and network is part of the ratio.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from iam_loadtest.analysis.cell import Cell
from iam_loadtest.analysis.comparison import (
    COMPARED,
    OPEN_MODEL,
    PROBES_ALONE,
    Comparison,
    Finding,
    Verdict,
    against,
    judged,
    refusal_of,
)
from iam_loadtest.analysis.contrast import Interval
from iam_loadtest.analysis.margin import margins_of
from iam_loadtest.analysis.resolution import TRIALS_TO_RANK
from iam_loadtest.analysis.summary import RunSummary

FAILURES_MARGIN = 0.01
"""One in a hundred requests more that fail is what matters; shares have no ratio where nothing fails."""


@dataclass(frozen=True)
class FailureChange:
    """The failure share of one cell in both runs, each with its 95 % interval where there are three trials."""

    topology: str
    workload: str
    baseline: float | None
    candidate: float | None
    baseline_interval: Interval | None
    candidate_interval: Interval | None

    @property
    def is_worse(self) -> bool:
        """Whether the intervals show that at least one in a hundred requests more fails."""
        if self.baseline_interval is None or self.candidate_interval is None:
            return False
        return self.candidate_interval[0] > self.baseline_interval[1] + FAILURES_MARGIN


@dataclass(frozen=True)
class RunComparison:
    """The cells that both runs have, compared, and those that only one has as (topology, workload).

    In each comparison ``baseline`` and ``topology`` are the same name: it is the runs that differ. ``uncounted`` are
    the cells of both of which no trial of one run counts.
    """

    comparisons: tuple[Comparison, ...]
    failures: tuple[FailureChange, ...]
    only_baseline: tuple[tuple[str, str], ...]
    only_candidate: tuple[tuple[str, str], ...]
    uncounted: tuple[tuple[str, str], ...] = ()

    @property
    def has_too_few_trials(self) -> bool:
        """Whether no cell has trials enough of both runs: then nothing is said of the candidate, good or bad."""
        return all(min(one.trials) < TRIALS_TO_RANK for one in self.comparisons)

    @property
    def is_worse(self) -> bool:
        """Whether anything is worse by more than its margin, beyond doubt."""
        worse = any(one.verdict is Verdict.WORSE and one.is_material for one in self.comparisons)
        return worse or any(one.is_worse for one in self.failures)

    @property
    def is_conclusive(self) -> bool:
        """Whether each comparison says that the candidate is no worse by its margin, or that it is.

        WORSE with an interval that reaches beyond the margin leaves open by how much.
        """
        return bool(self.comparisons) and all(map(_is_conclusive, self.comparisons))


def compare_runs(baseline: RunSummary, candidate: RunSummary) -> RunComparison:
    """The candidate's cells over the baseline's. The margins are the baseline's, set before either was measured."""
    ours = {(cell.topology, cell.workload): cell for cell in baseline.cells}
    theirs = {(cell.topology, cell.workload): cell for cell in candidate.cells}
    both = [key for key in ours if key in theirs]
    margins = margins_of(baseline.run.info.scenario)
    scenarios = [one.run.info.scenario for one in (baseline, candidate)]
    found: list[Finding] = []
    for key in both:
        for metric in COMPARED:
            refusal = next(filter(None, (refusal_of(metric, one, key[1]) for one in scenarios)), None)
            margin = metric.margin(margins)
            pair = _named(ours[key], "the baseline"), _named(theirs[key], "the candidate")
            found += against(pair[0], [pair[1]], metric, margin, refusal, with_order=False)
    names = [key for key in both for _ in COMPARED]
    return RunComparison(
        tuple(replace(one, baseline=name[0], topology=name[0]) for one, name in zip(judged(found), names, strict=True)),
        tuple(_failures(ours[key], theirs[key]) for key in both),
        tuple(key for key in ours if key not in theirs),
        tuple(key for key in theirs if key not in ours),
        tuple(key for key in both if not (ours[key].counted and theirs[key].counted)),
    )


def _named(cell: Cell, run: str) -> Cell:
    """The cell by the run it is of, for reasons that name it."""
    return replace(cell, topology=run)


def _failures(ours: Cell, theirs: Cell) -> FailureChange:
    old, new = ours.requests, theirs.requests
    return FailureChange(
        ours.topology,
        ours.workload,
        old.failure_share,
        new.failure_share,
        old.failure_interval,
        new.failure_interval,
    )


def _is_conclusive(one: Comparison) -> bool:
    if one.not_ranked in (OPEN_MODEL, PROBES_ALONE):
        return True
    if one.verdict is Verdict.WORSE:
        return one.is_material or _within_margin(one)
    return one.verdict in (Verdict.BETTER, Verdict.EQUIVALENT)


def _within_margin(one: Comparison) -> bool:
    if one.low is None or one.high is None:
        return False
    return 1 / (1 + one.margin) <= one.low and one.high <= 1 + one.margin
