"""Run: one execution of a plan, one directory.

``run.json`` holds format, name, scenario (as resolved, no secrets), fingerprint, plan (the planned trials),
seed, versions, machine and started_at. Trials stand in ``trials/<id>/``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

from iam_loadtest.errors import UserError
from iam_loadtest.results.json_file import read_json, shape_problem, write_json
from iam_loadtest.results.trial import TRIAL_FILE, Trial, TrialStatus, read_trial, trial_id

RUN_FORMAT = 1
RUN_FILE = "run.json"
SCENARIO_FILE = "scenario.yaml"
TRIALS_DIRECTORY = "trials"
TEMPORARY_PREFIX = ".running-"


@dataclass(frozen=True)
class PlannedTrial:
    """One trial before it starts. ``position`` counts from 1 over the run, ``trial`` within topology and workload.

    ``repeat`` is true for the one repetition of a trial that was invalid; it keeps the numbers of that trial.
    """

    position: int
    topology: str
    workload: str
    trial: int
    repeat: bool = False

    @property
    def id(self) -> str:
        """The name of the trial's directory."""
        return trial_id(self.position, self.topology, self.workload, self.trial, self.repeat)

    @property
    def running_order(self) -> tuple[int, bool, int]:
        """Sorts trials as they run: round by round, the repetitions of a round at its end."""
        return self.trial, self.repeat, self.position

    @property
    def again(self) -> PlannedTrial:
        """Its repetition."""
        return replace(self, repeat=True)


@dataclass(frozen=True)
class RunInfo:
    """What run.json says. ``scenario`` is the resolved scenario as plain data, without secrets.

    ``source`` is the scenario file as it was named, ``overrides`` the keys of its load that the command line changed.
    ``calibration`` is what the generator itself could do, where that was asked for: requests_per_cpu_s, floor_p50_ms,
    floor_p95_ms, workload, seconds, tls. ``external_workers`` says whether the load came from other hosts.
    """

    name: str
    started_at: str
    scenario: Mapping[str, Any]
    fingerprint: str
    plan: tuple[PlannedTrial, ...]
    seed: int
    versions: Mapping[str, str]
    machine: Mapping[str, Any]
    source: str = ""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] | None = None
    external_workers: bool = False


@dataclass(frozen=True)
class Run:
    """A run as it stands on disk: finished or not."""

    directory: Path
    info: RunInfo
    trials: tuple[Trial, ...]

    def trial_directory(self, trial: Trial) -> Path:
        """Where the trial's files are."""
        return self.directory / TRIALS_DIRECTORY / trial.id

    @property
    def missing(self) -> tuple[PlannedTrial, ...]:
        """Planned trials that have not ended yet, or were interrupted."""
        done = {trial.id for trial in self.trials if trial.status is not TrialStatus.INTERRUPTED}
        return tuple(planned for planned in self.info.plan if planned.id not in done)

    @property
    def due(self) -> tuple[PlannedTrial, ...]:
        """What is left to run, in its order: the missing trials, and one repetition of each that was invalid."""
        ended = {trial.id for trial in self.trials if trial.status is not TrialStatus.INTERRUPTED}
        invalid = {trial.id for trial in self.trials if trial.status is TrialStatus.INVALID}
        repeats = [planned.again for planned in self.info.plan if planned.id in invalid]
        left = [*self.missing, *(planned for planned in repeats if planned.id not in ended)]
        return tuple(sorted(left, key=lambda planned: planned.running_order))

    def uncounted(self, counted: Collection[str]) -> tuple[PlannedTrial, ...]:
        """Planned trials that ended badly and whose repetition, where there was one, did not count either.

        ``counted`` holds the ids of the trials that count.
        """
        missing = {planned.id for planned in self.missing}
        return tuple(
            planned
            for planned in self.info.plan
            if planned.id not in missing and planned.id not in counted and planned.again.id not in counted
        )


def write_run_info(directory: Path, info: RunInfo) -> None:
    """Write run.json into the run's directory."""
    write_json(directory / RUN_FILE, {"format": RUN_FORMAT, **asdict(info)})


def read_run(directory: Path) -> Run:
    """The run of a directory with its finished trials in running order; raises UserError where it is no run.

    A trial is called as its directory is, whatever trial.json says: a killed runner may have renamed it alone.
    """
    if not (directory / RUN_FILE).is_file():
        raise UserError(
            f"{directory}: is not a run: it has no {RUN_FILE}; name a directory that `iam-loadtest run` made."
        )
    info = _info_of(directory / RUN_FILE)
    trials = [replace(read_trial(path), id=path.name) for path in trial_directories(directory)]
    trials.sort(key=attrgetter("running_order", "started_at"))
    return Run(directory, info, tuple(trials))


def trial_directories(directory: Path) -> list[Path]:
    """Directories of trials that ended, well or badly; a trial in progress has a temporary name and is left out."""
    return sorted(
        path.parent
        for path in (directory / TRIALS_DIRECTORY).glob(f"*/{TRIAL_FILE}")
        if not path.parent.name.startswith(".")
    )


def newest_run(reports: Path) -> Path:
    """The directory of the run that started last below ``reports``; raises UserError where there is none."""
    runs = [path.parent for path in reports.glob(f"*/{RUN_FILE}")]
    if not runs:
        raise UserError(f"{reports}: holds no run; start one with `iam-loadtest run scenarios/quick.yaml`.")
    return max(runs, key=lambda run: (_info_of(run / RUN_FILE).started_at, run.name))


def _info_of(path: Path) -> RunInfo:
    document = read_json(path)
    try:
        if document.pop("format") != RUN_FORMAT:
            raise ValueError(f"format is not {RUN_FORMAT}")
        plan: Sequence[Mapping[str, Any]] = document["plan"]
        return RunInfo(**{**document, "plan": tuple(PlannedTrial(**planned) for planned in plan)})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}: is not a run of this version ({shape_problem(error)}); report it with the version that wrote it."
        ) from error
