"""A run that is interrupted, killed, robbed of a worker or started twice, from the outside."""

from __future__ import annotations

import os
import signal

import pandas as pd
import psutil
import pytest

from iam_loadtest.results.trial import TrialStatus
from tests.e2e.conftest import LOAD, PATIENCE_S, Workshop, await_that

pytestmark = pytest.mark.usefixtures("unmeasured")


def test_kill_9_of_the_runner_loses_the_trial_in_progress_alone_and_leaves_no_process(workshop: Workshop) -> None:
    scenario = workshop.scenario(load={**LOAD, "duration": "2s"})
    runner = workshop.start("run", scenario, "--only", "access", "--only", "refresh", "--quiet")
    assert await_that(lambda: _finished(workshop) == 1 and _in_progress(workshop) == 1)
    runner.send_signal(signal.SIGKILL)
    runner.communicate(timeout=PATIENCE_S)
    assert workshop.await_none_left() == []
    run = workshop.run()
    assert [trial.workload for trial in run.trials] == ["access"]
    before = (run.trial_directory(run.trials[0]) / "trial.json").stat().st_mtime_ns

    resumed = workshop.call("run", "--resume", run.directory, "--no-report")

    assert resumed.returncode == 0, resumed.stderr
    run = workshop.run()
    assert [trial.workload for trial in run.trials] == ["access", "refresh"]
    assert (run.trial_directory(run.trials[0]) / "trial.json").stat().st_mtime_ns == before
    assert list(run.directory.rglob(".running-*")) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_trial_keeps_it_marked_and_says_how_to_go_on(
    workshop: Workshop, number: signal.Signals
) -> None:
    scenario = workshop.scenario(load={**LOAD, "duration": "60s"})
    runner = workshop.start("run", scenario, "--only", "access", "--json-log")
    assert runner.stdout is not None
    assert any('"phase": "window"' in line for line in runner.stdout)
    runner.send_signal(number)
    _, err = runner.communicate(timeout=PATIENCE_S)
    run = workshop.run()
    assert runner.returncode == 130
    assert f"-m iam_loadtest run --resume {run.directory.relative_to(workshop.directory)}" in err
    assert [(trial.status, trial.reason) for trial in run.trials] == [
        (TrialStatus.INTERRUPTED, "interrupted by the user")
    ]
    assert len(pd.read_parquet(run.trial_directory(run.trials[0]) / "samples.parquet")) > 0
    assert len(run.missing) == 1
    assert workshop.await_none_left() == []


def test_ctrl_c_in_the_after_trial_hook_keeps_the_trial_that_is_finished(workshop: Workshop) -> None:
    scenario = workshop.scenario(
        load={**LOAD, "duration": "0.5s", "trials": 2},
        hooks={"after_trial": ["sh", "-c", "touch begun; until [ -e told ]; do sleep 0.1; done"]},
    )
    runner = workshop.start("run", scenario, "--only", "access", "--no-report", "--quiet")
    assert await_that((workshop.directory / "begun").exists)
    runner.send_signal(signal.SIGINT)
    (workshop.directory / "told").touch()
    _, err = runner.communicate(timeout=PATIENCE_S)
    assert runner.returncode == 130
    assert "1 trial left to do. Go on with: " in err
    assert " -m iam_loadtest run --resume " in err
    assert [trial.status for trial in workshop.run().trials] == [TrialStatus.OK]


def test_a_worker_killed_in_the_window_makes_the_trial_invalid_and_it_is_repeated(workshop: Workshop) -> None:
    scenario = workshop.scenario(load={**LOAD, "duration": "4s"})
    runner = workshop.start("run", scenario, "--only", "access", "--json-log", "--no-report")
    assert runner.stdout is not None
    assert any('"phase": "window"' in line for line in runner.stdout)
    os.kill(_a_locust_worker(workshop), signal.SIGKILL)
    runner.communicate(timeout=PATIENCE_S)
    trial, again = workshop.run().trials
    assert runner.returncode == 0
    assert trial.status is TrialStatus.INVALID
    assert trial.reason is not None
    assert "worker" in trial.reason
    assert again.status is TrialStatus.OK, "an invalid trial is repeated once"
    assert workshop.await_none_left() == []


def test_two_runners_do_not_share_a_run(workshop: Workshop) -> None:
    scenario = workshop.scenario(load={**LOAD, "duration": "600s"})
    first = workshop.start("run", scenario, "--only", "access", "--no-report")
    assert await_that(lambda: _in_progress(workshop) == 1)
    second = workshop.call("run", "--resume", workshop.run().directory)
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=PATIENCE_S)
    assert second.returncode == 1
    assert "another iam-loadtest is running this run" in second.stderr


def _finished(workshop: Workshop) -> int:
    return len(list(workshop.reports.glob("*/trials/[0-9]*/trial.json")))


def _in_progress(workshop: Workshop) -> int:
    return len(list(workshop.reports.glob("*/trials/.running-*/progress.json")))


def _a_locust_worker(workshop: Workshop) -> int:
    for pid in workshop.processes():
        if "--worker" in psutil.Process(pid).cmdline():
            return pid
    raise AssertionError("no Locust worker is running")
