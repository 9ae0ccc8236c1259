"""Trials as real processes: a master and its workers against a real server."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from iam_loadtest.results.load_result import LoadResult
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.sample_file import read_samples
from iam_loadtest.results.trial import TrialStatus
from tests.load.processes import ROOT, TRIAL_LOCUSTFILE, FakeIam, TrialProcesses, eventually, run_locust, token_requests

ONE_WORKER = """\
name: test
target: {timeout: 2s}
topologies:
  one: {provider: embedded}
load: {users: 12, spawn_rate_per_s: 12, warm_up: 0s, duration: 1s, cool_down: 0s, workers: 1}
"""
WITHOUT_SECRET = (
    ONE_WORKER
    + """\
clients:
  a: {id: x, secret: "${NOT_SET_ANYWHERE}"}
steps:
  issue: {grant: client_credentials, client: a}
workloads:
  access: [issue]
"""
)
LONG = {"duration_s": 600}
DEFECTIVE = """\
from locust import task

from iam_loadtest.load.plugin import install_trial
from iam_loadtest.load.users import TokenUser

install_trial()


class WorkloadUser(TokenUser):
    @task
    def run_chain(self):
        raise KeyError("no such thing")
"""


def test_every_request_that_the_server_counted_is_a_row_and_the_window_is_as_long_as_asked(
    tmp_path: Path, iam: str
) -> None:
    before = token_requests(iam)
    processes = TrialProcesses(tmp_path, iam, is_measured=True)
    try:
        result = processes.start().await_result()
    finally:
        processes.stop()
    after = token_requests(iam)
    assert (result.status, result.reason) == (TrialStatus.OK, None)
    counted = {grant: after[grant] - before.get(grant, 0) for grant in ("password", "refresh_token", "token_exchange")}
    by_step = result.counts.by_step
    assert [by_step.get(step, 0) for step in ("issue", "refresh", "exchange")] == list(counted.values())
    rows = read_samples(tmp_path / "samples.parquet")
    assert rows.num_rows == result.counts.sent == result.counts.received == sum(by_step.values())
    assert result.marks.window_s == 2.0
    assert set(rows["worker"].to_pylist()) == {0, 1}
    assert set(rows["outcome"].to_pylist()) == {Outcome.OK}
    started = rows["started_us"].to_pylist()
    assert 0 <= min(started) <= max(started) < result.marks.ended_us
    assert 0 < result.marks.window_start_us < result.marks.window_end_us < result.marks.ended_us
    chains = [by_step.get(step, 0) for step in ("workflow", "exchange", "refresh", "issue")]
    assert chains == sorted(chains)
    with (tmp_path / "generator.csv").open() as file:
        assert {row["worker"] for row in csv.DictReader(file)} == {"0", "1", "master"}
    generator = result.generator
    assert generator.users_planned == 12
    assert {generator.users_min, generator.users_max} in ({12}, {None}), "None where a worker was late to say it"
    assert json.loads((tmp_path / "progress.json").read_text())["phase"] == "done"


@dataclass(frozen=True)
class Ended:
    """What is known after trials that did not end by themselves, or could not go well."""

    results: dict[str, LoadResult]
    directories: dict[str, Path]
    progress: dict[str, Any]
    orphans: tuple[int, ...]
    requests: dict[str, int]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, fake: FakeIam) -> Iterator[Ended]:
    """All of them run beside each other, since they wait more than they work."""
    base = tmp_path_factory.mktemp("ended")
    modes = {"killed": "pace", "interrupted": "pace-2", "slow": "slow"}
    before = {name: sum(fake.counts(mode).values()) for name, mode in modes.items()}
    trials = {
        "killed": TrialProcesses(base / "killed", fake.issuer("pace"), overrides=LONG),
        "interrupted": TrialProcesses(base / "int", fake.issuer("pace-2"), overrides=LONG, is_measured=True),
        "refused": TrialProcesses(base / "refused", fake.issuer("refused"), "workflow", LONG, ONE_WORKER),
        "slow": TrialProcesses(base / "slow", fake.issuer("slow"), "workflow", {}, ONE_WORKER),
        "no secret": TrialProcesses(base / "no-secret", fake.issuer("ok"), "access", LONG, WITHOUT_SECRET),
    }
    trials["defect"] = TrialProcesses(
        base / "defect", fake.issuer("ok"), "workflow", LONG, ONE_WORKER, is_measured=True
    )
    trials["killed"].locustfile = TRIAL_LOCUSTFILE
    trials["defect"].locustfile = base / "defective.py"
    trials["defect"].locustfile.write_text(DEFECTIVE)
    starter = start_orphans(base / "orphans", fake.issuer("pace-3"))
    try:
        for name, processes in trials.items():
            processes.start(workers=2 if name == "killed" else 1)
        orphans = kill_starter(starter)
        trials["killed"].await_phase("window")
        trials["killed"].workers[1].kill()
        trials["interrupted"].await_phase("window")
        progress = await_throughput(base / "int" / "progress.json")
        trials["interrupted"].signal_master(signal.SIGINT)
        results = {name: processes.await_result() for name, processes in trials.items()}
        requests = {name: sum(fake.counts(mode).values()) - before[name] for name, mode in modes.items()}
        yield Ended(results, {name: trial.directory for name, trial in trials.items()}, progress, orphans, requests)
    finally:
        starter.kill()
        for processes in trials.values():
            processes.stop()


def start_orphans(directory: Path, issuer: str) -> subprocess.Popen[str]:
    """A process that starts a trial and a worker that finds no master, prints their numbers, and waits."""
    code = (
        "import os, pathlib, sys, time\n"
        "from tests.load.processes import TrialProcesses\n"
        "pid = {'IAM_LOADTEST_PARENT_PID': str(os.getpid())}\n"
        "trial = TrialProcesses(pathlib.Path(sys.argv[1]), sys.argv[2], overrides={'duration_s': 600}, environ=pid)\n"
        "trial.start(workers=1)\n"
        "lone = trial._start('lone.log', '--worker', '--master-host', '127.0.0.1', '--master-port', '1')\n"
        "trial.await_phase('window')\n"
        "print(*[process.pid for process in (trial.master, *trial.workers, lone)], flush=True)\n"
        "time.sleep(600)\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(directory), issuer]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ)


def kill_starter(starter: subprocess.Popen[str]) -> tuple[int, ...]:
    """The process ids that the starter told, after its sudden end."""
    assert starter.stdout is not None
    pids = tuple(int(pid) for pid in starter.stdout.readline().split())
    starter.kill()
    starter.wait()
    return pids


def await_throughput(path: Path) -> dict[str, Any]:
    """The first progress that has a throughput."""

    def known() -> dict[str, Any] | None:
        progress: dict[str, Any] = json.loads(path.read_text())
        return progress if progress["throughput_per_s"] else None

    found: dict[str, Any] = eventually(known)
    return found


def test_a_killed_worker_makes_the_trial_invalid(ended: Ended) -> None:
    result = ended.results["killed"]
    assert result.status is TrialStatus.INVALID
    assert result.reason is not None
    assert result.reason.startswith("lost 1 of 2 workers")
    assert result.generator.workers_lost == 1
    rows = read_samples(ended.directories["killed"] / "samples.parquet")
    assert rows.num_rows == result.counts.received > 0


def test_a_signal_to_the_master_saves_what_there_is_and_marks_it_interrupted(ended: Ended) -> None:
    result = ended.results["interrupted"]
    assert (result.status, result.reason) == (TrialStatus.INTERRUPTED, "stopped by a signal before its end")
    rows = read_samples(ended.directories["interrupted"] / "samples.parquet")
    assert rows.num_rows == result.counts.sent == result.counts.received
    requests = sum(1 for step in rows["step"].to_pylist() if step != "workflow")
    assert requests == ended.requests["interrupted"], "as many as the server counted"


def test_progress_shows_users_throughput_and_what_is_left_while_the_window_runs(ended: Ended) -> None:
    assert ended.progress["users"] == 12
    assert ended.progress["p95_ms"] >= 60, "three requests of 20 ms each"
    assert ended.progress["failure_share"] == 0
    assert 0 < ended.progress["phase_left_s"] <= 600


def test_a_wrong_secret_ends_the_trial_long_before_its_time_with_its_reason(ended: Ended) -> None:
    result = ended.results["refused"]
    assert result.status is TrialStatus.FAILED
    assert (
        result.reason == "the first 50 chains were all refused; most often: refused: 401 unauthorized Bad credentials"
    )
    assert result.marks.ended_us is not None
    assert result.marks.ended_us < 300e6, "600 s were planned"


def test_requests_that_nobody_answers_end_as_timeouts_and_are_rows_too(ended: Ended) -> None:
    result = ended.results["slow"]
    assert result.status is TrialStatus.FAILED
    assert result.reason == "no chain succeeded in the window; most often: timeout: no complete answer within 2 s"
    assert result.counts.by_step["issue"] == ended.requests["slow"]


def test_a_missing_secret_is_named_and_no_user_sends_anything(ended: Ended) -> None:
    result = ended.results["no secret"]
    assert result.status is TrialStatus.FAILED
    assert result.reason is not None
    assert "NOT_SET_ANYWHERE is not set" in result.reason
    assert result.counts.received == 0


def test_a_defect_of_a_user_is_not_swallowed_but_fails_the_trial(ended: Ended) -> None:
    result = ended.results["defect"]
    assert result.status is TrialStatus.FAILED
    expected = "a user raised an exception, which is a defect: 'no such thing' (defective.py, line 12, in run_chain)"
    assert result.reason == expected


def test_master_and_workers_end_when_the_process_that_started_them_is_gone(ended: Ended) -> None:
    assert len(ended.orphans) == 3, "master, worker, and a worker that has not found its master yet"
    eventually(lambda: not any(is_running(pid) for pid in ended.orphans))


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("arguments", "spec", "message"),
    [
        (("--headless",), None, "IAM_LOADTEST_TRIAL is not set; start trials with `iam-loadtest run`."),
        (("--headless",), "missing.json", "missing.json: cannot be read"),
    ],
)
def test_the_trial_locustfile_started_by_hand_says_what_to_do(
    tmp_path: Path, arguments: tuple[str, ...], spec: str | None, message: str
) -> None:
    environ = {} if spec is None else {"IAM_LOADTEST_TRIAL": spec}
    run = run_locust("-f", str(TRIAL_LOCUSTFILE), *arguments, cwd=tmp_path, is_measured=False, **environ)
    assert run.returncode == 1
    assert message in run.stdout
    assert "Traceback" not in run.stdout
