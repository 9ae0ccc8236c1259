"""Cells made of per-trial figures, for tests of what is said over trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

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


def trial_of(topology: str, workload: str, number: int, figures: Figures) -> TrialSummary:
    """A counted trial with these figures."""
    throughput, p95_ms = figures
    ok = round(throughput * WINDOW_S)
    trial = Trial(f"{topology}-{workload}-{number}", number, topology, workload, number, TrialStatus.OK, None, "", "")
    requests = Part(ALL_REQUESTS, ok, {"ok": ok}, WINDOW_S)
    latency = Latency() if p95_ms is None else Latency(1, 1, round(p95_ms * 1000), 1, 1)
    return TrialSummary(trial, None, WINDOW_S, requests, Part(WORKFLOW_STEP, ok, {"ok": ok}, WINDOW_S, latency))


def summary_of(cells: Mapping[tuple[str, str], Sequence[Figures]]) -> RunSummary:
    """A run whose cells, by topology and workload, have these trials; the first topology is the baseline."""
    info = RunInfo("run", "", {}, "", (), 1, {}, {})
    topologies = tuple(dict.fromkeys(topology for topology, _ in cells))
    workloads = tuple(dict.fromkeys(workload for _, workload in cells))
    made = tuple(
        make_cell(topology, workload, [trial_of(topology, workload, i, one) for i, one in enumerate(trials, 1)])
        for (topology, workload), trials in cells.items()
    )
    trials = tuple(trial for cell in made for trial in cell.trials)
    return RunSummary(Run(Path("run"), info, ()), topologies, workloads, trials, made)
