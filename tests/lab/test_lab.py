"""Labs for real: each kind of database comes up behind HAProxy, and goes without a trace."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from iam_loadtest.lab.doctor import asked_and_measured
from iam_loadtest.results.fault import FaultOrder, write_fault_orders
from iam_loadtest.results.trial_clock import machine_us
from tests.lab.conftest import (
    LAB,
    Lab,
    inside_processes,
    kill,
    lab_command,
    link_of,
    running,
    skip_where_missing,
    skip_without_namespaces,
    skip_without_tun,
    wait_until,
)
from tests.lab.ordinary_user import as_ordinary_user

LabUp = Callable[..., Lab]
OWN_PROGRAM = {
    "command": f"{sys.executable} -m iam_loadtest iam --host {{address}} --port {{port}} --issuer {{issuer}}",
    "environ": {"IAM_LOADTEST_DATABASE_URL": "{database_url}"},
    "health": "/health",
}
"""The built-in IAM, started as any other program would be."""


@pytest.fixture(autouse=True, scope="module")
def what_all_need() -> None:
    skip_without_namespaces()
    skip_where_missing("ip", "haproxy", "mariadbd", "mariadb-install-db")


@pytest.fixture(scope="module")
def galera(lab_up: LabUp) -> Lab:
    """Two sites with 30 ms between them, three frontends, each with a Galera member beside it."""
    skip_where_missing(galera=True)
    return lab_up(frontends=[2, 1], database={"kind": "galera"}, link={"rtt": "30ms"})


def network_of_the_machine() -> tuple[str, str, str]:
    """Links, routes and named networks, as they are outside of any lab."""
    commands = (["ip", "-o", "link"], ["ip", "route"], ["ip", "netns"])
    texts = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for command in commands]
    return texts[0], texts[1], texts[2]


def test_one_server_gives_tokens_and_goes_without_a_trace(lab_up: LabUp) -> None:
    """Nothing of it is to be seen in the machine's own network while it runs; afterwards its processes are gone."""
    before = network_of_the_machine()
    lab = lab_up()
    answer = lab.token()
    assert (answer.status_code, answer.headers["X-Backend"]) == (200, "frontend-1")
    assert network_of_the_machine() == before
    assert "is ready" in lab.run("status").stdout
    wait_until(lambda: lab.observed("database-1", "threads_connected") != "", "its database was watched")
    supervisor = lab.processes()[1]
    processes = inside_processes(supervisor)
    assert len(processes) >= 4
    assert lab.run("down").stdout == "The lab has ended.\n"
    assert not processes & set(running())
    assert sorted(path.name for path in lab.directory.iterdir()) == ["lab.json", "lab.lock", "logs", "observed.csv"]
    assert "No lab is running" in lab.run("status").stdout


def test_a_killed_launcher_takes_everything_with_it(lab_up: LabUp) -> None:
    """kill -9 of one process: no process, no network and no device of the lab is left, with no help from anyone.

    This lab has a balancer at each site, on addresses of their own, and a program as its frontends.
    """
    lab = lab_up(frontends=[1, 1], link={"rtt": "2ms"}, balancer="dns", frontend=OWN_PROGRAM)
    assert [lab.token(node).headers["X-Backend"] for node in lab.state.nodes] == list(lab.state.nodes)
    beside = {at: {lab.token(at=at).headers["X-Backend"] for _ in range(2)} for at in ("127.0.0.1", "127.0.0.2")}
    assert beside == {"127.0.0.1": {"frontend-1"}, "127.0.0.2": {"frontend-2"}}
    launcher, supervisor = lab.processes()
    networks = {link_of(pid, "net") for pid in inside_processes(supervisor)} - {link_of(os.getpid(), "net")}
    assert len(networks) >= 4, "supervisor, balancer, database and frontends have networks of their own"
    processes = inside_processes(supervisor)
    kill(launcher)
    wait_until(lambda: not processes & set(running()), "every process has ended")
    assert not networks & {link_of(pid, "net") for pid in running()}
    assert "No lab is running" in lab.run("status").stdout


