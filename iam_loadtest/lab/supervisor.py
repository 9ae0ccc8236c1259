"""Process 1 of a lab: builds it step by step, then watches its servers until it is told to end."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import NoReturn

from iam_loadtest.errors import UserError
from iam_loadtest.lab.balancer import start_balancers
from iam_loadtest.lab.database import files_of, start_databases
from iam_loadtest.lab.fault import Faults, Ground
from iam_loadtest.lab.frontend import start_frontends
from iam_loadtest.lab.network import build_hosts, build_links, measure_rtt_s
from iam_loadtest.lab.observing import start_observer
from iam_loadtest.lab.plan import LabPlan, Role, plan_of
from iam_loadtest.lab.process import Server, run_ip
from iam_loadtest.lab.room import make_room
from iam_loadtest.lab.running import RunningServers
from iam_loadtest.lab.sessions import sessions_url, start_sessions
from iam_loadtest.results.fault import take_fault_orders
from iam_loadtest.results.lab_state import LAB_STATE_FILE, LabState, write_lab_state
from iam_loadtest.scenario.iam_flags import iam_flags
from iam_loadtest.scenario.topology import LabTopology

UNWRITTEN = 74
"""Exit code where not even the reason could be written down (EX_IOERR of sysexits)."""
_WATCH_S = 0.25
_OWN = {"supervisor": 1}


@dataclass(frozen=True)
class Order:
    """What is to be built: a topology, the directory to build it in, the open public sockets.

    ``address`` is the URL of the first of these, ``issuer`` that of all of them. ``observe`` asks for an
    observer, which writes observed.csv.
    """

    topology: LabTopology
    base: Path
    public_sockets: tuple[int, ...]
    issuer: str
    address: str
    observe: bool = False


def supervise(order: Order) -> int:
    """Build the lab and stay until a KeyboardInterrupt; returns an exit code only where it cannot be built or watched.

    It must be process 1 of its namespaces: nothing is taken down here, the kernel ends the rest with it.
    """
    state = LabState("starting", order.issuer, address=order.address)
    try:
        write_lab_state(order.base, state)
        state, servers = _build(order, state)
        write_lab_state(order.base, state)
        if order.observe:
            start_observer(plan_of(order.topology), order.base, order.topology.database.kind)
        _watch(order, state, RunningServers(servers))
    except (UserError, OSError) as error:
        words = str(error) if isinstance(error, UserError) else f"the lab could not go on: {error}"
        return _fail(order, replace(state, phase="failed", problem=words.removesuffix(".")))


def _fail(order: Order, state: LabState) -> int:
    try:
        write_lab_state(order.base, state)
    except UserError:
        return UNWRITTEN
    return 1


def _build(order: Order, state: LabState) -> tuple[LabState, list[Server]]:
    topology, base, plan = order.topology, order.base, plan_of(order.topology)
    flags = None if topology.frontend else list(iam_flags(topology.settings))
    took_s: dict[str, float] = {}
    with _timed("network", took_s):
        run_ip(["link set lo up"])
        build_hosts(plan)
        links, servers = build_links(topology.wires, base / "logs")
    with _timed("databases", took_s):
        data = make_room([files_of(base, host).data for host in plan.of(Role.DATABASE)])
        servers += start_databases(topology, plan, base, flags)
    with _timed("sessions", took_s):
        servers += start_sessions(plan, base)
    with _timed("frontends", took_s):
        servers += start_frontends(topology, plan, base, order.issuer, sessions_url(plan))
    with _timed("balancer", took_s):
        servers += start_balancers(topology, plan, base, order.public_sockets, order.issuer)
    with _timed("round trips", took_s):
        rtt_ms = _measured_rtt_ms(plan)
    ready = replace(
        state,
        phase="ready",
        nodes=tuple(host.name for host in plan.of(Role.FRONTEND)),
        hosts={host.name: host.address for host in plan.hosts},
        links=links,
        data=data,
        rtt_ms=rtt_ms,
        took_s=took_s,
        pids={**_OWN, **RunningServers(servers).pids},
    )
    return ready, servers


@contextmanager
def _timed(step: str, took_s: dict[str, float]) -> Iterator[None]:
    began_s = time.monotonic()
    yield
    took_s[step] = round(time.monotonic() - began_s, 2)


def _measured_rtt_ms(plan: LabPlan) -> dict[str, float | None]:
    """Of each pair of clusters; from one to another that are not the first it goes over both links."""
    found = {}
    for near, far in combinations(range(1, plan.clusters + 1), 2):
        rtt_s = measure_rtt_s(plan.in_cluster(near)[0], plan.in_cluster(far)[0])
        found[f"{near}-{far}"] = None if rtt_s is None else round(rtt_s * 1000, 2)
    return found


def _watch(order: Order, state: LabState, servers: RunningServers) -> NoReturn:
    """Do what faults are ordered, and write down what they were, which servers run, and which have ended."""
    faults = Faults(Ground(order.topology, plan_of(order.topology), order.base, servers))
    while True:
        time.sleep(faults.wait_s(_WATCH_S))
        if not (order.base / LAB_STATE_FILE).is_file():
            raise UserError("its files were removed, without which nobody could end it")
        faults.add(take_fault_orders(order.base))
        faults.step()
        died = (*state.died, *servers.obituaries())
        new = replace(state, died=died, faults=faults.records, pids={**_OWN, **servers.pids})
        if new != state:
            state = new
            write_lab_state(order.base, state)
        _reap_strangers(set(servers.pids.values()))


def _reap_strangers(own: set[int]) -> None:
    """Orphans of servers become children of process 1, who must take note of their end."""
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None or found.si_pid in own:
            return
        os.waitpid(found.si_pid, 0)
