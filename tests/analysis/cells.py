"""Cells made of per-trial figures, for tests of what is said over trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from iam_loadtest.analysis.cell import make_cell
from iam_loadtest.analysis.part import ALL_REQUESTS, Latency, Part
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.analysis.trial_summary import TrialSummary
from iam_loadtest.results.run import Run, RunInfo
from iam_loadtest.results.sample import WORKFLOW_STEP
from iam_loadtest.results.trial import Trial, TrialStatus

WINDOW_S = 1e6

Figures = tuple[float, float | None]
"""Throughput per second and p95 of the chain in ms of one trial."""


def trial_of(topology: str, workload: str, number: int, figures: Figures, order: int, failed: int = 0) -> TrialSummary:
    """A counted trial with these figures, the ``order``-th of its run."""
    throughput, p95_ms = figures
    ok = round(throughput * WINDOW_S)
    outcomes = {"ok": ok, "timeout": failed} if failed else {"ok": ok}
    trial = Trial(f"{topology}-{workload}-{number}", order, topology, workload, number, TrialStatus.OK, None, "", "")
    requests = Part(ALL_REQUESTS, ok + failed, outcomes, WINDOW_S)
    latency = Latency() if p95_ms is None else Latency(p95_us=round(p95_ms * 1000))
    chain = Part(WORKFLOW_STEP, ok, {"ok": ok}, WINDOW_S, latency)
    return TrialSummary(trial, None, WINDOW_S, requests, chain, order=order)


def summary_of(
    cells: Mapping[tuple[str, str], Sequence[Figures]], scenario: Mapping[str, Any] | None = None
) -> RunSummary:
    """A run whose cells, by topology and workload, have these trials; the first topology is the baseline.

    Rounds run the cells in turn, the even ones in reverse.
    """
    info = RunInfo("run", "", scenario or {}, "", (), 1, {}, {})
    topologies = tuple(dict.fromkeys(topology for topology, _ in cells))
    workloads = tuple(dict.fromkeys(workload for _, workload in cells))
    made = tuple(
        make_cell(
            topology,
            workload,
            [trial_of(topology, workload, i, one, order_of(place, i, len(cells))) for i, one in enumerate(trials, 1)],
        )
        for place, ((topology, workload), trials) in enumerate(cells.items())
    )
    trials = tuple(trial for cell in made for trial in cell.trials)
    return RunSummary(Run(Path("run"), info, ()), topologies, workloads, trials, made)


def order_of(place: int, number: int, cells: int) -> int:
    """The place in the running order of trial ``number`` of the cell at ``place``."""
    return (number - 1) * cells + (place if number % 2 else cells - 1 - place) + 1
