"""What the observer makes of servers' answers, and that a server which does not answer costs nothing but its values."""

from __future__ import annotations

import asyncio
import csv
import os
import socket
import subprocess
import sys
from pathlib import Path

from iam_loadtest.lab.observer.__main__ import Observer
from iam_loadtest.lab.observer.database import mean_latency, transactions, with_lag
from iam_loadtest.lab.observer.process import ProcessWatch, cpu_seconds
from iam_loadtest.lab.observer.servers import iam_values, proxies_together, proxy_values, redis_values
from iam_loadtest.results.server_file import COLUMNS, Watched, read_watched, write_server_file, write_watched

SHOW_STAT = """# pxname,svname,qcur,scur,stot,econ,eresp,wretr,status,hrsp_2xx,hrsp_4xx,hrsp_5xx,
iam,FRONTEND,,3,90,,,,OPEN,80,5,5,
iam,frontend-1,0,2,60,0,1,0,UP,55,4,1,
iam,frontend-2,4,1,30,7,0,2,DOWN,25,1,4,
iam,BACKEND,4,3,90,7,1,2,UP,80,5,5,
"""
METRICS = """# HELP iam_requests_total Requests answered
iam_requests_total{endpoint="token",grant="password",status="200",backend="frontend-1"} 10
iam_requests_total{endpoint="token",grant="password",status="500",backend="frontend-1"} 3
iam_requests_total{endpoint="metrics",grant="",status="200",backend="frontend-1"} 8
iam_request_seconds_total{endpoint="token",grant="password"} 0.125000
iam_database_errors_total{errno="1213"} 3
iam_open_connections{backend="frontend-1"} 4
iam_open_connections{backend="frontend-2"} 2
"""


def test_the_balancer_tells_of_each_frontend_and_of_nothing_else() -> None:
    """Its own frontend and backend lines are sums."""
    found = proxy_values(SHOW_STAT)
    assert sorted(found) == ["frontend-1", "frontend-2"]
    assert (found["frontend-2"]["proxy_status"], found["frontend-2"]["proxy_connect_errors"]) == ("DOWN", "7")
    assert (found["frontend-1"]["proxy_requests"], found["frontend-1"]["proxy_5xx"]) == ("60", "1")


def test_a_frontend_counts_its_requests_without_those_for_its_metrics() -> None:
    """10 + 3 requests, 3 of them with status 500, and the connections of both processes together."""
    assert iam_values(METRICS) == {
        "iam_requests": 13,
        "iam_5xx": 3,
        "iam_database_errors": 3,
        "iam_open_connections": 6,
    }


def test_a_frontend_of_another_make_has_no_values() -> None:
    assert iam_values("HTTP/1.1 404 Not Found\r\n\r\nno metrics here 5") == {}


def test_redis_tells_its_role() -> None:
    text = "# Replication\r\nrole:master\r\nconnected_clients:3\r\ntotal_commands_processed:17\r\n+OK\r\n"
    assert redis_values(text) == {"redis_role": "master", "redis_clients": "3", "redis_commands": "17"}


def test_a_replica_is_as_many_transactions_behind_as_its_primary_has_more() -> None:
    """120 on the primary, 100 on the replica; the position itself is no column."""
    found = with_lag({"database-1": {"_gtid": "0-1-120"}, "database-2": {"_gtid": "0-1-100", "replica_behind_s": 1}})
    assert found == {"database-1": {}, "database-2": {"replica_behind_s": 1, "replica_gtid_lag": 20}}


def test_a_replica_without_its_primary_has_no_lag_in_transactions() -> None:
    found = with_lag({"database-1": {}, "database-2": {"_gtid": "0-1-100", "replica_behind_s": None}})
    assert found == {"database-1": {}, "database-2": {"replica_behind_s": None}}


