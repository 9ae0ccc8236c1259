"""The frontends of a lab, one per host, all under the balancer's address: the built-in IAM, or any program."""

from __future__ import annotations

import http.client
import os
import sys
from functools import partial
from pathlib import Path

from iam_loadtest.errors import UserError
from iam_loadtest.lab import kernel
from iam_loadtest.lab.database import database_url
from iam_loadtest.lab.plan import DATABASE_PORT, FRONTEND_PORT, Host, LabPlan, Role
from iam_loadtest.lab.process import Server, await_all, start
from iam_loadtest.lab.seed import DATABASE, DATABASE_PASSWORD, DATABASE_USER
from iam_loadtest.scenario.iam_flags import iam_flags
from iam_loadtest.scenario.lab_frontend import LabFrontend, fill
from iam_loadtest.scenario.topology import LabTopology

_READY_WITHIN_S = 60.0
_TIMEOUT_S = 5.0


def start_frontends(
    topology: LabTopology, plan: LabPlan, base: Path, issuer: str, sessions_url: str | None
) -> list[Server]:
    """Every frontend of the plan, ready."""
    if topology.frontend:
        return _start_programs(topology.frontend, topology, plan, base, issuer, sessions_url)
    servers = []
    ready = {}
    for number, host in enumerate(plan.of(Role.FRONTEND), start=1):
        ready_file = base / f"{host.name}.json"
        ready[host.name] = partial(Path.exists, ready_file)
        command = [
            *(sys.executable, "-m", "iam_loadtest", "iam", "--issuer", issuer),
            *("--host", host.address, "--port", str(FRONTEND_PORT), "--first-frontend", str(number)),
            *("--ready-file", str(ready_file), *iam_flags(topology.settings)),
        ]
        environ = {"IAM_LOADTEST_DATABASE_URL": database_url(topology, plan, base, host)}
        if sessions_url:
            environ["IAM_LOADTEST_SESSIONS_URL"] = sessions_url
        log = base / "logs" / f"{host.name}.log"
        servers.append(start(host.name, command, log, network=host.name, environ=environ))
    await_all(ready, servers, _READY_WITHIN_S)
    return servers


def placeholders_of(
    topology: LabTopology, plan: LabPlan, base: Path, host: Host, issuer: str, sessions_url: str | None
) -> dict[str, str]:
    """What stands for the placeholders of one frontend; empty where the lab has no such thing."""
    url = database_url(topology, plan, base, host)
    has_server = bool(plan.of(Role.DATABASE))
    writes = url.partition("@")[2].partition(":")[0]
    return {
        "node": host.name,
        "number": str(plan.of(Role.FRONTEND).index(host) + 1),
        "address": host.address,
        "port": str(FRONTEND_PORT),
        "issuer": issuer,
        "public_url": _public_url(issuer, topology),
        "directory": str(base / host.name),
        "database_url": url,
        "database_host": writes,
        "database_port": str(DATABASE_PORT) if has_server else "",
        "database_name": DATABASE if has_server else "",
        "database_user": DATABASE_USER if has_server else "",
        "database_password": DATABASE_PASSWORD if has_server else "",
        "replica_host": plan.replica_of(host).address if topology.database.kind == "replication" else writes,
        "sessions_url": sessions_url or "",
    }


def _public_url(issuer: str, topology: LabTopology) -> str:
    """Scheme, host and port that clients see."""
    return issuer.removesuffix(topology.frontend.issuer_path if topology.frontend else "").rstrip("/")


def _start_programs(
    frontend: LabFrontend, topology: LabTopology, plan: LabPlan, base: Path, issuer: str, sessions_url: str | None
) -> list[Server]:
    """The first one alone until it is healthy: it makes the tables, which several at once may trip over."""
    servers: list[Server] = []
    first, *others = plan.of(Role.FRONTEND)
    for hosts in ([first], others):
        for host in hosts:
            values = placeholders_of(topology, plan, base, host, issuer, sessions_url)
            servers.append(_start_program(frontend, host, base, values))
        ready = {f"{host.name}, GET {frontend.health}": partial(is_healthy, host, frontend.health) for host in hosts}
        await_all(ready, servers, frontend.ready_within_s)
    return servers


def _start_program(frontend: LabFrontend, host: Host, base: Path, values: dict[str, str]) -> Server:
    directory = base / host.name
    directory.mkdir()
    command = [fill(word, values) for word in frontend.command]
    environ = _passed(frontend) | {name: fill(text, values) for name, text in frontend.environ.items()}
    log = base / "logs" / f"{host.name}.log"
    return start(host.name, command, log, network=host.name, environ=environ, directory=directory)


def _passed(frontend: LabFrontend) -> dict[str, str]:
    missing = [name for name in frontend.pass_environ if name not in os.environ]
    if missing:
        raise UserError(f"frontend.pass_environ: environment variable {missing[0]} is not set; export it before")
    return {name: os.environ[name] for name in frontend.pass_environ}


def is_healthy(host: Host, path: str, within_s: float = _TIMEOUT_S) -> bool:
    """Whether a GET from beside a frontend is answered 2xx."""
    with kernel.in_network(host.name):
        connection = http.client.HTTPConnection(host.address, FRONTEND_PORT, timeout=within_s)
        try:
            connection.request("GET", path)
            return 200 <= connection.getresponse().status < 300
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