def test_an_ordinary_user_has_a_lab_as_root_of_a_user_namespace(lab_up: LabUp, short_directory: Path) -> None:
    """Two sites with latency between them, without any rights: by TUN where that is open to all, else by packets."""
    before = as_ordinary_user(short_directory / "home")
    if subprocess.run([*before, "unshare", "--user", "--net", "true"], check=False).returncode != 0:
        pytest.skip("this machine lets ordinary users make no namespaces; `iam-loadtest lab doctor` says why")
    lab = lab_up(before, frontends=[1, 1], link={"rtt": "5ms"})
    supervisor = lab.processes()[1]
    assert Path(f"/proc/{supervisor}").stat().st_uid != 0
    assert link_of(supervisor, "user") != link_of(os.getpid(), "user")
    assert [lab.token(node).status_code for node in lab.state.nodes] == [200, 200]
    rtt_ms = lab.state.rtt_ms["1-2"]
    assert rtt_ms is not None
    assert rtt_ms >= 4.9


def test_the_balancer_takes_turns_and_names_the_frontend(galera: Lab) -> None:
    """Six requests on connections of their own: two for each; a request may name the one that it wants."""
    served = [galera.token().headers["X-Backend"] for _ in range(6)]
    assert sorted(served) == sorted(["frontend-1", "frontend-2", "frontend-3"] * 2)
    assert {galera.token("frontend-3").headers["X-Backend"] for _ in range(3)} == {"frontend-3"}


def test_every_frontend_sees_what_another_one_wrote(galera: Lab) -> None:
    """Each talks to a member of its own, and these are one cluster."""
    answers = [galera.token(node) for node in galera.state.nodes]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    size = "SHOW STATUS LIKE 'wsrep_cluster_size'"
    shown = galera.execute("database-3", "mariadb", "-S", f"{galera.directory}/database-3/s.sock", "-N", "-e", size)
    assert shown.split() == ["wsrep_cluster_size", "3"]


def test_the_round_trip_is_what_was_asked_for_and_is_written_down(galera: Lab) -> None:
    """At least the 30 ms asked for; a busy machine may add to it, and sometimes much."""
    rtt_ms = galera.state.rtt_ms["1-2"]
    assert rtt_ms is not None
    assert rtt_ms >= 29.9
    assert galera.state.links["1-2"] in {"tun", "netem", "packet"}


def test_a_command_runs_in_the_network_of_a_node(galera: Lab) -> None:
    assert re.search(r"inet 10\.77\.2\.11/24", galera.execute("frontend-3", "ip", "-h", "addr"))
    refused = lab_command("exec", "--directory", str(galera.directory), "frontend-9", "ip", "addr")
    assert refused.returncode == 1
    assert "no node 'frontend-9'; it has: balancer, database-1" in refused.stderr


def test_a_second_lab_in_the_same_directory_is_refused(galera: Lab) -> None:
    done = lab_command("up", str(galera.directory.with_suffix(".json")), "--directory", str(galera.directory))
    assert done.returncode == 1
    assert "a lab is running there" in done.stderr


def test_galera_is_watched_from_the_inside(galera: Lab) -> None:
    """Three members that serve, and a message that takes the link's 30 ms."""
    wait_until(lambda: galera.observed("database-3", "wsrep_cluster_size") == "3", "a member was watched")
    assert galera.observed("database-3", "wsrep_ready") == "ON"
    assert galera.observed("database-3", "wsrep_local_cert_failures") == "0"
    wait_until(lambda: float(galera.observed("database-1", "wsrep_evs_repl_latency") or 0) > 0.02, "it has a latency")


def test_a_member_that_was_killed_is_given_what_it_missed(galera: Lab) -> None:
    """Its end was asked for, so it is no trouble; started again it holds what was written in the meantime."""
    names = "SELECT COUNT(*) FROM iam.access_token"

    def tokens(node: str) -> str:
        socket = f"{galera.directory}/{node}/s.sock"
        return galera.execute(node, "mariadb", "-S", socket, "-N", "-e", names).strip()

    now_us = machine_us()
    orders = [FaultOrder(0, "kill", "database-3", now_us), FaultOrder(1, "restart", "database-3", now_us + 1_500_000)]
    write_fault_orders(galera.directory, orders)
    wait_until(lambda: len(galera.now().faults) == 2, "both faults have begun")
    assert galera.token("frontend-1").status_code == 200
    wait_until(
        lambda: galera.now().faults[1].ended_us is not None or bool(galera.now().faults[1].error), "it is back", 60
    )
    assert galera.now().faults[1].error is None
    assert galera.now().died == ()
    assert tokens("database-3") == tokens("database-1")


