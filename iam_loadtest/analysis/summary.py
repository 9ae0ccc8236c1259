"""RunSummary: every figure of a run, from what is on disk, finished or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from iam_loadtest.analysis.cell import Cell, make_cell
from iam_loadtest.analysis.load_model import is_staged
from iam_loadtest.analysis.trial_summary import TrialSummary, summarise_trial
from iam_loadtest.analysis.validity import validity_of
from iam_loadtest.results.run import PlannedTrial, Run, read_run


@dataclass(frozen=True)
class RunSummary:
    """A run with its trials in running order and its cells, workload by workload, topologies in scenario order."""

    run: Run
    topologies: tuple[str, ...]
    workloads: tuple[str, ...]
    trials: tuple[TrialSummary, ...]
    cells: tuple[Cell, ...]

    @property
    def counted(self) -> tuple[TrialSummary, ...]:
        """The trials that go into combined figures."""
        return tuple(trial for trial in self.trials if trial.is_counted)

    @property
    def excluded(self) -> tuple[TrialSummary, ...]:
        """The trials that ended but do not count, each with its reason."""
        return tuple(trial for trial in self.trials if not trial.is_counted)

    @property
    def missing(self) -> tuple[PlannedTrial, ...]:
        """The trials that were planned and have not ended."""
        return self.run.missing

    def cell(self, topology: str, workload: str) -> Cell | None:
        """The cell, or None where nothing was planned or run for it."""
        return next((cell for cell in self.cells if (cell.topology, cell.workload) == (topology, workload)), None)

    def of_workload(self, workload: str) -> tuple[Cell, ...]:
        """The cells of a workload, one per topology."""
        return tuple(cell for cell in self.cells if cell.workload == workload)

    def of_topology(self, topology: str) -> tuple[Cell, ...]:
        """The cells of a topology, one per workload."""
        return tuple(cell for cell in self.cells if cell.topology == topology)


def summarise_directory(directory: Path) -> RunSummary:
    """The summary of a run's directory; raises UserError where it is no run."""
    return summarise_run(read_run(directory))


def summarise_run(run: Run) -> RunSummary:
    """The summary of a run. One trial is in memory at a time."""
    steps = steps_of_workloads(run.info.scenario)
    validity, staged = validity_of(run.info.scenario), is_staged(run.info.scenario)
    by_time = sorted(run.trials, key=lambda trial: trial.started_at)
    order = {trial.id: number for number, trial in enumerate(by_time, start=1)}
    trials = tuple(
        replace(
            summarise_trial(run.trial_directory(trial), trial, steps.get(trial.workload, ()), validity, staged),
            order=order[trial.id],
        )
        for trial in run.trials
    )
    pairs = [(planned.topology, planned.workload) for planned in run.info.plan]
    pairs += [(trial.topology, trial.workload) for trial in run.trials]
    topologies = _ordered(run.info.scenario.get("topologies"), [topology for topology, _ in pairs])
    workloads = _ordered(run.info.scenario.get("workloads"), [workload for _, workload in pairs])
    cells = tuple(
        _cell(run, trials, topology, workload, steps.get(workload, ()))
        for workload in workloads
        for topology in topologies
        if (topology, workload) in pairs
    )
    return RunSummary(run, topologies, workloads, trials, cells)


def steps_of_workloads(scenario: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The names that samples give the steps of each workload, in order; empty where the scenario does not say."""
    workloads = scenario.get("workloads")
    if not isinstance(workloads, Mapping):
        return {}
    return {
        name: tuple(dict.fromkeys(_label(scenario.get("steps"), step) for step in steps_in(workloads, workload)))
        for name, workload in workloads.items()
    }


def steps_in(workloads: Mapping[str, Any], workload: object) -> list[str]:
    """The steps of a workload, those of ``prime`` first; of a mix those of its parts."""
    if isinstance(workload, Mapping):
        parts = [workloads.get(name) for name in workload.get("mix") or ()]
        own = [*(workload.get("prime") or ()), *(workload.get("steps") or ())]
        return [*own, *(step for part in parts for step in steps_in({}, part))]
    steps = workload if isinstance(workload, Sequence) and not isinstance(workload, str) else ()
    return [step for step in steps if isinstance(step, str)]


def _label(steps: object, name: str) -> str:
    step = steps.get(name) if isinstance(steps, Mapping) else None
    label = step.get("label") if isinstance(step, Mapping) else None
    return str(label) if label else name


def _cell(run: Run, trials: Sequence[TrialSummary], topology: str, workload: str, steps: Sequence[str]) -> Cell:
    own = [entry for entry in trials if (entry.trial.topology, entry.trial.workload) == (topology, workload)]
    missing = [planned for planned in run.missing if (planned.topology, planned.workload) == (topology, workload)]
    return make_cell(topology, workload, own, missing, steps)


def _ordered(declared: object, used: Sequence[str]) -> tuple[str, ...]:
    names = [str(name) for name in declared] if isinstance(declared, Mapping | list | tuple) else []
    chosen = [name for name in names if name in used]
    return tuple(dict.fromkeys([*chosen, *used]))
