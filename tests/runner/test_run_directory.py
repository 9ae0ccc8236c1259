"""A run on disk: what is written at its start, what resume refuses, and what it does anew."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from iam_loadtest.errors import ScenarioError, UserError
from iam_loadtest.results.load_result import Progress
from iam_loadtest.results.run import TRIALS_DIRECTORY, PlannedTrial, read_run
from iam_loadtest.results.trial import Trial, TrialStatus, read_trial, write_trial
from iam_loadtest.runner import run as run_module
from iam_loadtest.runner.run import (
    Judge,
    RunOutcome,
    choose,
    fingerprint,
    new_run,
    resume_scenario,
    run_trials,
)
from iam_loadtest.runner.trial_run import TrialContext, remove_unfinished
from iam_loadtest.scenario.plan import make_plan
from tests.scenario.scenarios import scenario_of

SCENARIO = """\
name: small
description: for tests
topologies:
  one: {provider: embedded}
  two: {provider: embedded, frontends: 2}
workloads: {access: [issue], refresh: [issue_for_user, refresh]}
load: {users: 5, duration: 10s, trials: 2, rest: 0s}
"""
MOMENT = "2026-11-22T15:07:00.000+00:00"


@pytest.fixture
def scenario_file(tmp_path: Path) -> Path:
    """A scenario with two topologies, two workloads and two trials."""
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


class Silent:
    """A monitor that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def trial_started(self, planned: PlannedTrial, number: int, total: int) -> None:
        self.told.append(f"{number}/{total} {planned.id}")

    def trial_progressed(self, progress: Progress) -> None:
        self.told.append(progress.phase)

    def trial_ended(self, trial: Trial) -> None:
        self.told.append(f"{trial.id} {trial.status}")


def trial_of(planned: PlannedTrial, status: TrialStatus = TrialStatus.OK) -> Trial:
    """A trial that ended, without any load."""
    return Trial(
        *(planned.id, planned.position, planned.topology, planned.workload, planned.trial, status, None),
        *(MOMENT, MOMENT),
        repeat=planned.repeat,
    )


class Pretended:
    """Stands for run_trial: leaves a complete directory and notes what it was asked for; no server, no Locust."""

    def __init__(self, *statuses: TrialStatus) -> None:
        self.asked: list[tuple[str, bool]] = []
        self._statuses = list(statuses)

    def __call__(
        self,
        context: TrialContext,
        planned: PlannedTrial,
        new_topology: bool,
        watch: Callable[[Progress], None],
        _signals: object,
    ) -> Trial:
        self.asked.append((planned.id, new_topology))
        watch(Progress("window", 1.0, 5))
        trial = trial_of(planned, self._statuses.pop(0) if self._statuses else TrialStatus.OK)
        directory = context.run_directory / TRIALS_DIRECTORY / planned.id
        directory.mkdir()
        write_trial(directory, trial)
        return trial


def run_with(
    monkeypatch: pytest.MonkeyPatch,
    directory: Path,
    scenario_file: Path,
    *statuses: TrialStatus,
    judge: Judge | None = None,
) -> tuple[RunOutcome, Pretended, Silent]:
    """Run what is missing with pretended trials of these statuses, then OK ones."""
    pretended, monitor = Pretended(*statuses), Silent()
    monkeypatch.setattr(run_module, "run_trial", pretended)
    _, scenario = resume_scenario(directory, scenario_file)
    return run_trials(directory, scenario, monitor, judge), pretended, monitor


def start(scenario_file: Path, tmp_path: Path, only: Sequence[str] = ()) -> Path:
    return new_run(scenario_file, {}, tmp_path / "reports", only)[0]


def test_a_new_run_holds_the_scenario_and_the_plan(scenario_file: Path, tmp_path: Path) -> None:
    """The file as it was, and run.json with the resolved scenario, the plan, versions and machine, and no secret."""
    directory, scenario = new_run(scenario_file, {"users": 7}, tmp_path / "reports")
    run = read_run(directory)
    assert (directory / "scenario.yaml").read_text(encoding="utf-8") == SCENARIO
    assert directory.name.endswith("-small")
    assert run.info.scenario["load"]["users"] == 7
    assert run.info.overrides == {"users": 7}
    assert run.info.plan == make_plan(scenario).trials
    assert len(run.missing) == 8
    assert "locust" in run.info.versions
    assert run.info.machine["cores"] >= 1
    document = (directory / "run.json").read_text(encoding="utf-8")
    assert '"secret": "secret"' not in document
    assert json.loads(document)["format"] == 1


