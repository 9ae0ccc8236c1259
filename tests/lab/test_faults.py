"""Faults for real, inside a trial: what they do to servers, what clients see, and that it is over afterwards."""

from __future__ import annotations

import uuid
from pathlib import Path

import pandas as pd
import pytest

from iam_loadtest.analysis.recovery import Recovery, read_recoveries
from iam_loadtest.results.run import Run
from iam_loadtest.results.trial import Trial, TrialStatus
from tests.e2e.conftest import LOAD, Workshop
from tests.lab.conftest import skip_where_missing, skip_without_namespaces, skip_without_tun

pytestmark = pytest.mark.usefixtures("unmeasured")

FAULTS = [
    {"at": "2s", "kill": "redis-master"},
    {"at": "7s", "cut": "link", "for": "3s"},
    {"at": "12s", "kill": "frontend-2"},
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """People log in on two sites while the session master, the link and a frontend are lost, one after the other."""
    skip_without_namespaces()
    skip_where_missing("ip", "haproxy", "mariadbd", "mariadb-install-db", "redis-server")
    skip_without_tun()
    workshop = Workshop(tmp_path_factory.mktemp("faults"), uuid.uuid4().hex)
    topology = {
        "provider": "lab",
        "frontends": [1, 1],
        "database": {"kind": "replication", "nodes": [1, 1]},
        "link": {"rtt": "5ms"},
        "sessions": "redis-sentinel",
        "faults": FAULTS,
    }
    load = {**LOAD, "duration": "16s", "think_time": "100ms", "workers": 1}
    scenario = workshop.scenario(
        topologies={"sites": topology}, workloads=["login"], load=load, target={"timeout": "4s"}
    )
    done = workshop.call("run", scenario, patience_s=400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert workshop.await_none_left() == []
    return workshop.run()


@pytest.fixture(scope="module")
def trial(run: Run) -> Trial:
    (only,) = run.trials
    return only


@pytest.fixture(scope="module")
def seen(run: Run, trial: Trial) -> tuple[Recovery, ...]:
    """What clients saw of each fault."""
    return read_recoveries(run.trial_directory(trial), trial)


@pytest.fixture(scope="module")
def servers(run: Run, trial: Trial) -> pd.DataFrame:
    return pd.read_csv(run.trial_directory(trial) / "server.csv")


def test_a_trial_whose_faults_were_asked_for_counts(trial: Trial) -> None:
    """Failures and deaths are what it is about."""
    assert (trial.status, trial.reason) == (TrialStatus.OK, None)


def test_what_was_done_and_when_is_written_down(trial: Trial) -> None:
    """By the target that was really hit, at the time of the window that was asked for or soon after."""
    assert [(one.kind, one.target, one.error) for one in trial.faults] == [
        ("kill", "sessions-1", None),
        ("cut", "link", None),
        ("kill", "frontend-2", None),
    ]
    start_us = trial.marks.window_start_us
    assert start_us is not None
    for fault, asked_s in zip(trial.faults, (2, 7, 12), strict=True):
        assert fault.started_us is not None
        assert 0 <= fault.started_us - start_us - asked_s * 1_000_000 < 5_000_000
    cut = trial.faults[1]
    assert cut.started_us is not None
    assert cut.ended_us is not None
    assert cut.ended_us - cut.started_us >= 3_000_000


def test_people_log_in_again_when_sentinel_has_made_another_server_the_master(
    seen: tuple[Recovery, ...], servers: pd.DataFrame
) -> None:
    """Nobody does for the second that Sentinel waits, then they do; the role has moved."""
    failover = seen[0]
    assert failover.first_success_s is not None
    assert failover.longest_gap_s > 0.5
    masters = servers[servers.redis_role == "master"].sort_values("time_us").node
    assert masters.iloc[0] == "sessions-1"
    assert masters.iloc[-1] in {"sessions-2", "sessions-3"}


def test_a_cut_link_is_felt_and_mended(seen: tuple[Recovery, ...]) -> None:
    """The site without the primary cannot write meanwhile; afterwards people are served."""
    cut = seen[1]
    assert cut.failed + cut.longest_gap_s > 0
    assert cut.first_success_s is not None


def test_clients_are_served_by_the_other_frontend_when_one_is_killed(
    run: Run, trial: Trial, servers: pd.DataFrame
) -> None:
    """The balancer takes it out; whoever is answered in the last seconds is answered by the one that is left."""
    rows = pd.read_parquet(run.trial_directory(trial) / "samples.parquet")
    end_us = trial.marks.window_end_us
    assert end_us is not None
    last = rows[(rows.outcome == "ok") & (rows.step == "login_page") & (rows.started_us > end_us - 1_500_000)]
    assert set(last.backend.astype(str)) == {"frontend-1"}
    states = servers[servers.node == "frontend-2"].sort_values("time_us").proxy_status
    assert states.iloc[0] == "UP"
    assert str(states.iloc[-1]).startswith("DOWN")


def test_the_servers_were_watched_all_the_while(servers: pd.DataFrame) -> None:
    """Dead ones are empty, the rest goes on: databases with the replica's lag, frontends and proxies."""
    by_node = servers.set_index("node")
    for node, column in (
        ("database-1", "threads_connected"),
        ("database-2", "replica_gtid_lag"),
        ("frontend-1", "iam_requests"),
        ("frontend-1", "proxy_requests"),
        ("balancer", "cpu_percent"),
        ("supervisor", "pss_mib"),
    ):
        assert by_node.loc[[node], column].notna().sum() > 3, (node, column)
    dead = servers[(servers.node == "sessions-1")].sort_values("time_us").redis_clients
    assert pd.isna(dead.iloc[-1])


def test_nothing_of_it_is_left(run: Run, trial: Trial) -> None:
    """The schedule and the clock were of use only meanwhile."""
    names = {path.name for path in Path(run.trial_directory(trial)).iterdir()}
    assert {"server.csv", "lab.json", "trial.json", "samples.parquet"} <= names
    assert not names & {"clock.json", "faults.json", "observed.csv"}