def test_positions_and_latencies_are_read_from_their_texts() -> None:
    assert (transactions("0-1-4711"), transactions(""), transactions("0-1-5,1-2-9")) == (4711, None, 9)
    told = {"wsrep_evs_repl_latency": "0.0301/0.0310/0.0322/0.0004/40"}
    assert mean_latency(told) == "0.0310"
    assert mean_latency({"wsrep_evs_repl_latency": "0/0/0/0/0"}) == ""


def test_a_server_has_memory_at_once_and_cpu_from_the_second_look_on() -> None:
    """A process of its own session, as every server is; one that is gone has no values."""
    watch = ProcessWatch()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as server:
        leaders = {"server": server.pid}
        assert set(watch.look(leaders)["server"]) == {"pss_mib"}
        found = watch.look(leaders)["server"]
    assert found["pss_mib"] > 0
    assert found["cpu_percent"] >= 0
    assert watch.look(leaders) == {}


def test_servers_that_a_fault_ended_are_no_work_of_the_supervisor() -> None:
    """One second of its own, half of it in the kernel; a frontend that had used 272 s was killed."""
    hertz = os.sysconf("SC_CLK_TCK")
    ticks = [hertz // 2, hertz // 2, 200 * hertz, 72 * hertz]
    assert (cpu_seconds(1, ticks), cpu_seconds(2, ticks)) == (1.0, 273.0)


def test_a_server_that_stands_still_or_is_gone_leaves_its_values_empty(tmp_path: Path) -> None:
    """A socket that nobody accepts on, one that is not there, and a port that refuses: one row each, in time."""
    silent = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(silent)
        listening.listen()
        watched = Watched(
            databases={"database-1": str(tmp_path / "none")},
            balancers={"balancer": silent},
            frontends={"frontend-1": "127.0.0.1:1"},
            redis={"sessions-1": silent},
        )
        rows = asyncio.run(Observer(watched).look())
    assert [row[1] for row in rows] == ["database-1", "frontend-1", "observer", "sessions-1"]
    assert {value for row in rows for value in row[2:] if row[1] != "observer"} == {""}
    assert {len(row) for row in rows} == {len(COLUMNS)}


def test_rows_are_kept_in_the_time_of_the_trial(tmp_path: Path) -> None:
    """What was before the origin goes, and so does a last line that was cut short."""
    observed, kept = tmp_path / "observed.csv", tmp_path / "server.csv"
    rest = ["x"] * (len(COLUMNS) - 2)
    lines = [",".join(COLUMNS), *(",".join([time, "node", *rest]) for time in ("999", "1000", "2500")), "3000,no"]
    observed.write_text("\n".join(lines), encoding="utf-8")
    write_server_file(observed, kept, 1000)
    with kept.open(encoding="utf-8", newline="") as file:
        assert [row["time_us"] for row in csv.DictReader(file)] == ["0", "1500"]
    write_server_file(tmp_path / "missing", tmp_path / "none.csv", 0)
    assert not (tmp_path / "none.csv").exists()


def test_what_is_watched_comes_back_from_its_file(tmp_path: Path) -> None:
    watched = Watched(processes={"iam": 7}, frontends={"iam": "127.0.0.1:80"}, has_networks=True)
    write_watched(tmp_path / "w.json", watched)
    assert read_watched(tmp_path / "w.json") == watched


def test_what_two_balancers_counted_for_a_frontend_is_added_up() -> None:
    """60 + 60 requests; one that only one of them knows stays as it is; a column without a number stays empty."""
    first = proxy_values(SHOW_STAT)
    second = {"frontend-1": {**first["frontend-1"], "proxy_status": "DOWN"}}
    found = proxies_together([first, second])
    assert (found["frontend-1"]["proxy_requests"], found["frontend-1"]["proxy_status"]) == (120, "UP+DOWN")
    assert found["frontend-2"]["proxy_requests"] == 30


def test_a_second_in_which_one_balancer_is_silent_has_no_totals() -> None:
    """Without its part they would fall, and rise again by all of it."""
    assert proxies_together([proxy_values(SHOW_STAT), None]) == {}
