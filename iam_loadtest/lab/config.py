"""The configuration files of the lab's servers, as texts; pure."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from iam_loadtest.lab.plan import DATABASE_PORT, FRONTEND_PORT, GALERA_PORT, REDIS_PORT, SENTINEL_PORT, Host
from iam_loadtest.lab.state_transfer import METHOD
from iam_loadtest.results.lab_state import NODE_HEADER

SENTINEL_SERVICE = "iam"
_GVWSTATE_BASE = 0x1A0000000000
_SMALL_SERVER: Mapping[str, str | int] = {
    "skip_name_resolve": "ON",
    "performance_schema": "OFF",
    "innodb_buffer_pool_size": "32M",
    "innodb_log_file_size": "16M",
    "innodb_log_buffer_size": "2M",
    "innodb_flush_log_at_trx_commit": 2,
    "innodb_autoinc_lock_mode": 2,
    "innodb_read_io_threads": 1,
    "innodb_write_io_threads": 2,
    "innodb_purge_threads": 1,
    "key_buffer_size": "1M",
    "aria_pagecache_buffer_size": "1M",
    "query_cache_type": 0,
    "query_cache_size": 0,
    "max_connections": 600,
    "thread_cache_size": 64,
    "host_cache_size": 0,
    "binlog_format": "ROW",
}
"""For many servers on one machine: 60 MiB each. The durability is that of Galera's own advice, not of a lone server."""

Setting = str | int | float


@dataclass(frozen=True)
class DatabaseFiles:
    """Where a database server keeps what. The socket's path must be short: 107 bytes at most."""

    data: Path
    temporary: Path
    socket: Path
    log: Path


@dataclass(frozen=True)
class GaleraMember:
    """What a Galera node must know of its cluster. ``segment`` is the site: traffic between sites is relayed once."""

    name: str
    address: str
    others: tuple[str, ...]
    segment: int
    provider: str


@dataclass(frozen=True)
class SentinelView:
    """A Redis host as Sentinel's configuration needs it."""

    address: str
    master: str
    quorum: int


@dataclass(frozen=True)
class Balancing:
    """What HAProxy is told: the inherited socket of the public address, the frontends and how to choose one.

    ``others`` are frontends of clusters that have a balancer of their own: only a request that names one gets there.
    ``authority`` is the host and port that clients ask for, and health checks, too: a program may serve no others.
    """

    public_socket: int
    stats_socket: Path
    frontends: tuple[Host, ...]
    algorithm: str
    others: tuple[Host, ...] = ()
    health: str = "/health"
    authority: str = "localhost"
    connections: int = 8000


def my_cnf(files: DatabaseFiles, address: str, settings: Mapping[str, Setting]) -> str:
    """The option file of a MariaDB server; ``settings`` come last and win."""
    variables: dict[str, Setting] = {
        "datadir": str(files.data),
        "tmpdir": str(files.temporary),
        "socket": str(files.socket),
        "log_error": str(files.log),
        "pid_file": str(files.data.with_suffix(".pid")),
        "bind_address": address,
        "port": DATABASE_PORT,
        **_SMALL_SERVER,
        **settings,
    }
    return "[mariadbd]\n" + "".join(f"{name}={value}\n" for name, value in variables.items())


def galera_settings(member: GaleraMember) -> dict[str, Setting]:
    """The variables that make a server a member of the cluster."""
    options: dict[str, Setting] = {
        "base_host": member.address,
        "gmcast.listen_addr": f"tcp://{member.address}:{GALERA_PORT}",
        "gmcast.segment": member.segment,
        "gcache.size": "32M",
        "gcache.page_size": "16M",
        "evs.send_window": 512,
        "evs.user_send_window": 256,
    }
    return {
        "wsrep_on": "ON",
        "wsrep_provider": member.provider,
        "wsrep_cluster_name": "lab",
        "wsrep_cluster_address": "gcomm://" + ",".join(member.others),
        "wsrep_node_name": member.name,
        "wsrep_node_address": member.address,
        "wsrep_slave_threads": 2,
        "wsrep_sst_method": METHOD,
        "wsrep_provider_options": '"' + ";".join(f"{name}={value}" for name, value in options.items()) + '"',
    }


def replication_settings(server_id: int) -> dict[str, Setting]:
    """The variables of a server that replicates by GTID; the first one is the primary, the others are read-only."""
    return {
        "server_id": server_id,
        "log_bin": "binlog",
        "log_slave_updates": "ON",
        "gtid_strict_mode": "ON",
        "sync_binlog": 0,
        "slave_parallel_threads": 2,
        "read_only": "ON" if server_id > 1 else "OFF",
    }