def test_two_runs_of_the_same_second_do_not_share_a_directory(scenario_file: Path, tmp_path: Path) -> None:
    """The second gets a number."""
    directories = {start(scenario_file, tmp_path) for _ in range(3)}
    assert len(directories) == 3


def test_a_place_that_cannot_hold_a_run_is_named(scenario_file: Path, tmp_path: Path) -> None:
    """A file where the directory should be."""
    (tmp_path / "reports").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match=r"reports: cannot hold a new run: .*; choose another with --reports\."):
        start(scenario_file, tmp_path)


def test_a_run_without_its_secrets_does_not_begin(scenario_file: Path, tmp_path: Path) -> None:
    """No directory is left behind either."""
    scenario_file.write_text(SCENARIO + "users: {password: '${NO_SUCH_PASSWORD}'}\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"users\.password: environment variable NO_SUCH_PASSWORD is not set"):
        start(scenario_file, tmp_path)
    assert not (tmp_path / "reports").exists()


def test_all_missing_trials_run_in_their_order(
    scenario_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Round 1 there, round 2 back; a topology is new where the last trial was of another."""
    directory = start(scenario_file, tmp_path)
    outcome, pretended, monitor = run_with(monkeypatch, directory, scenario_file)
    assert pretended.asked == [
        ("001-one-access-t1", True),
        ("002-one-refresh-t1", False),
        ("003-two-access-t1", True),
        ("004-two-refresh-t1", False),
        ("005-two-refresh-t2", False),
        ("006-two-access-t2", False),
        ("007-one-refresh-t2", True),
        ("008-one-access-t2", False),
    ]
    assert (outcome.interrupted, outcome.missing, len(outcome.trials)) == (False, 0, 8)
    assert monitor.told[:3] == ["1/8 001-one-access-t1", "window", "001-one-access-t1 ok"]


def test_resume_does_only_what_is_missing(scenario_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Failed and invalid trials ended and stay; an interrupted one is set aside and runs again.

    The invalid one of round 1 is repeated at the end of that round, before the interruption in round 2.
    """
    directory = start(scenario_file, tmp_path, ["one"])
    statuses = (TrialStatus.FAILED, TrialStatus.INVALID, TrialStatus.OK, TrialStatus.INTERRUPTED)
    outcome, _, _ = run_with(monkeypatch, directory, scenario_file, *statuses)
    assert (outcome.interrupted, outcome.missing) == (True, 2)
    outcome, pretended, _ = run_with(monkeypatch, directory, scenario_file)
    assert [name for name, _ in pretended.asked] == ["003-one-refresh-t2", "004-one-access-t2"]
    assert (outcome.interrupted, outcome.missing) == (False, 0)
    aside = directory / TRIALS_DIRECTORY / "003-one-refresh-t2.interrupted1"
    assert read_trial(aside).status is TrialStatus.INTERRUPTED
    assert read_trial(aside).id == aside.name


def test_an_invalid_trial_is_repeated_once_at_the_end_of_its_round(
    scenario_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the repetition comes to, there is no third; both stay, and a failed trial is not repeated."""
    directory = start(scenario_file, tmp_path, ["one"])
    statuses = (TrialStatus.INVALID, TrialStatus.FAILED, TrialStatus.INVALID)
    outcome, pretended, monitor = run_with(monkeypatch, directory, scenario_file, *statuses)
    assert [name for name, _ in pretended.asked] == [
        "001-one-access-t1",
        "002-one-refresh-t1",
        "001-one-access-t1-again",
        "003-one-refresh-t2",
        "004-one-access-t2",
    ]
    assert (outcome.interrupted, outcome.missing) == (False, 0)
    assert monitor.told[3:5] == ["2/5 002-one-refresh-t1", "window"]
    run = read_run(directory)
    assert [trial.repeat for trial in run.trials] == [False, False, True, False, False]
    counted = {trial.id for trial in run.trials if trial.is_counted}
    assert [planned.id for planned in run.uncounted(counted)] == ["001-one-access-t1", "002-one-refresh-t1"]


def test_an_interrupted_repetition_is_resumed(
    scenario_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is set aside as any other trial, and no trial loses its one repetition."""
    directory = start(scenario_file, tmp_path, ["one/access"])
    outcome, _, _ = run_with(monkeypatch, directory, scenario_file, TrialStatus.INVALID, TrialStatus.INTERRUPTED)
    assert (outcome.interrupted, outcome.missing) == (True, 2)
    _, pretended, _ = run_with(monkeypatch, directory, scenario_file)
    assert [name for name, _ in pretended.asked] == ["001-one-access-t1-again", "002-one-access-t2"]
    assert (directory / TRIALS_DIRECTORY / "001-one-access-t1-again.interrupted1").is_dir()


def test_the_judge_marks_a_trial_invalid_on_disk(
    scenario_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reason stands in trial.json, and the trial is repeated; the judge is not asked about trials that failed."""
    directory = start(scenario_file, tmp_path, ["one/access"])

    def judge(path: Path, trial: Trial) -> str | None:
        assert path.name == trial.id
        return "not steady" if trial.id == "001-one-access-t1" else None

    _, pretended, monitor = run_with(monkeypatch, directory, scenario_file, judge=judge)
    marked = read_trial(directory / TRIALS_DIRECTORY / "001-one-access-t1")
    assert (marked.status, marked.reason) == (TrialStatus.INVALID, "not steady")
    assert "001-one-access-t1 invalid" in monitor.told
    assert len(pretended.asked) == 3


def test_a_trial_that_is_interrupted_twice_is_kept_twice(
    scenario_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that was measured is overwritten."""
    directory = start(scenario_file, tmp_path, ["one/access"])
    for _ in range(2):
        run_with(monkeypatch, directory, scenario_file, TrialStatus.INTERRUPTED)
    run_with(monkeypatch, directory, scenario_file)
    names = {path.name for path in (directory / TRIALS_DIRECTORY).iterdir()}
    assert {"001-one-access-t1.interrupted1", "001-one-access-t1.interrupted2", "001-one-access-t1"} <= names


def test_what_a_killed_runner_left_is_removed(
    scenario_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trial in progress had a temporary name; it runs again from its beginning."""
    directory = start(scenario_file, tmp_path, ["one/access"])
    half = directory / TRIALS_DIRECTORY / ".running-001-one-access-t1"
    half.mkdir()
    (half / "locust.log").write_text("half", encoding="utf-8")
    assert len(read_run(directory).missing) == 2
    _, pretended, _ = run_with(monkeypatch, directory, scenario_file)
    assert not half.exists()
    assert [name for name, _ in pretended.asked] == ["001-one-access-t1", "002-one-access-t2"]


def test_removing_leaves_finished_trials_alone(tmp_path: Path) -> None:
    """Only temporary names go."""
    for name in (".running-002-a-b-t1", "001-a-b-t1"):
        (tmp_path / TRIALS_DIRECTORY / name).mkdir(parents=True)
    remove_unfinished(tmp_path)
    assert [path.name for path in (tmp_path / TRIALS_DIRECTORY).iterdir()] == ["001-a-b-t1"]


def test_a_second_runner_is_refused(scenario_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at once would write the same trials; the lock ends with the process, however that ended."""
    directory = start(scenario_file, tmp_path)
    with (directory / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another iam-loadtest is running this run; wait for it or end it"):
            run_with(monkeypatch, directory, scenario_file)
    outcome, _, _ = run_with(monkeypatch, directory, scenario_file)
    assert outcome.missing == 0


def test_ctrl_c_between_trials_ends_the_run_cleanly(
    scenario_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trials so far count; what is left is said."""
    directory = start(scenario_file, tmp_path)
    _, scenario = resume_scenario(directory)
    monkeypatch.setattr(run_module, "run_trial", Pretended())

    rests: list[float] = []

    def interrupt(seconds: float) -> None:
        rests.append(seconds)
        if len(rests) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(run_module.time, "sleep", interrupt)
    outcome = run_trials(directory, scenario, Silent())
    assert (outcome.interrupted, len(outcome.trials), outcome.missing) == (True, 1, 7)


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        ("users: 5", "users: 6", "load.users is 6, was 5"),
        ("frontends: 2", "frontends: 3", "topologies.two.frontends is 3, was 2"),
        ("duration: 10s", "duration: 10m", "load.duration_s is 600.0, was 10.0"),
        ("access: [issue]", "access: [issue, issue]", 'workloads.access is ["issue", "issue"], was ["issue"]'),
        ("  two: {provider: embedded, frontends: 2}\n", "", "topologies.two is gone"),
    ],
)
def test_resume_refuses_a_changed_scenario_and_names_the_difference(
    scenario_file: Path, tmp_path: Path, old: str, new: str, difference: str
) -> None:
    """Trials of two scenarios in one run could not be compared."""
    directory = start(scenario_file, tmp_path)
    scenario_file.write_text(SCENARIO.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        resume_scenario(directory, scenario_file)
    assert f"{scenario_file}: the scenario is not the one of {directory}: {difference}" in str(caught.value)
    assert str(caught.value).endswith("; restore it, or start a new run.")


def test_resume_refuses_a_run_whose_own_copy_was_changed(scenario_file: Path, tmp_path: Path) -> None:
    """Editing scenario.yaml inside the run is noticed as well."""
    directory = start(scenario_file, tmp_path)
    (directory / "scenario.yaml").write_text(SCENARIO.replace("users: 5", "users: 6"), encoding="utf-8")
    with pytest.raises(UserError, match=r"scenario\.yaml: the scenario is not the one of .*load\.users is 6, was 5"):
        resume_scenario(directory)


def test_many_differences_are_counted(scenario_file: Path, tmp_path: Path) -> None:
    """Three are named, the rest is counted: the line stays a line."""
    directory = start(scenario_file, tmp_path)
    changed = "{users: 6, duration: 11s, trials: 3, rest: 1s, workers: 3}"
    scenario_file.write_text(
        SCENARIO.replace("{users: 5, duration: 10s, trials: 2, rest: 0s}", changed), encoding="utf-8"
    )
    with pytest.raises(UserError, match=r"\(and 2 more\); restore it"):
        resume_scenario(directory, scenario_file)


def test_comments_and_defaults_written_out_are_no_difference(scenario_file: Path, tmp_path: Path) -> None:
    """What is asked for counts, not how the file is written."""
    directory = start(scenario_file, tmp_path)
    scenario_file.write_text("# a comment\n" + SCENARIO + "seed: 1\ntarget: {timeout: 1m}\n", encoding="utf-8")
    resume_scenario(directory, scenario_file)


def test_a_directory_that_is_no_run_is_named(tmp_path: Path) -> None:
    """`--resume reports` instead of `--resume reports/...`."""
    with pytest.raises(UserError, match=r"is not a run: it has no run\.json; name a directory that"):
        resume_scenario(tmp_path)


@pytest.mark.parametrize(
    ("only", "kept"),
    [
        ([], 8),
        (["one"], 4),
        (["access"], 4),
        (["two/refresh"], 2),
        (["one", "two/refresh"], 6),
        (["one", "one/access"], 4),
        (["access", "refresh"], 8),
    ],
)
def test_only_keeps_what_it_names_and_numbers_it_anew(scenario_file: Path, only: list[str], kept: int) -> None:
    """Each name adds trials, none twice; the order stays."""
    scenario = scenario_of(
        topologies={"one": {"provider": "embedded"}, "two": {"provider": "embedded"}},
        workloads={"access": ["issue"], "refresh": ["issue_for_user", "refresh"]},
        load={"trials": 2},
    )
    everything = make_plan(scenario).trials
    chosen = choose(scenario, everything, only)
    assert [trial.position for trial in chosen] == list(range(1, kept + 1))
    order = [(trial.topology, trial.workload, trial.trial) for trial in everything]
    places = [order.index((trial.topology, trial.workload, trial.trial)) for trial in chosen]
    assert places == sorted(set(places))


@pytest.mark.parametrize("name", ["three", "one/three", "three/access", "one/access/x", "/", ""])
def test_only_with_an_unknown_name_lists_the_known_ones(name: str) -> None:
    """The message has every name that would have been right."""
    scenario = scenario_of(topologies={"one": {"provider": "embedded"}}, workloads={"access": ["issue"]})
    with pytest.raises(UserError) as caught:
        choose(scenario, make_plan(scenario).trials, [name])
    assert str(caught.value) == (f"--only {name}: must be a topology (one), a workload (access) or TOPOLOGY/WORKLOAD.")


def test_a_topology_and_a_workload_of_one_name_are_both_kept_apart() -> None:
    """`--only access` means the topology where one is called so; NAME/WORKLOAD says it exactly."""
    scenario = scenario_of(
        topologies={"access": {"provider": "embedded"}, "one": {"provider": "embedded"}},
        workloads={"access": ["issue"], "refresh": ["issue_for_user", "refresh"]},
        load={"trials": 1},
    )
    trials = make_plan(scenario).trials
    assert {trial.topology for trial in choose(scenario, trials, ["access"])} == {"access"}
    assert [trial.topology for trial in choose(scenario, trials, ["one/access"])] == ["one"]


def test_the_fingerprint_is_of_what_is_asked_for() -> None:
    """The description may change, the load may not; the same scenario has the same fingerprint in every process."""
    plain = scenario_of()
    assert fingerprint(plain) == fingerprint(scenario_of(description="other words"))
    assert fingerprint(plain) != fingerprint(scenario_of(load={"users": 499}))
    assert len(fingerprint(plain)) == 16
