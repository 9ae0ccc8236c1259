"""Web sessions of a lab: three Redis servers, each with a Sentinel beside it."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from iam_loadtest.errors import UserError
from iam_loadtest.lab.config import SENTINEL_SERVICE, SentinelView, redis_conf, sentinel_conf
from iam_loadtest.lab.plan import SENTINEL_PORT, Host, LabPlan, Role
from iam_loadtest.lab.process import Server, await_all, start
from iam_loadtest.lab.program import require_program

_READY_WITHIN_S = 20.0
_TIMEOUT_S = 2.0


def start_sessions(plan: LabPlan, base: Path) -> list[Server]:
    """Redis and Sentinel on every host for sessions, the replicas connected; none where the plan has no such host.

    The sentinels find each other in the seconds after; a failover before that is not to be expected.
    """
    hosts = plan.of(Role.SESSIONS)
    if not hosts:
        return []
    servers = [_start_redis(host, hosts[0], base) for host in hosts]
    replicas = len(hosts) - 1
    await_all(
        {"the Redis replicas": partial(_has_replicas, redis_socket(base, hosts[0]), replicas)},
        servers,
        _READY_WITHIN_S,
    )
    sentinels = [_start_sentinel(host, hosts, base) for host in hosts]
    ready = {f"sentinel of {host.name}": partial(takes_commands, base / host.name / "sentinel.sock") for host in hosts}
    await_all(ready, [*servers, *sentinels], _READY_WITHIN_S)
    return [*servers, *sentinels]


def redis_socket(base: Path, host: Host) -> Path:
    """Where a Redis server of the lab is reached from every network."""
    return base / host.name / "redis.sock"


def redis_master(plan: LabPlan, base: Path) -> str:
    """The host of the Redis server that is the master now; raises UserError where none says so."""
    for host in plan.of(Role.SESSIONS):
        if "role:master" in _ask(redis_socket(base, host), b"INFO replication"):
            return host.name
    raise UserError("no Redis server of the lab was the master")


def sessions_url(plan: LabPlan) -> str | None:
    """What the frontends are told; None where sessions are in the database."""
    addresses = ",".join(f"{host.address}:{SENTINEL_PORT}" for host in plan.of(Role.SESSIONS))
    return f"sentinel://{addresses}/{SENTINEL_SERVICE}" if addresses else None


def _start_redis(host: Host, master: Host, base: Path) -> Server:
    directory = base / host.name
    directory.mkdir()
    config = directory / "redis.conf"
    config.write_text(redis_conf(host, directory, master), encoding="utf-8")
    return _start("redis-server", host.name, config, host, base)


def _start_sentinel(host: Host, hosts: Sequence[Host], base: Path) -> Server:
    directory = base / host.name
    config = directory / "sentinel.conf"
    view = SentinelView(host.address, hosts[0].address, len(hosts) // 2 + 1)
    config.write_text(sentinel_conf(view, directory), encoding="utf-8")
    return _start("redis-sentinel", f"sentinel-of-{host.name}", config, host, base)


def _start(called: str, name: str, config: Path, host: Host, base: Path) -> Server:
    """One program is both servers, and looks at the name that it is called by."""
    log = base / "logs" / f"{name}.log"
    program = require_program("redis-server")
    return start(name, [called, config], log, network=host.name, directory=config.parent, executable=program)


def _has_replicas(path: Path, count: int) -> bool:
    return _ask(path, b"INFO replication").count("state=online") == count


def takes_commands(path: Path) -> bool:
    """Whether a Redis server or a Sentinel behind a socket file answers."""
    return _ask(path, b"PING").startswith("+PONG")


def _ask(path: Path, command: bytes) -> str:
    """The answer to one command; empty where there is none. A text follows the line that says its length."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_TIMEOUT_S)
            connection.connect(str(path))
            connection.sendall(command + b"\r\n")
            with connection.makefile("rb") as answer:
                line = answer.readline()
                text = answer.read(int(line[1:])) if line.startswith(b"$") else line
                return text.decode("utf-8", errors="replace")
    except (OSError, ValueError):
        return ""
