"""`run` and what its exit code says, with pretended trials; the real ones are in tests/e2e."""

from __future__ import annotations

import errno
import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from iam_loadtest.analysis import objective as objectives
from iam_loadtest.analysis import summary as summaries
from iam_loadtest.analysis.objective import JudgedObjective, Judgement
from iam_loadtest.analysis.trial_summary import TrialSummary
from iam_loadtest.cli import lab_parts
from iam_loadtest.cli import run as run_command
from iam_loadtest.errors import UserError
from iam_loadtest.results.load_result import Progress
from iam_loadtest.results.run import TRIALS_DIRECTORY, PlannedTrial, newest_run, read_run
from iam_loadtest.results.trial import Trial, TrialStatus, write_trial
from iam_loadtest.runner import calibrate as calibrate_module
from iam_loadtest.runner import run as run_module
from iam_loadtest.runner.calibrate import Calibration
from iam_loadtest.runner.trial_run import TrialContext
from iam_loadtest.scenario.objective import Objective
from tests.cli.front_door import call

SCENARIO = """\
name: small
topologies: {one: {provider: embedded}}
workloads: {access: [issue]}
load: {users: 5, duration: 10s, trials: 3, rest: 0s}
"""
MOMENT = "2026-11-22T15:07:00.000+00:00"
Statuses = list[TrialStatus]
FOUND = Calibration(20_000, 0.25, 0.4, "access", 2.0, tls=False)
"""What a pretended calibration finds."""


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """The command takes SIGTERM as Ctrl-C; the tests' own process gets its handler back."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three trials of one cell; runs go to the default directory of an empty place."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


@pytest.fixture
def statuses(monkeypatch: pytest.MonkeyPatch) -> Statuses:
    """How the next trials end; OK where the list is empty."""
    waiting: Statuses = []

    def pretend(
        context: TrialContext, planned: PlannedTrial, _new: bool, watch: Callable[[Progress], None], _signals: object
    ) -> Trial:
        watch(Progress("window", 1.0, 5))
        status = waiting.pop(0) if waiting else TrialStatus.OK
        reason = None if status is TrialStatus.OK else "pretended"
        trial = Trial(
            *(planned.id, planned.position, planned.topology, planned.workload, planned.trial, status, reason),
            *(MOMENT, MOMENT),
            repeat=planned.repeat,
        )
        directory = context.run_directory / TRIALS_DIRECTORY / planned.id
        directory.mkdir()
        write_trial(directory, trial)
        return trial

    monkeypatch.setattr(run_module, "run_trial", pretend)
    monkeypatch.setattr(run_command, "judge_of", lambda _: lambda *_: None)
    monkeypatch.setattr(calibrate_module, "calibrate", lambda *_: FOUND)
    return waiting


def test_a_run_that_went_well_is_exit_code_0(
    scenario: Path, statuses: Statuses, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says where the run is, and every trial."""
    called = call(capsys, "run", scenario, "--no-report")
    assert (called.code, called.err) == (0, "")
    directory = newest_run(Path("reports"))
    assert called.out.splitlines()[0] == f"Run: {directory}"
    assert [line for line in called.out.splitlines() if " ok" in line] == [
        f"    00{number}-one-access-t{number} ok" for number in (1, 2, 3)
    ]
    assert read_run(directory).missing == ()


@pytest.mark.usefixtures("statuses")
def test_secrets_that_others_can_have_are_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two topologies over http, and one that is not run; a quiet run says it too, beside its output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MY_SECRET", "hunter2")
    there = "{provider: url, issuer: 'http://iam.example.org/'}"
    Path("mine.yaml").write_text(f"""\
name: mine
topologies: {{one: {there}, two: {there}, left-out: {{provider: url, issuer: 'http://other.example.org/'}}}}
clients: {{access: {{id: a, secret: "${{MY_SECRET}}"}}}}
users: {{}}
steps: {{issue: {{grant: client_credentials, client: access}}}}
workloads: {{access: [issue]}}
load: {{users: 5, duration: 10s, trials: 1, rest: 0s}}
""")
    called = call(capsys, "run", "mine.yaml", "--no-report", "--quiet", "--only", "one", "--only", "two")
    assert called.code == 0
    assert called.err == (
        "Warning: http://iam.example.org/ is http: secrets and tokens cross the network in clear; use https, "
        "or a tunnel.\n"
    )


@pytest.mark.parametrize("status", [TrialStatus.FAILED, TrialStatus.INVALID])
def test_trials_that_do_not_count_are_exit_code_3(
    scenario: Path, statuses: Statuses, capsys: pytest.CaptureFixture[str], status: TrialStatus
) -> None:
    """The rest of the run is done all the same."""
    statuses += [TrialStatus.OK, status, *([status] if status is TrialStatus.INVALID else [])]
    called = call(capsys, "run", scenario, "--no-report", "--quiet")
    assert (called.code, called.out) == (3, "")
    assert f"002-one-access-t2 {status}: pretended" in called.err
    assert called.err.endswith("1 trial failed or invalid; the report names each reason.\n")
    assert read_run(newest_run(Path("reports"))).missing == ()


