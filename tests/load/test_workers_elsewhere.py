"""Workers that have none of the master's files, come too late, are too few or leave: real Locust processes."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator

import psutil
import pytest

from iam_loadtest.results.load_result import LoadResult
from iam_loadtest.results.sample_file import read_samples
from iam_loadtest.results.trial import TrialStatus
from iam_loadtest.scenario.worker_trust import WORKER_TRUST_VARIABLE, WorkerTrust, parse_origin
from tests.load.processes import FakeIam, TrialProcesses, eventually

LOAD = """\
load: {users: 12, spawn_rate_per_s: 12, warm_up: 0s, duration: 1s, cool_down: 0s, workers: %d}
"""
WITH_SECRET = """\
name: test
topologies: {one: {provider: embedded}}
clients:
  a: {id: me, secret: "${ELSEWHERE_SECRET}"}
steps: {issue: {grant: client_credentials, client: a}}
workloads: {access: [issue]}
"""
COMMAND = "iam-loadtest worker --master here"
LONG = {"duration_s": 600}
ESTABLISHED = "ESTABLISHED"


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory, fake: FakeIam) -> Iterator[dict[str, TrialProcesses]]:
    """All of them run beside each other, since they wait more than they work."""
    base = tmp_path_factory.mktemp("elsewhere")

    def trial(name: str, workers: int = 1, mode: str = "pace", scenario: str = WITH_SECRET) -> TrialProcesses:
        return TrialProcesses(base / name, fake.issuer(mode), "access", LONG, scenario + LOAD % workers)

    trust = WorkerTrust((parse_origin(fake.issuer("ok")),)).to_json()
    found = {name: trial(name) for name in ("stranger", "left")}
    found["few"] = trial("few", workers=2)
    found["late"] = trial("late")
    for processes in found.values():
        processes.worker_command = COMMAND
        processes.environ_of_workers = {WORKER_TRUST_VARIABLE: trust, "ELSEWHERE_SECRET": "hidden"}
    found["few"].expected, found["few"].workers_wait_s, found["few"].is_master_last = 2, 10, True
    found["stranger"].environ_of_workers = {WORKER_TRUST_VARIABLE: trust}
    try:
        for processes in found.values():
            processes.start(workers=1)
        yield found
    finally:
        for processes in found.values():
            processes.stop()


@pytest.fixture(scope="module")
def results(trials: dict[str, TrialProcesses]) -> dict[str, LoadResult]:
    """How each of them ended, after what is done to two of them in their window."""
    trials["late"].await_phase("window")
    late = trials["late"].start_worker()
    trials["left"].await_phase("window")
    trials["left"].workers[0].send_signal(signal.SIGTERM)
    eventually(lambda: any(one.status == ESTABLISHED for one in psutil.Process(late.pid).net_connections()))
    time.sleep(2)  # it asks to take part each second
    trials["late"].signal_master(signal.SIGTERM)
    codes = {"few": -signal.SIGTERM}
    return {name: processes.await_result(expected_code=codes.get(name, 0)) for name, processes in trials.items()}


def test_too_few_workers_are_counted_and_what_starts_one_is_said(results: dict[str, LoadResult]) -> None:
    result = results["few"]
    assert result.status is TrialStatus.INVALID
    assert result.reason == f"1 of 2 workers connected in 10 s; start the others with: {COMMAND}"


def test_a_missing_secret_ends_the_trial_at_once_and_names_the_host(
    trials: dict[str, TrialProcesses], results: dict[str, LoadResult]
) -> None:
    result = results["stranger"]
    assert result.status is TrialStatus.FAILED
    assert result.reason is not None
    expected = f"worker on {socket.gethostname()}: clients.a.secret: environment variable ELSEWHERE_SECRET is not set;"
    assert result.reason.startswith(expected)
    assert result.counts.received == 0
    assert expected in (trials["stranger"].directory / "worker0.log").read_text(), "its own operator sees it, too"


def test_a_worker_that_comes_too_late_gets_no_users_and_no_attention(results: dict[str, LoadResult]) -> None:
    """Locust would move users to it in the middle of the window."""
    result = results["late"]
    assert result.generator.workers == 1
    assert result.generator.workers_lost == 0


def test_sigterm_to_the_master_saves_what_there_is_and_marks_it_interrupted(
    trials: dict[str, TrialProcesses], results: dict[str, LoadResult]
) -> None:
    result = results["late"]
    assert (result.status, result.reason) == (TrialStatus.INTERRUPTED, "stopped by a signal before its end")
    rows = read_samples(trials["late"].directory / "samples.parquet")
    assert rows.num_rows == result.counts.sent == result.counts.received > 0
    assert set(rows["outcome"].to_pylist()) == {"ok"}, "with the secret of the worker's own environment"
    assert "hidden" not in trials["late"].log()


def test_a_worker_that_is_stopped_is_a_lost_worker_also_where_it_was_the_only_one(
    results: dict[str, LoadResult],
) -> None:
    result = results["left"]
    assert (result.status, result.generator.workers_lost) == (TrialStatus.INVALID, 1)
    assert result.reason is not None
    assert result.reason.startswith("lost 1 of 1 workers")
