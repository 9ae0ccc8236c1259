"""The lab as the runner sees it: built for a trial, counted over all frontends, gone afterwards."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import requests

from iam_loadtest.results.lab_state import LabState, read_lab_state, write_lab_state
from iam_loadtest.results.trial import WindowMarks
from iam_loadtest.results.trial_clock import TrialClock, machine_us, write_trial_clock
from iam_loadtest.runner.failure import TrialFailedError
from iam_loadtest.runner.lab_iam import LabIam, lab_iam
from iam_loadtest.runner.trial_run import running_topology
from iam_loadtest.scenario.topology import LabTopology
from tests.lab.conftest import skip_where_missing, skip_without_namespaces, wait_until
from tests.scenario.scenarios import scenario_of

pytestmark = pytest.mark.usefixtures("unmeasured")


def test_a_lab_is_there_while_the_block_runs_and_its_frontends_are_counted_together(tmp_path: Path) -> None:
    """Two frontends on one SQLite file answer four requests; the trial keeps the lab's state and logs."""
    skip_without_namespaces()
    skip_where_missing("ip", "haproxy")
    topology = LabTopology.model_validate({"provider": "lab", "frontends": 2, "database": {"kind": "sqlite"}})
    write_trial_clock(tmp_path, TrialClock(machine_us(), WindowMarks()))
    with lab_iam(topology, tmp_path) as lab:
        base = lab.base
        for _ in range(4):
            data = {"grant_type": "client_credentials"}
            requests.post(
                lab.issuer + "token", data=data, auth=("client-cred", "secret"), timeout=10
            ).raise_for_status()
        assert lab.requests_by_kind() == {"client_credentials": 4}
        observed = base / "observed.csv"
        wait_until(lambda: observed.exists() and "frontend-2" in observed.read_text(encoding="utf-8"), "rows are there")
    assert not base.exists()
    state = read_lab_state(tmp_path)
    assert state is not None
    assert (state.phase, state.nodes, state.died) == ("ended", ("frontend-1", "frontend-2"), ())
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "clock.json",
        "lab-logs",
        "lab.json",
        "lab.log",
        "server.csv",
    ]


def test_a_lab_that_lost_a_server_is_no_result(tmp_path: Path) -> None:
    """The reason names it, in the supervisor's words."""
    issuer = "http://127.0.0.1:9/"
    write_lab_state(tmp_path, LabState("ready", issuer, ("frontend-1",), died=("database-1 ended with exit code -9",)))
    with pytest.raises(TrialFailedError, match="did not stay whole: database-1 ended with exit code -9"):
        LabIam(issuer, ("frontend-1",), base=tmp_path).requests_by_kind()


def test_a_lab_that_ended_as_a_whole_is_no_result(tmp_path: Path) -> None:
    """Its supervisor was killed: nobody was left to write down that its servers died."""
    write_lab_state(tmp_path, LabState("ready", "http://127.0.0.1:9/", ("frontend-1",)))
    with subprocess.Popen(["true"]) as ended:
        pass
    with pytest.raises(TrialFailedError, match=r"did not stay whole: it has ended as a whole; see lab\.log"):
        LabIam("http://127.0.0.1:9/", ("frontend-1",), base=tmp_path, process=ended).require_whole()


def test_what_a_killed_run_left_goes_with_the_next_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory of a lab that a runner still holds stays, and so does one that holds no lab."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    left, held, other = (tmp_path / f"iam-lab-trial-{name}" for name in ("left", "held", "other"))
    for directory in (left, held):
        directory.mkdir()
        write_lab_state(directory, LabState("ready", "http://127.0.0.1:9/"))
    other.mkdir()
    descriptor = os.open(held, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    topology = LabTopology.model_validate({"provider": "lab", "database": {"kind": "sqlite"}})
    monkeypatch.setattr("iam_loadtest.runner.lab_iam._await_ready", refuse)
    with pytest.raises(TrialFailedError, match="not today"), lab_iam(topology, tmp_path):
        pass
    os.close(descriptor)
    assert {path.name for path in tmp_path.glob("iam-lab-trial-*")} == {"iam-lab-trial-held", "iam-lab-trial-other"}


def test_a_variable_that_is_passed_reaches_the_lab_though_it_is_a_secret_of_the_scenario(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A realm is made with the secret that the load uses."""
    monkeypatch.setenv("LAB_TEST_SECRET", "hidden")
    given: dict[str, str] = {}

    def start(_command: object, _log: object, environ: Mapping[str, str], _directory: object) -> None:
        given.update(environ)
        raise TrialFailedError("not today")

    monkeypatch.setattr("iam_loadtest.runner.lab_iam.start_process", start)
    scenario = scenario_of(
        topologies={"one": {"provider": "lab", "frontend": {"command": "serve", "pass_environ": ["LAB_TEST_SECRET"]}}},
        clients={"access": {"id": "me", "secret": "${LAB_TEST_SECRET}"}},
        steps={"issue": {"grant": "client_credentials", "client": "access"}},
        workloads={"access": ["issue"]},
    )
    with pytest.raises(TrialFailedError, match="not today"), running_topology(scenario, "one", tmp_path):
        pass
    assert given["LAB_TEST_SECRET"] == "hidden"


def refuse(*_: object) -> LabState:
    raise TrialFailedError("not today")


def test_a_lab_that_cannot_be_built_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below a temporary directory with a long name sockets cannot be made."""
    topology = LabTopology.model_validate({"provider": "lab", "database": {"kind": "sqlite"}})
    (tmp_path / ("long" * 30)).mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("long" * 30)))
    with pytest.raises(TrialFailedError, match="too long for socket files"), lab_iam(topology, tmp_path):
        pass
