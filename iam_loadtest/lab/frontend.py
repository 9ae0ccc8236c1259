"""The frontends of a lab: the built-in IAM, one per host, all under the balancer's address."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from iam_loadtest.lab.database import database_url
from iam_loadtest.lab.plan import FRONTEND_PORT, LabPlan, Role
from iam_loadtest.lab.process import Server, await_all, start
from iam_loadtest.scenario.iam_flags import iam_flags
from iam_loadtest.scenario.topology import LabTopology

_READY_WITHIN_S = 60.0


def start_frontends(
    topology: LabTopology, plan: LabPlan, base: Path, issuer: str, sessions_url: str | None
) -> list[Server]:
    """Every frontend of the plan, ready."""
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
