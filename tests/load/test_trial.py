"""A trial as real processes: one master, two workers, a real server."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iam_loadtest.results.load_result import LoadResult
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.sample_file import read_samples
from iam_loadtest.results.trial import TrialStatus
from tests.load.processes import FakeIam, TrialProcesses, eventually, token_requests

StartTrial = Callable[..., TrialProcesses]


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[StartTrial]:
    """Starts a trial; whatever still runs at the end of the test is killed."""
    started: list[TrialProcesses] = []

    def start(issuer: str, workers: int = 2, **settings: Any) -> TrialProcesses:
        started.append(TrialProcesses(tmp_path / "trial", issuer, **settings))
        return started[0].start(workers)

    yield start
    for processes in started:
        processes.stop()


def test_every_request_that_the_server_counted_is_a_row_and_the_window_is_as_long_as_asked(
    trial: StartTrial, iam: str
) -> None:
    before = token_requests(iam)
    processes = trial(iam)
    result = processes.await_result()
    after = token_requests(iam)
    assert (result.status, result.reason) == (TrialStatus.OK, None)
    counted = {grant: after[grant] - before.get(grant, 0) for grant in ("password", "refresh_token", "token_exchange")}
    by_step = result.counts.by_step
    assert [by_step[step] for step in ("issue", "refresh", "exchange")] == list(counted.values())
    rows = read_samples(processes.directory / "samples.parquet")
    assert rows.num_rows == result.counts.sent == result.counts.received == sum(by_step.values())
    assert result.marks.window_s == 2.0
    assert set(rows["worker"].to_pylist()) == {0, 1}
    assert set(rows["outcome"].to_pylist()) == {Outcome.OK}
    started = rows["started_us"].to_pylist()
    assert 0 <= min(started) < result.marks.window_start_us < result.marks.window_end_us <= max(started)
    assert max(started) < result.marks.ended_us
    assert by_step["workflow"] <= by_step["exchange"] <= by_step["refresh"] <= by_step["issue"]
    health = list(csv.DictReader((processes.directory / "generator.csv").open()))
    assert {row["worker"] for row in health} == {"0", "1"}
    assert result.generator.users_min == result.generator.users_max == result.generator.users_planned == 12
    assert json.loads((processes.directory / "progress.json").read_text())["phase"] == "done"


def test_a_killed_worker_makes_the_trial_invalid(trial: StartTrial, fake: FakeIam) -> None:
    processes = trial(fake.issuer("pace"), overrides={"duration_s": 60})
    processes.await_phase("window")
    processes.workers[1].kill()
    result = processes.await_result(30)
    assert result.status is TrialStatus.INVALID
    assert result.reason is not None
    assert result.reason.startswith("lost 1 of 2 workers")
    assert result.generator.workers_lost == 1
    assert read_samples(processes.directory / "samples.parquet").num_rows == result.counts.received > 0


def test_a_signal_to_the_master_saves_what_there_is_and_marks_it_interrupted(trial: StartTrial, fake: FakeIam) -> None:
    before = sum(fake.counts("pace").values())
    processes = trial(fake.issuer("pace"), overrides={"duration_s": 60})
    processes.await_phase("window")
    progress = await_throughput(processes.directory / "progress.json")
    assert progress["users"] == 12
    assert progress["p95_ms"] >= 60, "three requests of 20 ms each"
    assert progress["failure_share"] == 0
    assert 0 <= progress["phase_left_s"] <= 60
    assert processes.master is not None
    processes.master.send_signal(signal.SIGINT)
    result = processes.await_result(30)
    assert (result.status, result.reason) == (TrialStatus.INTERRUPTED, "stopped by a signal before its end")
    rows = read_samples(processes.directory / "samples.parquet")
    assert rows.num_rows == result.counts.sent == result.counts.received
    requests = sum(1 for step in rows["step"].to_pylist() if step != "workflow")
    assert requests == sum(fake.counts("pace").values()) - before
    for worker in processes.workers:
        worker.wait(10)


def await_throughput(path: Path) -> dict[str, Any]:
    """The first progress that has a throughput."""

    def known() -> dict[str, Any] | None:
        progress: dict[str, Any] = json.loads(path.read_text())
        return progress if progress["throughput_per_s"] else None

    return eventually(known)


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


@pytest.fixture(scope="module")
def hopeless(tmp_path_factory: pytest.TempPathFactory, fake: FakeIam) -> dict[str, LoadResult]:
    """The results of trials that cannot succeed, by what is wrong; they run beside each other, to save time."""
    base = tmp_path_factory.mktemp("hopeless")
    slow_before = sum(fake.counts("slow").values())
    long = {"duration_s": 600}
    trials = {
        "refused": TrialProcesses(base / "refused", fake.issuer("refused"), "workflow", long, ONE_WORKER),
        "slow": TrialProcesses(base / "slow", fake.issuer("slow"), "workflow", {}, ONE_WORKER),
        "no secret": TrialProcesses(base / "no-secret", fake.issuer("ok"), "access", long, WITHOUT_SECRET),
        "not there": TrialProcesses(base / "not-there", "http://127.0.0.1:1/", "workflow", long, ONE_WORKER),
    }
    try:
        for processes in trials.values():
            processes.start(workers=1)
        results = {name: processes.await_result() for name, processes in trials.items()}
    finally:
        for processes in trials.values():
            processes.stop()
    assert results["slow"].counts.by_step == {
        "issue": sum(fake.counts("slow").values()) - slow_before,
        "workflow": results["slow"].counts.by_step["issue"],
    }
    return results


def test_a_wrong_secret_ends_the_trial_in_seconds_with_its_reason(hopeless: dict[str, LoadResult]) -> None:
    result = hopeless["refused"]
    assert result.status is TrialStatus.FAILED
    assert result.reason == "the first 50 chains all failed, most often: refused: 401 unauthorized Bad credentials"
    assert result.marks.ended_us is not None
    assert result.marks.ended_us < 60e6, "long before its 600 s are over"


def test_requests_that_nobody_answers_end_as_timeouts_and_are_rows_too(hopeless: dict[str, LoadResult]) -> None:
    result = hopeless["slow"]
    assert result.status is TrialStatus.FAILED
    assert result.reason == "no chain succeeded in the window; most often: timeout: no complete answer within 2 s"


def test_a_missing_secret_is_named_and_no_user_sends_anything(hopeless: dict[str, LoadResult]) -> None:
    result = hopeless["no secret"]
    assert result.status is TrialStatus.FAILED
    assert result.reason == "environment variable NOT_SET_ANYWHERE is not set; export it before the run."
    assert result.counts.received == 0


def test_a_server_that_is_not_there_is_named(hopeless: dict[str, LoadResult]) -> None:
    result = hopeless["not there"]
    assert result.status is TrialStatus.FAILED
    assert result.reason is not None
    assert "http://127.0.0.1:1/.well-known/openid-configuration: no answer (connect_error: " in result.reason


def test_master_and_workers_end_when_the_process_that_started_them_is_gone(tmp_path: Path, fake: FakeIam) -> None:
    starter = (
        "import os, pathlib, sys, time\n"
        "from tests.load.processes import TrialProcesses\n"
        "pid = {'IAM_LOADTEST_PARENT_PID': str(os.getpid())}\n"
        "trial = TrialProcesses(pathlib.Path(sys.argv[1]), sys.argv[2], overrides={'duration_s': 600}, environ=pid)\n"
        "trial.start().await_phase('window')\n"
        "print(*[process.pid for process in (trial.master, *trial.workers)], flush=True)\n"
        "time.sleep(600)\n"
    )
    command = [sys.executable, "-c", starter, str(tmp_path / "trial"), fake.issuer("pace")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": "."}) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        parent.kill()
    assert len(pids) == 3
    eventually(lambda: not any(is_running(pid) for pid in pids), limit_s=30)


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
