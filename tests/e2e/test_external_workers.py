"""Workers that others start: a run expects them, each trial has them all, and a lost one is back for the next."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
import psutil
import pytest

from iam_loadtest.results.run import Run
from iam_loadtest.results.trial import TrialStatus
from iam_loadtest.runner.load_processes import free_port
from tests.e2e.conftest import LOAD, PATIENCE_S, PUBLIC_CLIENTS, Workshop, await_that

pytestmark = pytest.mark.usefixtures("unmeasured")

SECRETS = {"EXT_CLIENT": "secret", "EXT_PASSWORD": "password"}
TARGET = "http://127.0.0.1:*"


@dataclass(frozen=True)
class Went:
    """How a run with two workers of their own went, one of which was killed in its one trial, which was repeated."""

    run: Run
    output: str
    worker_codes: list[int | None]
    worker_output: str
    left: list[int]


@pytest.fixture(scope="module")
def went(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Went]:
    workshop = Workshop(tmp_path_factory.mktemp("external"), uuid.uuid4().hex)
    scenario = workshop.scenario(
        clients={**PUBLIC_CLIENTS, "access": {"id": "client-cred", "secret": "${EXT_CLIENT}"}},
        users={"password": "${EXT_PASSWORD}"},
        load={**LOAD, "duration": "4s"},
    )
    port = free_port()
    workers = [start_worker(workshop, port) for _ in range(2)]
    options = ("--workers-external", "2", "--port", port, "--workers-wait", "240s", "--only", "access", "--no-report")
    runner = workshop.start("run", scenario, *options, "--json-log", **SECRETS)
    try:
        output = follow(runner, workers[0])
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        said = "".join(worker.communicate(timeout=PATIENCE_S)[0] for worker in workers)
        codes = [worker.returncode for worker in workers]
        yield Went(workshop.run(), output, codes, said, workshop.await_none_left())
    finally:
        for pid in workshop.processes():
            os.kill(pid, signal.SIGKILL)


def start_worker(workshop: Workshop, port: int) -> subprocess.Popen[str]:
    """A worker as an operator starts it, with secrets in its own environment."""
    named = [option for name in SECRETS for option in ("--secret-env", name)]
    master = ("--master", f"127.0.0.1:{port}")
    return workshop.start("worker", *master, "--target", TARGET, *named, "--json-log", **SECRETS)


def follow(runner: subprocess.Popen[str], worker: subprocess.Popen[str]) -> str:
    """The run's events to its end; in the first trial's window a process of the worker is killed."""
    assert runner.stdout is not None
    seen, is_killed = [], False
    for line in runner.stdout:
        seen.append(line)
        if not is_killed and '"phase": "window"' in line:
            is_killed = True
            (process,) = psutil.Process(worker.pid).children()
            process.kill()
    runner.communicate(timeout=PATIENCE_S)
    assert await_that(lambda: runner.returncode is not None)
    return "".join(seen)


def test_the_run_says_what_starts_a_worker(went: Went) -> None:
    assert '"event": "workers_expected", "workers": 2' in went.output
    assert "--secret-env EXT_CLIENT --secret-env EXT_PASSWORD" in went.output


def test_a_worker_that_is_killed_costs_one_trial_and_is_back_for_the_next(went: Went) -> None:
    killed, again = went.run.trials
    assert [trial.status for trial in went.run.trials] == [TrialStatus.INVALID, TrialStatus.OK]
    assert killed.reason is not None
    assert killed.reason.startswith("lost 1 of 2 workers")
    assert again.generator.workers == 2


def test_every_request_that_the_server_counted_is_a_row_of_one_of_both_workers(went: Went) -> None:
    again = went.run.trials[1]
    rows = pd.read_parquet(went.run.trial_directory(again) / "samples.parquet")
    assert len(rows) == again.counts.sent == again.counts.received
    assert {"issue": int((rows.step == "issue").sum())} == again.counts.server
    assert set(rows.outcome) == {"ok"}
    assert set(rows.worker) == {0, 1}


def test_workers_end_well_by_sigterm_and_nothing_is_left(went: Went) -> None:
    assert went.worker_codes == [0, 0]
    assert went.left == []


def test_secrets_are_in_no_output_and_no_file_of_the_run(went: Went) -> None:
    for path in went.run.directory.rglob("*"):
        if path.is_file():
            assert b"client_secret=" not in path.read_bytes(), path
    assert went.run.info.external_workers
    assert went.worker_output.count('"event": "worker_started"') >= 4
    assert '"secret"' not in went.output + went.worker_output
