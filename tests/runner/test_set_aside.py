"""Trials that run again on request, and directories that stand in a trial's way: nothing measured is lost."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from iam_loadtest.errors import UserError
from iam_loadtest.results.run import TRIALS_DIRECTORY, read_run
from iam_loadtest.results.trial import TrialStatus, read_trial
from iam_loadtest.runner import run as run_module
from iam_loadtest.runner.run import new_run, resume_scenario, run_trials
from tests.runner.test_run_directory import Pretended, Silent

SCENARIO = """\
name: small
topologies: {one: {provider: embedded}}
workloads: {access: [issue]}
load: {users: 5, duration: 10s, trials: 2, rest: 0s}
"""
FIRST, SECOND = "001-one-access-t1", "002-one-access-t2"
OK, FAILED, INVALID, INTERRUPTED = TrialStatus.OK, TrialStatus.FAILED, TrialStatus.INVALID, TrialStatus.INTERRUPTED


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A new run of two trials of one cell."""
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return new_run(path, {}, tmp_path / "reports")[0]


def resumed(
    monkeypatch: pytest.MonkeyPatch, directory: Path, *statuses: TrialStatus, again: tuple[TrialStatus, ...] = ()
) -> list[str]:
    """What ran, with these endings, then good ones."""
    pretended = Pretended(*statuses)
    monkeypatch.setattr(run_module, "run_trial", pretended)
    run_trials(directory, resume_scenario(directory)[1], Silent(), again=again)
    return [name for name, _ in pretended.asked]


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in (directory / TRIALS_DIRECTORY).iterdir())


def test_failed_trials_run_again_where_that_is_asked_for(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it a failed trial has ended. What it left keeps its reason, under a name that says how it ended."""
    resumed(monkeypatch, directory, FAILED)
    assert resumed(monkeypatch, directory) == []
    assert resumed(monkeypatch, directory, again=(INVALID,)) == []
    assert resumed(monkeypatch, directory, FAILED, again=(FAILED,)) == [FIRST]
    assert resumed(monkeypatch, directory, again=(FAILED,)) == [FIRST]
    assert names(directory) == [FIRST, f"{FIRST}.failed1", f"{FIRST}.failed2", SECOND]
    aside = read_trial(directory / TRIALS_DIRECTORY / f"{FIRST}.failed1")
    assert (aside.id, aside.status, aside.is_set_aside, aside.is_set_aside_knowingly) == (
        *(f"{FIRST}.failed1", FAILED),
        *(True, True),
    )
    run = read_run(directory)
    assert run.uncounted({trial.id for trial in run.trials if trial.is_counted}) == ()


def test_an_invalid_trial_goes_together_with_its_repetition(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the new attempt has a repetition of its own; one whose repetition counted is left as it is."""
    assert resumed(monkeypatch, directory, INVALID, INVALID, INVALID, OK) == [
        *(FIRST, f"{FIRST}-again"),
        *(SECOND, f"{SECOND}-again"),
    ]
    assert resumed(monkeypatch, directory, INVALID, again=(INVALID,)) == [FIRST, f"{FIRST}-again"]
    assert names(directory) == [
        *(FIRST, f"{FIRST}-again", f"{FIRST}-again.invalid1", f"{FIRST}.invalid1"),
        *(SECOND, f"{SECOND}-again"),
    ]


def test_a_repetition_that_failed_is_what_runs_again(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The invalid trial before it has had its turn."""
    resumed(monkeypatch, directory, INVALID, FAILED)
    assert resumed(monkeypatch, directory, again=(FAILED, INVALID)) == [f"{FIRST}-again"]
    assert names(directory) == [FIRST, f"{FIRST}-again", f"{FIRST}-again.failed1", SECOND]


def test_a_trial_is_called_as_its_directory_is(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runner that was killed while it set one aside had renamed it, and written nothing yet."""
    resumed(monkeypatch, directory, INTERRUPTED)
    trials = directory / TRIALS_DIRECTORY
    (trials / FIRST).rename(trials / f"{FIRST}.interrupted1")
    (trial,) = read_run(directory).trials
    assert (trial.id, trial.is_set_aside, trial.is_set_aside_knowingly) == (f"{FIRST}.interrupted1", True, False)
    assert resumed(monkeypatch, directory) == [FIRST, SECOND]


def test_a_directory_in_a_trial_s_way_is_named_before_anything_runs(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody removed trial.json alone: what the trial would measure could not take its place."""
    resumed(monkeypatch, directory)
    (directory / TRIALS_DIRECTORY / FIRST / "trial.json").unlink()
    with pytest.raises(UserError, match=rf"{FIRST}: has no trial\.json; move it away to run the trial anew\."):
        resumed(monkeypatch, directory)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_a_disk_that_refuses_ends_the_run_in_one_line(
    directory: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """With what to do; trials that ended before are safe."""

    def refuse(*_: object) -> None:
        raise OSError(number, "it is full", str(directory / "x"))

    monkeypatch.setattr(run_module, "run_trial", refuse)
    with pytest.raises(UserError, match=r"/x: cannot be written: it is full; free some space, or make it writable\."):
        run_trials(directory, resume_scenario(directory)[1], Silent())


def change(directory: Path, section: str, key: str, value: object) -> None:
    """Let run.json say something else of what the run began with."""
    document = json.loads((directory / "run.json").read_text(encoding="utf-8"))
    document[section][key] = value
    (directory / "run.json").write_text(json.dumps(document), encoding="utf-8")


def test_a_run_is_resumed_by_the_generator_that_it_began_with(directory: Path) -> None:
    """Another version or processor makes trials unlike; a new kernel or more memory is let pass."""
    change(directory, "machine", "kernel", "Linux 2.6")
    change(directory, "machine", "memory_gib", 0.1)
    resume_scenario(directory)
    change(directory, "versions", "locust", "1.0")
    change(directory, "machine", "cores", 4096)
    with pytest.raises(
        UserError,
        match=r"began with another generator: locust is \"[\d.]+\", was \"1\.0\"; cores is \d+, was 4096; resume",
    ):
        resume_scenario(directory)


def test_files_that_are_not_found_say_where_to_resume(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scenario that was named by a relative path, and a resume from another directory."""
    (tmp_path / "small.yaml").write_text(SCENARIO + "users: {file: users.csv}\n", encoding="utf-8")
    (tmp_path / "users.csv").write_text("username,password\na,b\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    relative, _ = new_run(Path("small.yaml"), {}, tmp_path / "reports")
    resume_scenario(relative)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(UserError) as caught:
        resume_scenario(relative)
    assert str(caught.value).splitlines()[-1] == (
        "small.yaml: is not to be found from here; resume in the directory in which the run began."
    )
