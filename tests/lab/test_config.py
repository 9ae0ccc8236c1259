"""The configuration texts that the lab's servers are given."""

from __future__ import annotations

import configparser
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from iam_loadtest.lab import balancer
from iam_loadtest.lab.config import (
    Balancing,
    DatabaseFiles,
    GaleraMember,
    SentinelView,
    galera_settings,
    gvwstate,
    haproxy_cfg,
    my_cnf,
    redis_conf,
    replication_settings,
    sentinel_conf,
)
from iam_loadtest.lab.plan import Host, Role, plan_of
from iam_loadtest.lab.program import find_program
from tests.lab.test_plan import topology

FILES = DatabaseFiles(Path("/lab/d1/data"), Path("/lab/d1"), Path("/lab/d1/s.sock"), Path("/lab/logs/d1.log"))
NEAR, FAR = (Host(f"sessions-{n}", Role.SESSIONS, n, f"10.77.{n}.201") for n in (1, 2))


def read(text: str) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return dict(parser["mariadbd"])


def test_a_server_listens_on_its_own_address_and_keeps_its_files_apart() -> None:
    options = read(my_cnf(FILES, "10.77.1.101", {}))
    assert (options["bind_address"], options["port"]) == ("10.77.1.101", "3306")
    assert (options["datadir"], options["socket"]) == ("/lab/d1/data", "/lab/d1/s.sock")
    assert options["pid_file"] == "/lab/d1/data.pid"


def test_settings_of_the_topology_win() -> None:
    options = read(my_cnf(FILES, "10.77.1.101", {"innodb_flush_log_at_trx_commit": 1, "wsrep_sync_wait": 1}))
    assert (options["innodb_flush_log_at_trx_commit"], options["wsrep_sync_wait"]) == ("1", "1")


def test_a_galera_member_knows_the_others_and_its_site() -> None:
    member = GaleraMember("database-3", "10.77.2.101", ("10.77.1.101", "10.77.1.102"), 1, "/lib/galera.so")
    settings = galera_settings(member)
    assert settings["wsrep_cluster_address"] == "gcomm://10.77.1.101,10.77.1.102"
    assert "gmcast.segment=1" in str(settings["wsrep_provider_options"])
    assert "gmcast.listen_addr=tcp://10.77.2.101:4567" in str(settings["wsrep_provider_options"])


def test_only_the_first_server_of_a_replication_takes_writes() -> None:
    assert [replication_settings(number)["read_only"] for number in (1, 2, 3)] == ["OFF", "ON", "ON"]


def test_every_member_is_told_the_same_view_with_all_of_them_in_it() -> None:
    """The view names each member once, in order, under the smallest of them; each file differs in its own name only."""
    views = [text.splitlines() for text in gvwstate(3)]
    own = [view[0].removeprefix("my_uuid: ") for view in views]
    assert len(set(own)) == 3
    for view in views:
        assert view[1:4] == ["#vwbeg", f"view_id: 3 {min(own)} 1", "bootstrap: 0"]
        assert view[4:] == [*(f"member: {name} 0" for name in sorted(own)), "#vwend"]


def test_a_replica_of_sessions_far_away_is_elected_last() -> None:
    assert "replicaof 10.77.1.201 6379" in redis_conf(FAR, Path("/lab/s"), NEAR).splitlines()
    assert "replica-priority 200" in redis_conf(FAR, Path("/lab/s"), NEAR).splitlines()
    assert "replicaof" not in redis_conf(NEAR, Path("/lab/s"), NEAR)


def test_a_sentinel_watches_the_first_server_with_a_majority() -> None:
    text = sentinel_conf(SentinelView("10.77.2.201", "10.77.1.201", 2), Path("/lab/s"))
    assert "sentinel monitor iam 10.77.1.201 6379 2" in text.splitlines()


@pytest.mark.parametrize("algorithm", ["roundrobin", "leastconn", "sticky", "dns"])
def test_haproxy_takes_its_configuration(algorithm: str, tmp_path: Path) -> None:
    """HAProxy itself checks it, with every way of choosing a frontend."""
    program = find_program("haproxy")
    if program is None:
        pytest.skip("haproxy is not installed")
    frontends = plan_of(topology(frontends=[2, 1])).of(Role.FRONTEND)
    with socket.socket() as public:
        public.bind(("127.0.0.1", 0))
        public.listen()
        others = frontends[2:] if algorithm == "dns" else ()
        own = tuple(host for host in frontends if host not in others)
        balancing = Balancing(public.fileno(), tmp_path / "s.sock", own, algorithm, others)
        (tmp_path / "haproxy.cfg").write_text(haproxy_cfg(balancing), encoding="utf-8")
        command = [shutil.which(program) or program, "-c", "-f", str(tmp_path / "haproxy.cfg")]
        done = subprocess.run(command, capture_output=True, text=True, pass_fds=[public.fileno()], check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


def test_haproxy_is_not_told_of_more_connections_than_it_may_have_files_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """4,096 files are 1,998 connections, with some left for the rest; it would not start with 8,000."""
    monkeypatch.setattr(balancer.resource, "getrlimit", lambda _: (1024, 4096))
    assert balancer._connections(8000) == 1998
    monkeypatch.setattr(balancer.resource, "getrlimit", lambda _: (1024, 1_048_576))
    assert balancer._connections(8000) == 8000
