"""HAProxy in front of the frontends: it serves the socket that was opened before the lab had a network of its own."""

from __future__ import annotations

import csv
import io
import socket
from pathlib import Path

from iam_loadtest.lab.config import Balancing, haproxy_cfg
from iam_loadtest.lab.plan import LabPlan, Role
from iam_loadtest.lab.process import Server, await_all, start
from iam_loadtest.lab.program import require_program

STATS_SOCKET = "haproxy.sock"
_READY_WITHIN_S = 30.0
_TIMEOUT_S = 2.0


def start_balancer(plan: LabPlan, base: Path, public_socket: int, algorithm: str) -> Server:
    """HAProxy, with every frontend found healthy."""
    frontends = plan.of(Role.FRONTEND)
    stats_socket = base / STATS_SOCKET
    config = base / "haproxy.cfg"
    config.write_text(haproxy_cfg(Balancing(public_socket, stats_socket, frontends, algorithm)), encoding="utf-8")
    (host,) = plan.of(Role.BALANCER)
    command = [require_program("haproxy"), "-db", "-f", str(config)]
    log = base / "logs" / f"{host.name}.log"
    server = start(host.name, command, log, network=host.name, descriptors=[public_socket])
    names = {frontend.name for frontend in frontends}
    await_all({"every frontend healthy": lambda: names <= healthy(stats_socket)}, [server], _READY_WITHIN_S)
    return server


def healthy(stats_socket: Path) -> set[str]:
    """The frontends whose last health check was good; none where HAProxy does not answer."""
    return {row["svname"] for row in statistics_of(stats_socket) if row.get("check_status") == "L7OK"}


def statistics_of(stats_socket: Path) -> list[dict[str, str]]:
    """HAProxy's `show stat`, a row per frontend and backend; none where it does not answer."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_TIMEOUT_S)
            connection.connect(str(stats_socket))
            connection.sendall(b"show stat\n")
            with connection.makefile("rb") as answer:
                text = answer.read().decode("utf-8")
    except OSError:
        return []
    return list(csv.DictReader(io.StringIO(text.removeprefix("# "))))
