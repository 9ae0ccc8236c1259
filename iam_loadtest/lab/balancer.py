"""HAProxy in front of the frontends: it serves the socket that was opened before the lab had a network of its own."""

from __future__ import annotations

import csv
import io
import resource
import socket
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from iam_loadtest.lab.config import Balancing, haproxy_cfg
from iam_loadtest.lab.plan import Host, LabPlan, Role
from iam_loadtest.lab.process import Server, await_all, start
from iam_loadtest.lab.program import require_program
from iam_loadtest.scenario.topology import LabTopology

_READY_WITHIN_S = 30.0
_TIMEOUT_S = 2.0
_OTHER_FILES = 100
"""Listeners, health checks, and what it began with."""


def start_balancers(
    topology: LabTopology, plan: LabPlan, base: Path, public_sockets: Sequence[int], issuer: str
) -> list[Server]:
    """HAProxy on each public socket, with every frontend found healthy."""
    hosts = plan.of(Role.BALANCER)
    pairs = zip(hosts, public_sockets, strict=True)
    servers = [_start(topology, plan, base, host, public, urlsplit(issuer).netloc) for host, public in pairs]
    names = {frontend.name for frontend in plan.of(Role.FRONTEND)}
    ready = {f"every frontend healthy for {host.name}": partial(_all_healthy, names, base, host) for host in hosts}
    await_all(ready, servers, _READY_WITHIN_S)
    return servers


def stats_socket(base: Path, balancer: Host) -> Path:
    """Where a balancer answers `show stat` and takes commands; a file is reached from every network."""
    return base / f"{balancer.name}.sock"


def _start(topology: LabTopology, plan: LabPlan, base: Path, host: Host, public_socket: int, authority: str) -> Server:
    frontends = plan.of(Role.FRONTEND)
    own = frontends if len(plan.of(Role.BALANCER)) == 1 else tuple(f for f in frontends if f.cluster == host.cluster)
    others = tuple(frontend for frontend in frontends if frontend not in own)
    config = base / f"{host.name}.cfg"
    balancing = Balancing(public_socket, stats_socket(base, host), own, topology.balancer, others)
    balancing = replace(balancing, authority=authority, connections=_connections(balancing.connections))
    if topology.frontend:
        balancing = replace(balancing, health=topology.frontend.health)
    config.write_text(haproxy_cfg(balancing), encoding="utf-8")
    command = [require_program("haproxy"), "-db", "-f", str(config)]
    log = base / "logs" / f"{host.name}.log"
    return start(host.name, command, log, network=host.name, descriptors=[public_socket])


def _connections(wanted: int) -> int:
    """As many as this user may have open files for, two for each connection: HAProxy does not start with more."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return wanted if allowed == resource.RLIM_INFINITY else min(wanted, (allowed - _OTHER_FILES) // 2)


def _all_healthy(names: set[str], base: Path, balancer: Host) -> bool:
    return names <= healthy(stats_socket(base, balancer))


def healthy(statistics: Path) -> set[str]:
    """The frontends whose last health check was good; none where HAProxy does not answer."""
    return {row["svname"] for row in statistics_of(statistics) if row.get("check_status") == "L7OK"}


def statistics_of(statistics: Path) -> list[dict[str, str]]:
    """HAProxy's `show stat`, a row per frontend and backend; none where it does not answer."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_TIMEOUT_S)
            connection.connect(str(statistics))
            connection.sendall(b"show stat\n")
            with connection.makefile("rb") as answer:
                text = answer.read().decode("utf-8")
    except OSError:
        return []
    return list(csv.DictReader(io.StringIO(text.removeprefix("# "))))
