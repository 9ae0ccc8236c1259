"""Run a plan: trial after trial, each complete on disk before the next begins."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from iam_loadtest.errors import ScenarioError, UserError
from iam_loadtest.flow.need import require_what_is_needed
from iam_loadtest.results.difference import differences
from iam_loadtest.results.load_result import Progress
from iam_loadtest.results.run import (
    SCENARIO_FILE,
    TRIALS_DIRECTORY,
    PlannedTrial,
    Run,
    RunInfo,
    read_run,
    write_run_info,
)
from iam_loadtest.results.trial import Trial, TrialStatus, write_trial
from iam_loadtest.runner.disk import writing
from iam_loadtest.runner.external import ExternalWorkers
from iam_loadtest.runner.interruption import Interruption
from iam_loadtest.runner.machine import describe_machine, describe_versions
from iam_loadtest.runner.set_aside import set_aside
from iam_loadtest.runner.trial_run import TrialContext, remove_unfinished, run_trial
from iam_loadtest.scenario.load_file import load_scenario
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.plan import make_plan, select

_LOCK_FILE = ".lock"
_DECISIVE = frozenset({"cores", "cpu", "python"})
"""What of a machine decides how fast a generator on it is; memory and kernel may change with a restart."""


class Monitor(Protocol):
    """Who is told how a run goes on; the front door prints it."""

    def trial_started(self, planned: PlannedTrial, number: int, total: int) -> None:
        """Trial ``number`` of ``total`` that this call runs begins."""

    def trial_progressed(self, progress: Progress) -> None:
        """The running trial has new figures."""

    def trial_ended(self, trial: Trial) -> None:
        """The trial is complete on disk."""


Judge = Callable[[Path, Trial], str | None]
"""Why a trial that ended well does not count, from what its directory holds; None where it counts."""


@dataclass(frozen=True)
class RunOutcome:
    """What a call of :func:`run_trials` did; ``interrupted`` by Ctrl-C, ``missing`` trials are left to resume."""

    directory: Path
    trials: tuple[Trial, ...]
    interrupted: bool
    missing: int


def new_run(
    scenario_file: Path,
    overrides: Mapping[str, Any],
    reports: Path,
    only: Sequence[str] = (),
    external_workers: bool = False,
) -> tuple[Path, Scenario]:
    """A new run's directory with run.json and the scenario as it was; no trial has started yet.

    ``only`` names topologies, workloads or ``topology/workload`` to keep. Raises UserError where a secret is missing,
    a name is unknown or the directory cannot be made.
    """
    scenario = load_scenario(scenario_file, overrides)
    require_what_is_needed(scenario, str(scenario_file), scenario_file.parent)
    trials = choose(scenario, make_plan(scenario).trials, only)
    started = datetime.now(UTC)
    directory = _new_directory(reports, f"{started:%Y-%m-%dT%H%M%S}-{scenario.name}")
    with writing(directory):
        shutil.copyfile(scenario_file, directory / SCENARIO_FILE)
    write_run_info(
        directory,
        RunInfo(
            name=scenario.name,
            started_at=started.isoformat(timespec="seconds"),
            scenario=scenario.resolved(),
            fingerprint=fingerprint(scenario),
            plan=trials,
            seed=scenario.seed,
            versions=describe_versions(),
            machine=describe_machine(),
            source=str(scenario_file),
            overrides=dict(overrides),
            external_workers=external_workers,
        ),
    )
    return directory, scenario


def resume_scenario(directory: Path, scenario_file: Path | None = None) -> tuple[Run, Scenario]:
    """The run to resume and its scenario; raises UserError where that, or the generator, is not what it began with."""
    run = read_run(directory)
    _refuse_another_generator(run)
    stored = load_scenario(directory / SCENARIO_FILE, run.info.overrides)
    _refuse_changed(directory / SCENARIO_FILE, stored, run)
    if scenario_file is not None:
        _refuse_changed(scenario_file, load_scenario(scenario_file, run.info.overrides), run)
    _require_what_is_needed_here(stored, Path(run.info.source))
    return run, stored


def _refuse_another_generator(run: Run) -> None:
    """Trials of a run are held against each other: those of another program or processor are not alike."""
    decisive = {key: value for key, value in run.info.machine.items() if key in _DECISIVE}
    machine = describe_machine()
    here = {**describe_versions(), **{key: machine[key] for key in decisive}}
    changed = [one.describe() for one in differences({**run.info.versions, **decisive}, here)]
    if changed:
        raise UserError(
            f"{run.directory}: began with another generator: {'; '.join(changed)}; resume it with that one, or start a "
            "new run."
        )


def _require_what_is_needed_here(scenario: Scenario, source: Path) -> None:
    """As a run that begins; files of the scenario are looked for as seen from where the run began."""
    try:
        require_what_is_needed(scenario, str(source), source.parent)
    except ScenarioError as error:
        if source.exists():
            raise
        elsewhere = f"{source}: is not to be found from here; resume in the directory in which the run began."
        raise ScenarioError([*error.problems, elsewhere]) from error


def run_trials(
    directory: Path,
    scenario: Scenario,
    monitor: Monitor,
    judge: Judge | None = None,
    external: ExternalWorkers | None = None,
    again: Collection[TrialStatus] = (),
) -> RunOutcome:
    """Run what is missing of the run in ``directory``; Ctrl-C ends the trial in progress cleanly and stops there.

    A trial that is invalid, by its load or by ``judge``, stays on disk and is repeated once at the end of its round.
    Trials that ended as ``again`` says before this call are set aside and run anew.
    Workers are started here, unless ``external`` says where those of other hosts connect. SIGTERM and SIGHUP are taken
    like Ctrl-C, so that a lost terminal costs one trial. Main thread only.
    """
    with writing(directory), _lock(directory), Interruption() as interruption:
        remove_unfinished(directory)
        run = read_run(directory)
        set_aside(run, again)
        _refuse_leftovers(read_run(directory))
        context = TrialContext(
            scenario,
            (directory / SCENARIO_FILE).resolve(),
            Path(run.info.source).parent.resolve(),
            directory.resolve(),
            run.info.overrides,
            external,
        )
        ended, interrupted = _run_each(context, monitor, interruption, judge)
        return RunOutcome(directory, tuple(ended), interrupted, len(read_run(directory).due))


def fingerprint(scenario: Scenario) -> str:
    """A short digest of all that a scenario asks for, its description left out."""
    document = {key: value for key, value in scenario.resolved().items() if key != "description"}
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]


def choose(scenario: Scenario, trials: Sequence[PlannedTrial], only: Sequence[str]) -> tuple[PlannedTrial, ...]:
    """The trials that ``only`` keeps, numbered anew; all of them where it is empty. Raises UserError."""
    if not only:
        return tuple(trials)
    kept: dict[PlannedTrial, None] = {}
    for name in only:
        kept.update(dict.fromkeys(_chosen(scenario, trials, name)))
    ordered = [trial for trial in trials if trial in kept]
    return tuple(replace(trial, position=position) for position, trial in enumerate(ordered, start=1))


def _chosen(scenario: Scenario, trials: Sequence[PlannedTrial], name: str) -> list[PlannedTrial]:
    topology, slash, workload = name.partition("/")
    if slash and topology in scenario.topologies and workload in scenario.tried_workloads:
        return select(trials, [topology], [workload])
    if not slash and name in scenario.topologies:
        return select(trials, [name], [])
    if not slash and name in scenario.tried_workloads:
        return select(trials, [], [name])
    raise UserError(
        f"--only {name}: must be a topology ({', '.join(scenario.topologies)}), a workload "
        f"({', '.join(scenario.tried_workloads)}) or TOPOLOGY/WORKLOAD."
    )


def _run_each(
    context: TrialContext, monitor: Monitor, interruption: Interruption, judge: Judge | None
) -> tuple[list[Trial], bool]:
    ended: list[Trial] = []
    last_topology = None
    while due := read_run(context.run_directory).due:
        planned = due[0]
        if not _rested(context.scenario.load.rest_s if ended else 0, interruption):
            return ended, True
        monitor.trial_started(planned, len(ended) + 1, len(ended) + len(due))
        is_new = planned.topology != last_topology
        trial = run_trial(context, planned, is_new, monitor.trial_progressed, interruption)
        trial = _judged(context.run_directory / TRIALS_DIRECTORY / trial.id, trial, judge)
        last_topology = planned.topology
        ended.append(trial)
        monitor.trial_ended(trial)
        if trial.status is TrialStatus.INTERRUPTED:
            return ended, True
    return ended, False


def _judged(directory: Path, trial: Trial, judge: Judge | None) -> Trial:
    """The trial as it is on disk from now on: marked invalid where the judge says why it does not count."""
    reason = judge(directory, trial) if judge and trial.is_counted else None
    if reason is None:
        return trial
    invalid = replace(trial, status=TrialStatus.INVALID, reason=reason)
    write_trial(directory, invalid)
    return invalid


def _rested(rest_s: float, interruption: Interruption) -> bool:
    """Rest between trials; False where a signal came before or meanwhile."""
    try:
        with interruption.interruptible():
            time.sleep(rest_s)
    except KeyboardInterrupt:
        return False
    return True


def _refuse_changed(path: Path, scenario: Scenario, run: Run) -> None:
    changed = [one.describe() for one in differences(run.info.scenario, scenario.resolved())]
    if changed:
        more = f" (and {len(changed) - 3} more)" if len(changed) > 3 else ""
        raise UserError(
            f"{path}: the scenario is not the one of {run.directory}: {'; '.join(changed[:3])}{more}; "
            "restore it, or start a new run."
        )


def _refuse_leftovers(run: Run) -> None:
    """Raise UserError where a directory stands where a trial is to be kept: what was measured could not be."""
    for planned in run.due:
        directory = run.directory / TRIALS_DIRECTORY / planned.id
        if directory.exists():
            raise UserError(f"{directory}: has no trial.json; move it away to run the trial anew.")


def _new_directory(reports: Path, name: str) -> Path:
    """A directory that no other run has, also where one starts in the same moment."""
    try:
        reports.mkdir(parents=True, exist_ok=True)
        for number in range(1, 1000):
            directory = reports / (name if number == 1 else f"{name}-{number}")
            with suppress(FileExistsError):
                directory.mkdir()
                (directory / TRIALS_DIRECTORY).mkdir()
                return directory
    except OSError as error:
        why = "it is no directory" if reports.is_file() else error.strerror
        raise UserError(f"{reports}: cannot hold a new run: {why}; choose another with --reports.") from error
    raise UserError(f"{reports}: holds too many runs named {name}; choose another with --reports.")


@contextmanager
def _lock(directory: Path) -> Iterator[None]:
    with (directory / _LOCK_FILE).open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"{directory}: another iam-loadtest is running this run; wait for it or end it.") from error
        except OSError as error:
            raise UserError(
                f"{directory}: cannot be locked: {error.strerror}; have runs on another file system, with --reports."
            ) from error
        yield