def test_what_a_lab_lacks_is_said_before_the_first_trial(
    scenario: Path, statuses: Statuses, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by one failed trial after the other; the command that is printed goes on once it is installed."""
    scenario.write_text(SCENARIO.replace("provider: embedded", "provider: lab"), encoding="utf-8")
    monkeypatch.setattr("iam_loadtest.lab.program.find_program", lambda name: None if name == "haproxy" else "/bin/x")
    called = call(capsys, "run", scenario, "--no-report", "--quiet")
    assert called.code == 1
    directory = newest_run(Path("reports"))
    assert "topologies.one: the lab needs haproxy; install it, on Debian: apt install haproxy. Then go on" in called.err
    assert len(read_run(directory).missing) == 3


def test_an_interrupted_run_is_exit_code_130_and_says_how_to_go_on(
    scenario: Path, statuses: Statuses, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command that is printed does the rest."""
    statuses += [TrialStatus.OK, TrialStatus.INTERRUPTED]
    called = call(capsys, "run", scenario, "--no-report", "--quiet")
    assert called.code == 130
    directory = newest_run(Path("reports"))
    assert "Interrupted; 2 trials left to do. Go on with: " in called.err
    resume = called.err.splitlines()[-1].partition("iam-loadtest ")[2]
    assert resume == f"run --resume {directory}"
    assert call(capsys, *resume.split(), "--no-report", "--quiet").code == 0
    assert read_run(directory).missing == ()


def test_missed_objectives_are_exit_code_4(
    scenario: Path, statuses: Statuses, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is named; trials that do not count weigh more than a missed limit."""
    scenario.write_text(SCENARIO + "objectives: [p95 < 500ms]\n", encoding="utf-8")
    objective = Objective(expect="p95 < 500ms")
    found = JudgedObjective(objective, "one", "access", 700.0, Judgement.MISSED, 650.0, 750.0, True, 3)
    monkeypatch.setattr(objectives, "judge_objectives", lambda *_: (found,))
    monkeypatch.setattr(summaries, "summarise_trial", lambda _path, trial, *_: TrialSummary(trial, None))
    called = call(capsys, "run", scenario, "--no-report", "--quiet")
    line = "one / access: expected p95 < 500ms; it is 700 ms, 95 % interval 650 to 750 ms"
    assert (called.code, called.err) == (4, f"objective missed: {line}\n")


@pytest.mark.parametrize(("option", "code"), [((), 0), (("--strict",), 5)])
def test_an_undecided_objective_fails_only_where_that_is_asked_for(
    option: tuple[str, ...],
    code: int,
    scenario: Path,
    statuses: Statuses,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is named either way."""
    scenario.write_text(SCENARIO + "objectives: [p95 < 500ms]\n", encoding="utf-8")
    found = JudgedObjective(Objective(expect="p95 < 500ms"), "one", "access", 490.0, low=450, high=530, trials=3)
    monkeypatch.setattr(objectives, "judge_objectives", lambda *_: (found,))
    monkeypatch.setattr(summaries, "summarise_trial", lambda _path, trial, *_: TrialSummary(trial, None))
    called = call(capsys, "run", scenario, "--no-report", "--quiet", *option)
    assert called.code == code
    assert called.err.startswith("objective undecided: one / access: expected p95 < 500ms; it is 490 ms, 3 trials")


def test_a_trial_that_is_repeated_well_is_no_loss(
    scenario: Path, statuses: Statuses, capsys: pytest.CaptureFixture[str]
) -> None:
    """The invalid one stays on disk, and its repetition counts."""
    statuses += [TrialStatus.OK, TrialStatus.INVALID]
    called = call(capsys, "run", scenario, "--no-report")
    assert called.code == 0
    assert "002-one-access-t2-again ok" in called.out
    assert len(read_run(newest_run(Path("reports"))).trials) == 4


def test_json_lines_are_all_that_is_printed(
    scenario: Path, statuses: Statuses, capsys: pytest.CaptureFixture[str]
) -> None:
    """A machine reads the output line by line."""
    called = call(capsys, "run", scenario, "--no-report", "--json-log", "--trials", "1")
    assert called.code == 0
    events = [json.loads(line) for line in called.out.splitlines()]
    assert [event["event"] for event in events] == [
        "run_started",
        "trial_started",
        "progress",
        "trial_ended",
        "run_ended",
    ]
    directory = str(newest_run(Path("reports")))
    assert events[0] == {"event": "run_started", "directory": directory}
    assert events[-1] == {"event": "run_ended", "directory": directory, "missing": 0, "exit_code": 0}


def test_the_options_of_the_load_reach_the_run(
    scenario: Path, statuses: Statuses, capsys: pytest.CaptureFixture[str]
) -> None:
    """They stand in run.json, and resume uses them again."""
    options = ["--trials", "2", "--duration", "3s", "--users", "7", "--reports", "elsewhere", "--only", "one"]
    assert call(capsys, "run", scenario, "--no-report", "--quiet", *options).code == 0
    info = read_run(newest_run(Path("elsewhere"))).info
    assert info.overrides == {"trials": 2, "duration": 3.0, "users": 7}
    assert (info.scenario["load"]["users"], info.scenario["load"]["duration_s"], len(info.plan)) == (7, 3.0, 2)


def test_a_run_calibrates_once_and_keeps_what_it_found(
    scenario: Path, statuses: Statuses, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before its first trial; resumed, it has its calibration already."""
    statuses.append(TrialStatus.INTERRUPTED)
    called = call(capsys, "run", scenario, "--no-report")
    line = "The generator alone: 20,000 requests/s per core, latency p50 0.25 ms, p95 0.40 ms.\n"
    assert line in called.out
    (directory,) = Path("reports").iterdir()
    assert read_run(directory).info.calibration == asdict(FOUND)

    def again(*_: object) -> Calibration:
        raise AssertionError("calibrated twice")

    monkeypatch.setattr(calibrate_module, "calibrate", again)
    assert call(capsys, "run", "--resume", directory, "--no-report").code == 0


def test_a_calibration_that_fails_is_said_and_stops_nothing(
    scenario: Path, statuses: Statuses, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Calibration:
        raise UserError("the null token server failed: no port.")

    monkeypatch.setattr(calibrate_module, "calibrate", fail)
    called = call(capsys, "run", scenario, "--no-report")
    assert called.code == 0
    assert "The generator's own limits are not known: the null token server failed: no port.\n" in called.err


def test_no_calibration_where_none_is_wanted(
    scenario: Path, statuses: Statuses, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(capsys, "run", scenario, "--no-report", "--no-calibrate").code == 0
    (directory,) = Path("reports").iterdir()
    assert read_run(directory).info.calibration is None


def test_failed_trials_are_repeated_by_the_command_that_is_printed(
    scenario: Path, statuses: Statuses, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their cause is gone by then: nothing is left that failed."""
    statuses += [TrialStatus.OK, TrialStatus.FAILED]
    called = call(capsys, "run", scenario, "--no-report")
    assert called.code == 3
    told = called.err.splitlines()[-1]
    directory = newest_run(Path("reports"))
    assert told.endswith(f"repeat the trials that failed with: iam-loadtest run --resume {directory} --again failed")
    repeat = told.partition("iam-loadtest ")[2].split()
    called = call(capsys, *repeat, "--no-report")
    assert (called.code, called.err) == (0, "")
    assert "[1/1] one / access, trial 2" in called.out
    assert "Nothing was left to run.\n" in call(capsys, *repeat, "--no-report").out


def test_what_a_lab_lacks_is_said_of_trials_that_are_to_be_repeated(
    scenario: Path, statuses: Statuses, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command to go on with repeats them too: without that, nothing would be left to run."""
    scenario.write_text(SCENARIO.replace("{provider: embedded}", "{provider: lab}"), encoding="utf-8")
    monkeypatch.setattr(lab_parts, "require_parts", lambda _: None)
    statuses += [TrialStatus.FAILED]
    call(capsys, "run", scenario, "--no-report")

    def lack(_: object) -> None:
        raise UserError("the lab needs haproxy; install it")

    monkeypatch.setattr(lab_parts, "require_parts", lack)
    directory = newest_run(Path("reports"))
    assert call(capsys, "run", "--resume", directory, "--no-report").code == 3
    called = call(capsys, "run", "--resume", directory, "--no-report", "--again", "failed")
    assert (called.code, called.err) == (
        1,
        "topologies.one: the lab needs haproxy; install it. "
        f"Then go on with: iam-loadtest run --resume {directory} --again failed\n",
    )


def test_an_error_that_ends_a_run_says_how_to_go_on(
    scenario: Path, statuses: Statuses, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run has its directory by then, and the trials before are in it."""

    def full(*_: object) -> Trial:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(run_module, "run_trial", full)
    called = call(capsys, "run", scenario, "--no-report", "--quiet", "--reports", "my reports")
    directory = newest_run(Path("my reports"))
    assert (called.code, called.err) == (
        1,
        f"{directory}: cannot be written: No space left on device; free some space, or make it writable. "
        f"Then go on with: iam-loadtest run --resume '{directory}'\n",
    )
