"""Change a link of a running lab: no packet passes, or packets take longer and get lost, and back."""

from __future__ import annotations

import signal
from pathlib import Path

from iam_loadtest.errors import UserError
from iam_loadtest.lab.network import set_netem
from iam_loadtest.lab.plan import PREFIX, network_of, router_name
from iam_loadtest.lab.process import run, run_ip
from iam_loadtest.lab.running import RunningServers, signal_group
from iam_loadtest.lab.shape import delay_line_name, shape_file, write_shape
from iam_loadtest.scenario.lab import LabLink

Routes = dict[str, str]
"""By router, the way over a link that was closed."""


def cut_link(cluster: int) -> Routes:
    """Let no further packet onto the link to a cluster from either side; what is under way arrives.

    Packets vanish, as on a broken wire: nobody is told that there is no way.
    """
    ways = {router_name(1): network_of(cluster), router_name(cluster): f"{PREFIX}.0.0/16"}
    routes = {router: _route(router, network) for router, network in ways.items()}
    for router, network in ways.items():
        run_ip([f"route replace blackhole {network}"], router)
    return routes


def mend_link(routes: Routes) -> None:
    """Open the way again."""
    for router, route in routes.items():
        run_ip([f"route replace {route}"], router)


def shape_link(cluster: int, link: LabLink, base: Path, servers: RunningServers) -> None:
    """Give a link that is delayed another latency, jitter and loss; packets on it keep theirs."""
    file = shape_file(base / "logs", cluster)
    if not file.exists():
        set_netem("change", cluster, link)
        return
    write_shape(file, link.rtt_s / 2, link.jitter_s, link.loss)
    signal_group(servers.running(delay_line_name(cluster)), signal.SIGHUP)


def _route(router: str, network: str) -> str:
    found = run(["ip", "-n", router, "route", "show", "exact", network]).strip()
    if not found or found.startswith("blackhole"):
        raise UserError(f"{router} had no way to {network}: the link was cut already")
    return found
