"""A run's directory: finished, unfinished, or none at all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from iam_loadtest.errors import UserError
from iam_loadtest.results.run import (
    RUN_FILE,
    TEMPORARY_PREFIX,
    TRIALS_DIRECTORY,
    PlannedTrial,
    RunInfo,
    newest_run,
    read_run,
    write_run_info,
)
from iam_loadtest.results.trial import Trial, TrialStatus, write_trial

PLAN = (PlannedTrial(1, "one", "access", 1), PlannedTrial(2, "two", "access", 1))
INFO = RunInfo(
    name="geo",
    started_at="2026-11-22T15:00:00+00:00",
    scenario={"name": "geo"},
    fingerprint="abc",
    plan=PLAN,
    seed=1,
    versions={"iam_loadtest": "0.1.0"},
    machine={"cores": 2},
)


def make_run(directory: Path, info: RunInfo = INFO, ended: tuple[PlannedTrial, ...] = PLAN) -> Path:
    directory.mkdir(parents=True)
    write_run_info(directory, info)
    for planned in ended:
        make_trial(directory / TRIALS_DIRECTORY / planned.id, planned)
    return directory


def make_trial(path: Path, planned: PlannedTrial) -> None:
    path.mkdir(parents=True)
    identity = (planned.id, planned.position, planned.topology, planned.workload, planned.trial)
    write_trial(path, Trial(*identity, TrialStatus.OK, None, "", ""))


def test_a_planned_trial_s_name_sorts_in_running_order() -> None:
    """Position, topology, workload, number."""
    assert PlannedTrial(7, "galera3", "workflow", 2).id == "007-galera3-workflow-t2"


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    """With its plan as values and its trials in running order."""
    run = read_run(make_run(tmp_path / "run"))
    assert run.info == INFO
    assert [trial.id for trial in run.trials] == ["001-one-access-t1", "002-two-access-t1"]
    assert run.missing == ()
    assert run.trial_directory(run.trials[0]) == tmp_path / "run" / "trials" / "001-one-access-t1"


def test_what_has_not_ended_is_missing(tmp_path: Path) -> None:
    """A directory under its temporary name is a trial in progress."""
    directory = make_run(tmp_path / "run", ended=PLAN[:1])
    make_trial(directory / TRIALS_DIRECTORY / f"{TEMPORARY_PREFIX}{PLAN[1].id}", PLAN[1])
    run = read_run(directory)
    assert [trial.id for trial in run.trials] == [PLAN[0].id]
    assert run.missing == PLAN[1:]


def test_a_directory_without_run_json_is_no_run(tmp_path: Path) -> None:
    """The line says what to name instead."""
    with pytest.raises(UserError, match=r"is not a run: it has no run\.json; name a directory"):
        read_run(tmp_path)


@pytest.mark.parametrize("change", [{"format": 2}, {"plan": [{"position": 1}]}, {"unknown": 1}])
def test_a_run_of_another_version_is_named(tmp_path: Path, change: dict[str, object]) -> None:
    """With the file."""
    path = make_run(tmp_path / "run") / RUN_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError, match=r"run\.json: is not a run of this version"):
        read_run(tmp_path / "run")


def test_the_newest_run_is_the_one_that_started_last(tmp_path: Path) -> None:
    """Whatever the directories are called."""
    make_run(tmp_path / "b-older", replace(INFO, started_at="2026-11-21T15:00:00+00:00"))
    newest = make_run(tmp_path / "a-newer")
    assert newest_run(tmp_path) == newest


def test_no_run_at_all_says_how_to_start_one(tmp_path: Path) -> None:
    """Also where the directory is not there."""
    with pytest.raises(UserError, match="holds no run; start one with `iam-loadtest run"):
        newest_run(tmp_path / "reports")
