"""Start the observer of a lab: what it is told to look at, from the plan."""

from __future__ import annotations

import sys
from pathlib import Path

from iam_loadtest.lab.balancer import stats_socket
from iam_loadtest.lab.database import files_of
from iam_loadtest.lab.plan import FRONTEND_PORT, LabPlan, Role
from iam_loadtest.lab.process import Server, start
from iam_loadtest.lab.sessions import redis_socket
from iam_loadtest.results.lab_state import LAB_STATE_FILE
from iam_loadtest.results.server_file import OBSERVED_FILE, OBSERVER, WATCHED_FILE, Watched, write_watched


def start_observer(plan: LabPlan, base: Path, database_kind: str) -> Server:
    """The observer at work; it writes observed.csv into the lab's directory until the lab ends.

    It is none of the lab's servers: a trial does not depend on it, and its end is no trouble.
    """
    write_watched(base / WATCHED_FILE, watched_of(plan, base, database_kind))
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "iam_loadtest.lab.observer",
        base / WATCHED_FILE,
        base / OBSERVED_FILE,
    ]
    return start(OBSERVER, command, base / "logs" / f"{OBSERVER}.log")


def watched_of(plan: LabPlan, base: Path, database_kind: str) -> Watched:
    """Every server of a plan that tells something of itself."""
    return Watched(
        databases={host.name: str(files_of(base, host).socket) for host in plan.of(Role.DATABASE)},
        database_kind=database_kind,
        balancers={host.name: str(stats_socket(base, host)) for host in plan.of(Role.BALANCER)},
        frontends={host.name: f"{host.address}:{FRONTEND_PORT}" for host in plan.of(Role.FRONTEND)},
        redis={host.name: str(redis_socket(base, host)) for host in plan.of(Role.SESSIONS)},
        state_file=str(base / LAB_STATE_FILE),
        has_networks=True,
    )
