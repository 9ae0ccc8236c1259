"""`iam-loadtest run` from the outside: a matrix on the built-in IAM, and the ordinary bad days."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import pandas as pd
import pytest

from iam_loadtest.results.trial import TrialStatus
from tests.e2e.conftest import LOAD, PATIENCE_S, PUBLIC_CLIENTS, Workshop, await_that

pytestmark = pytest.mark.usefixtures("unmeasured")

CELLS = [("one", "access"), ("two", "workflow")]
TOKEN = re.compile(rb"eyJ[A-Za-z0-9_-]{10,}\.")


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A finished run of two topologies and two workloads, some of the cells left out for time."""
    workshop = Workshop(tmp_path_factory.mktemp("matrix"), uuid.uuid4().hex)
    scenario = workshop.scenario(
        topologies={"one": {"provider": "embedded"}, "two": {"provider": "embedded", "frontends": 2}}
    )
    done = workshop.call("run", scenario, *(f"--only={topology}/{workload}" for topology, workload in CELLS))
    assert done.returncode == 0, done.stdout + done.stderr
    return workshop


def test_a_matrix_runs_every_trial_once_and_all_count(matrix: Workshop) -> None:
    run = matrix.run()
    assert [(trial.topology, trial.workload) for trial in run.trials] == CELLS
    assert {trial.status for trial in run.trials} == {TrialStatus.OK}
    assert run.missing == ()


def test_the_samples_equal_the_requests_that_the_server_counted(matrix: Workshop) -> None:
    for trial in matrix.run().trials:
        rows = pd.read_parquet(matrix.run().trial_directory(trial) / "samples.parquet")
        per_step = rows[rows.step != "workflow"].step.value_counts()
        assert {step: int(n) for step, n in per_step.items() if n} == trial.counts.server
        assert len(rows) == trial.counts.received == trial.counts.sent


def test_the_window_is_exactly_as_long_as_configured(matrix: Workshop) -> None:
    assert {trial.marks.window_s for trial in matrix.run().trials} == {1.0}


def test_every_request_names_its_frontend(matrix: Workshop) -> None:
    run = matrix.run()
    for trial in run.trials:
        rows = pd.read_parquet(run.trial_directory(trial) / "samples.parquet")
        seen = set(rows[rows.step != "workflow"].backend)
        assert seen == {f"frontend-{n}" for n in range(1, 2 + (trial.topology == "two"))}


def test_the_servers_are_watched_in_the_time_of_the_trial(matrix: Workshop) -> None:
    """The IAM's own count grows up to what the samples hold at most; the observer's CPU is there as well."""
    for trial in matrix.run().trials:
        rows = pd.read_csv(matrix.run().trial_directory(trial) / "server.csv")
        assert set(rows.node) == {"iam", "observer"}
        own = rows[rows.node == "iam"]
        assert own.pss_mib.min() > 0
        assert own.iam_requests.is_monotonic_increasing
        assert own.iam_requests.max() > 0
        assert rows.time_us.between(0, 60_000_000).all()


def test_a_run_leaves_its_report_and_no_process_or_database(matrix: Workshop) -> None:
    run = matrix.run()
    assert (run.directory / "report.html").is_file()
    assert matrix.await_none_left() == []
    assert list(run.directory.rglob("*.sqlite*")) == []
    assert list(run.directory.rglob(".running-*")) == []


def test_no_file_of_a_run_holds_a_token_or_a_password(matrix: Workshop) -> None:
    for path in matrix.run().directory.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not TOKEN.search(content), path
            assert b"password=" not in content, path


def test_resume_refuses_a_changed_scenario_and_names_the_difference(workshop: Workshop) -> None:
    scenario = workshop.scenario(load={**LOAD, "duration": "0.5s"})
    assert workshop.call("run", scenario, "--only", "access", "--no-report").returncode == 0
    changed = workshop.scenario(load={**LOAD, "duration": "0.5s", "users": 5})
    refused = workshop.call("run", changed, "--resume", workshop.run().directory)
    assert refused.returncode == 1
    assert "load.users is 5, was 4" in refused.stderr


def test_secrets_do_not_appear_in_the_process_list(workshop: Workshop) -> None:
    scenario = workshop.scenario(
        clients={**PUBLIC_CLIENTS, "access": {"id": "client-cred", "secret": "${ACCESS_SECRET}"}}
    )
    runner = workshop.start("run", scenario, "--only", "access", "--no-report", ACCESS_SECRET="secret")
    lines: list[str] = []
    assert await_that(lambda: lines.append(workshop.command_lines()) or "--master-host" in lines[-1])
    shown = lines[-1].replace(str(workshop.directory), "")
    out, err = runner.communicate(timeout=PATIENCE_S)
    assert runner.returncode == 0, err
    assert "secret" not in shown
    assert "secret" not in out + err


def test_a_missing_secret_is_named_before_anything_starts(workshop: Workshop) -> None:
    scenario = workshop.scenario(
        clients={**PUBLIC_CLIENTS, "access": {"id": "client-cred", "secret": "${NO_SUCH_SECRET}"}}
    )
    done = workshop.call("run", scenario)
    assert done.returncode == 1
    assert done.stderr == (
        f"{scenario}: clients.access.secret: "
        "environment variable NO_SUCH_SECRET is not set; export it before the run.\n"
    )
    assert not workshop.reports.exists()


def test_one_trial_leaves_objectives_open_and_strict_makes_that_exit_code_5(workshop: Workshop) -> None:
    scenario = workshop.scenario(objectives=["throughput > 9999999/s"])
    done = workshop.call("run", scenario, "--only", "access", "--quiet", "--strict")
    assert done.returncode == 5, done.stderr
    assert "objective undecided: one / access: expected throughput > 9999999/s; it is " in done.stderr
    assert "in the one trial that counts; 3 trials are needed to tell" in done.stderr


def test_a_failing_hook_fails_the_trial_with_its_last_words(workshop: Workshop) -> None:
    scenario = workshop.scenario(hooks={"before_trial": ["sh", "-c", "echo no such cluster; exit 7"]})
    done = workshop.call("run", scenario, "--only", "access", "--no-report")
    (trial,) = workshop.run().trials
    assert done.returncode == 3
    assert trial.reason == "hook before_trial ended with exit code 7: no such cluster; see hooks.log."


def test_a_run_directory_that_cannot_be_made_is_one_clear_line(workshop: Workshop) -> None:
    occupied = workshop.directory / "occupied"
    Path(occupied).write_text("a file")
    done = workshop.call("run", workshop.scenario(), "--reports", occupied)
    assert done.returncode == 1
    assert done.stderr == f"{occupied}: cannot hold a new run: it is no directory; choose another with --reports.\n"