def gvwstate(members: int) -> list[str]:
    """gvwstate.dat for each of a number of Galera nodes: the view that all of them were in, made up.

    Nodes that hold the same data and find themselves in the same last primary view form it again as soon as all are
    there (pc.recovery): none has to be first, and nothing is transferred.
    """
    names = [str(uuid.uuid1(node=_GVWSTATE_BASE + number, clock_seq=number)) for number in range(1, members + 1)]
    listed = "".join(f"member: {name} 0\n" for name in sorted(names))
    view = f"#vwbeg\nview_id: 3 {min(names)} 1\nbootstrap: 0\n{listed}#vwend\n"
    return [f"my_uuid: {name}\n{view}" for name in names]


def haproxy_cfg(balancing: Balancing) -> str:
    """HAProxy on the public socket: health checks, and the serving frontend's name in X-Backend."""
    servers = [
        line
        for host in (*balancing.frontends, *balancing.others)
        for line in (
            f"    use-server {host.name} if {{ req.hdr({NODE_HEADER}) -m str {host.name} }}",
            f"    server {host.name} {host.address}:{FRONTEND_PORT}{_server_options(balancing, host)}",
        )
    ]
    return "\n".join([*_haproxy_head(balancing), *_BALANCE[balancing.algorithm], *servers, ""])


def redis_conf(host: Host, directory: Path, master: Host) -> str:
    """A Redis server of the lab; hosts beside the master are preferred when a new one is elected.

    It refuses sessions when its memory is full: half a million of them, more than ten minutes of logins leave.
    """
    lines = [
        f"bind {host.address}",
        f"port {REDIS_PORT}",
        "protected-mode no",
        f"dir {directory}",
        'save ""',
        "maxmemory 512mb",
        "repl-diskless-sync-delay 0",
        f"replica-priority {100 if host.cluster == master.cluster else 200}",
        f"unixsocket {directory}/redis.sock",
    ]
    if host != master:
        lines.append(f"replicaof {master.address} {REDIS_PORT}")
    return "\n".join([*lines, ""])


def sentinel_conf(view: SentinelView, directory: Path) -> str:
    """A Sentinel beside a Redis server; it writes what it finds out into this very file."""
    return "\n".join(
        [
            f"bind {view.address}",
            f"port {SENTINEL_PORT}",
            "protected-mode no",
            f"dir {directory}",
            f"unixsocket {directory}/sentinel.sock",
            f"sentinel monitor {SENTINEL_SERVICE} {view.master} {REDIS_PORT} {view.quorum}",
            f"sentinel down-after-milliseconds {SENTINEL_SERVICE} 1000",
            f"sentinel failover-timeout {SENTINEL_SERVICE} 5000",
            f"sentinel announce-ip {view.address}",
            "",
        ]
    )


_BALANCE: Mapping[str, Sequence[str]] = {
    "roundrobin": ("    balance roundrobin",),
    "leastconn": ("    balance leastconn",),
    "dns": ("    balance roundrobin",),
    "sticky": (
        "    balance roundrobin",
        "    option prefer-last-server",
        "    http-reuse never",
        "    cookie LAB_NODE insert indirect nocache",
    ),
}
"""``sticky``: a browser by its cookie, anything else by its connection."""


def _server_options(balancing: Balancing, host: Host) -> str:
    """A server of weight 0 gets no turns, only what is sent to it by name."""
    weight = " weight 0" if host in balancing.others else ""
    return weight + (f" cookie {host.name}" if balancing.algorithm == "sticky" else "")


def _haproxy_head(balancing: Balancing) -> list[str]:
    return [
        "global",
        f"    stats socket {balancing.stats_socket} mode 600 level admin",
        f"    maxconn {balancing.connections}",
        "    nbthread 1",
        "    hard-stop-after 1s",
        "defaults",
        "    mode http",
        "    timeout connect 5s",
        "    timeout client 90s",
        "    timeout server 90s",
        "    timeout check 2s",
        "frontend iam",
        f"    bind fd@{balancing.public_socket}",
        "    http-response set-header X-Backend %s",
        "    default_backend iam",
        "backend iam",
        "    option httpchk",
        f"    http-check send meth GET uri {balancing.health} ver HTTP/1.1 hdr Host {balancing.authority}",
        "    http-check expect rstatus ^2",
        "    default-server check inter 1s fastinter 200ms downinter 500ms rise 1 fall 2",
    ]
