"""server.csv: how the servers of a trial fared, a row per node and second; and what an observer is told to look at."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from iam_loadtest.results.json_file import read_json, write_json

SERVER_FILE = "server.csv"
OBSERVED_FILE = "observed.csv"
"""Rows as the observer writes them: their times are of the machine's clock."""
WATCHED_FILE = "watched.json"
OBSERVER = "observer"
"""The observer's own name among the nodes."""

PROCESS_COLUMNS = ("cpu_percent", "pss_mib")
PROXY_COLUMNS: Mapping[str, str] = {
    "proxy_status": "status",
    "proxy_requests": "stot",
    "proxy_2xx": "hrsp_2xx",
    "proxy_4xx": "hrsp_4xx",
    "proxy_5xx": "hrsp_5xx",
    "proxy_queue": "qcur",
    "proxy_sessions": "scur",
    "proxy_connect_errors": "econ",
    "proxy_response_errors": "eresp",
    "proxy_retries": "wretr",
}
"""By their names in HAProxy's `show stat`."""
DATABASE_COLUMNS: Mapping[str, str] = {
    "threads_connected": "Threads_connected",
    "threads_running": "Threads_running",
    "queries": "Queries",
    "commits": "Com_commit",
}
"""By their names among MariaDB's status variables."""
GALERA_COLUMNS = (
    *("wsrep_ready", "wsrep_cluster_status", "wsrep_cluster_size", "wsrep_local_commits"),
    *("wsrep_local_cert_failures", "wsrep_local_bf_aborts", "wsrep_flow_control_paused_ns", "wsrep_local_recv_queue"),
    "wsrep_evs_repl_latency",
)
REPLICA_COLUMNS = ("replica_behind_s", "replica_gtid_lag")
IAM_COLUMNS = ("iam_requests", "iam_5xx", "iam_database_errors", "iam_open_connections")
REDIS_COLUMNS: Mapping[str, str] = {
    "redis_role": "role",
    "redis_clients": "connected_clients",
    "redis_commands": "total_commands_processed",
}
"""By their names in Redis' INFO."""
COLUMNS = (
    *("time_us", "node", *PROCESS_COLUMNS, *PROXY_COLUMNS, *DATABASE_COLUMNS, *GALERA_COLUMNS),
    *(*REPLICA_COLUMNS, *IAM_COLUMNS, *REDIS_COLUMNS),
)

DatabaseKind = str


@dataclass(frozen=True)
class Watched:
    """The servers that an observer looks at, by node.

    ``databases``, ``balancers`` and ``redis`` have paths of socket files, ``frontends`` host:port, reached from the
    network of that name where ``has_networks``. ``processes`` are ids of processes that lead a session; where
    ``state_file`` is given, it holds these under ``pids``, and may change. ``database_kind`` is galera, replication or
    another; with replication the first database is the primary.
    """

    databases: Mapping[str, str] = field(default_factory=dict)
    database_kind: DatabaseKind = ""
    balancers: Mapping[str, str] = field(default_factory=dict)
    frontends: Mapping[str, str] = field(default_factory=dict)
    redis: Mapping[str, str] = field(default_factory=dict)
    processes: Mapping[str, int] = field(default_factory=dict)
    state_file: str | None = None
    has_networks: bool = False


def write_watched(path: Path, watched: Watched) -> None:
    """Write what an observer will read."""
    write_json(path, asdict(watched))


def read_watched(path: Path) -> Watched:
    """What :func:`write_watched` wrote."""
    return Watched(**read_json(path))


def write_server_file(observed: Path, path: Path, origin_us: int) -> None:
    """The observer's rows since a trial's origin, with times since that; no file where the observer wrote none."""
    if not observed.is_file():
        return
    with observed.open(encoding="utf-8", newline="") as source, path.open("w", encoding="utf-8", newline="") as target:
        rows, writer = csv.reader(source), csv.writer(target)
        writer.writerow(COLUMNS)
        for row in rows:
            if len(row) == len(COLUMNS) and row[0].isdigit() and int(row[0]) >= origin_us:
                writer.writerow([int(row[0]) - origin_us, *row[1:]])