def test_a_link_gets_slower_and_faster_again(galera: Lab) -> None:
    """120 ms in place of 30 for some seconds, seen by probes from one site to the other that go on all the while."""
    far = galera.state.hosts["frontend-3"]
    command = [*LAB, "exec", "--directory", str(galera.directory), "frontend-1", "ping", "-i", "0.2", far]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as pinging:
        assert pinging.stdout is not None
        rtts_ms = (float(line.split("time=")[1].split()[0]) for line in pinging.stdout if "time=" in line)
        next(rtts_ms)
        write_fault_orders(galera.directory, [FaultOrder(2, "degrade", "link", machine_us(), for_s=4.0, rtt_s=0.12)])
        wait_until(lambda: len(galera.now().faults) == 3, "the fault has begun")
        assert any(rtt_ms > 119 for rtt_ms in rtts_ms)
        wait_until(lambda: galera.now().faults[2].ended_us is not None, "it is over")
        assert any(rtt_ms < 60 for rtt_ms in rtts_ms), "30 ms again, to which a busy machine may add"
        pinging.terminate()


def test_a_server_that_dies_is_written_down(galera: Lab) -> None:
    """The trial that ran on it is then no result."""
    galera.execute("database-3", "sh", "-c", f"kill -9 $(cat {galera.directory}/database-3/data.pid)")
    wait_until(lambda: bool(galera.now().died), "the death is noticed")
    assert galera.now().died[0].startswith("database-3 ended with exit code -9")


def test_a_directory_with_other_files_is_refused(tmp_path: Path) -> None:
    """A mistyped directory loses nothing."""
    short = Path("/tmp") if len(str(tmp_path)) > 70 else tmp_path
    topology = tmp_path / "t.json"
    topology.write_text("{}", encoding="utf-8")
    done = lab_command("up", str(topology), "--directory", str(short))
    assert done.returncode == 1
    assert "give --directory" in done.stderr
    assert topology.exists()


def test_replication_with_sessions_and_a_tunnel_serves_from_both_sites(lab_up: LabUp) -> None:
    """The frontend far away writes to the primary over the tunnel and reads from the replica beside it."""
    skip_where_missing("redis-server", "wg", "wireguard-go")
    skip_without_tun()
    lab = lab_up(
        frontends=[1, 1],
        database={"kind": "replication"},
        link={"rtt": "10ms", "vpn": "wireguard"},
        sessions="redis-sentinel",
        balancer="sticky",
    )
    assert [lab.token(node).status_code for node in lab.state.nodes] == [200, 200]
    assert "wireguard" in lab.state.links["1-2"]
    replica = "SELECT @@read_only, @@gtid_slave_pos <> ''"
    shown = lab.execute("database-3", "mariadb", "-S", f"{lab.directory}/database-3/s.sock", "-N", "-e", replica)
    assert shown.split() == ["1", "1"]
    with requests.Session() as browser:
        page = browser.get(lab.state.issuer + "login", timeout=60)
        assert page.ok
        assert {browser.get(lab.state.issuer + "jwk", timeout=60).headers["X-Backend"] for _ in range(4)} == {
            page.headers["X-Backend"]
        }


def test_the_doctor_tries_and_names_what_is_missing() -> None:
    """Here all of a lab's parts are there, or the tests above would have been skipped.

    Packet sockets need nothing but namespaces, so there is a way to make latency wherever there are labs.
    """
    said = lab_command("doctor")
    assert said.returncode == 0
    found = {line[7:31].strip(): (line[:7].strip(), line[32:]) for line in said.stdout.splitlines()}
    assert {word for word, _ in found.values()} <= {"works", "no"}
    assert all(words for _, words in found.values())
    assert found["namespaces"][0] == "works"
    assert found["links with latency"][0] == "works"
    measured = re.match(r"10 ms asked, (\d+\.\d\d) ms measured", found["latency by packet"][1])
    assert measured
    assert float(measured[1]) >= 9.9
    assert found["latency by packet"][1] == asked_and_measured(float(measured[1]))


def test_the_doctor_does_not_pass_over_a_delay_that_is_far_from_what_was_asked() -> None:
    assert asked_and_measured(10.44) == "10 ms asked, 10.44 ms measured"
    assert asked_and_measured(44.49).endswith("44.49 ms measured; something else has the cores: try when they are idle")
