"""Start a server of a running lab again, as an operator would, and see it through until it serves."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from iam_loadtest.errors import UserError
from iam_loadtest.lab import kernel
from iam_loadtest.lab.database import files_of, serves_again
from iam_loadtest.lab.frontend import is_healthy
from iam_loadtest.lab.plan import FRONTEND_PORT, Host, LabPlan, Role
from iam_loadtest.lab.process import Server, last_words
from iam_loadtest.lab.running import RunningServers, kill_rest
from iam_loadtest.lab.sessions import redis_socket, takes_commands
from iam_loadtest.scenario.topology import LabTopology

_END_WITHIN_S = 20.0
_READY_WITHIN_S = 60.0
_CONNECT_S = 0.2
_ANSWER_S = 0.5
"""The supervisor waits meanwhile, and with it every other fault."""
_POSITION = re.compile(r"Recovered position:? (\S+:\d+)")


def start_again(name: str, topology: LabTopology, plan: LabPlan, base: Path, servers: RunningServers) -> Iterator[None]:
    """Yields until the server is ready; one that still runs is asked to end before.

    Raises UserError where it does not end, ends again, or is not ready in time.
    """
    old = servers.known(name)
    host = next(host for host in plan.hosts if host.name == name)
    servers.dismiss(name)
    yield from _until(lambda: not old.is_alive(), f"{name} did not end", _END_WITHIN_S)
    kill_rest(old)
    more: list[str] = []
    if topology.database.kind == "galera" and host.role is Role.DATABASE:
        yield from _recover(old, files_of(base, host).temporary / "recovered.log", more)
    new = old.again(*more)
    servers.add(new)
    within_s = topology.frontend.ready_within_s if topology.frontend else _READY_WITHIN_S
    yield from _until(lambda: _is_ready(host, topology, base, new), f"{name} was not ready", within_s)


def _recover(old: Server, log: Path, more: list[str]) -> Iterator[None]:
    """Find out how far a member had come, which one that was killed did not write down, for the start after it.

    A member that knows it asks the others for what it missed (IST); one that does not would need all of their data.
    """
    log.unlink(missing_ok=True)
    finding = old.again("--wsrep-recover", f"--log-error={log}")
    yield from _until(lambda: not finding.is_alive(), f"{old.name} did not find its position", _READY_WITHIN_S)
    found = _POSITION.findall(log.read_text(encoding="utf-8", errors="replace")) if log.is_file() else []
    if not found:
        raise UserError(f"{old.name} did not find its position: {last_words(log)}")
    more.append(f"--wsrep-start-position={found[-1]}")


def _until(is_so: Callable[[], bool], else_words: str, within_s: float) -> Iterator[None]:
    deadline = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() >= deadline:
            raise UserError(f"{else_words} within {within_s:.0f}s")
        yield


def _is_ready(host: Host, topology: LabTopology, base: Path, server: Server) -> bool:
    if not server.is_alive():
        raise UserError(f"{server.name} ended with exit code {server.process.returncode}: {last_words(server.log)}")
    if host.role is Role.DATABASE:
        return serves_again(topology.database.kind, files_of(base, host).socket)
    if host.role is Role.SESSIONS:
        return takes_commands(redis_socket(base, host))
    return is_healthy(host, topology.frontend.health, _ANSWER_S) if topology.frontend else _accepts(host)


def _accepts(host: Host) -> bool:
    """Whether a built-in IAM takes connections, which it does when it is ready; tried from its own host."""
    with kernel.in_network(host.name):
        probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with probe:
        probe.settimeout(_CONNECT_S)
        return probe.connect_ex((host.address, FRONTEND_PORT)) == 0
