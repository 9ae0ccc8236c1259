"""What a running lab tells of itself, in a file that whoever started it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from iam_loadtest.errors import UserError
from iam_loadtest.results.fault import FaultRecord, fault_records_of
from iam_loadtest.results.json_file import read_json, write_json

LAB_STATE_FILE = "lab.json"
FRONTEND = "frontend"
"""Frontends are called this, with a number from 1 over all clusters."""
NODE_HEADER = "X-Lab-Node"
"""A request that names a frontend here is given to that one, whatever the balancer's turn is."""


@dataclass(frozen=True)
class LabState:
    """A lab as its supervisor sees it.

    ``phase`` is starting, ready, failed or ended; ``problem`` says why it failed. ``address`` is the first balancer's,
    which is asked where the issuer's host is a name that stands for all of them. ``nodes`` are the frontends by the
    name that X-Backend gives them. ``links`` is how the link from the first cluster to each other one is made, under
    names such as 1-2: veth, netem or tun, with the VPN after a plus. ``rtt_ms`` has the measured round trip of each
    pair of clusters, None where nothing came back. ``data`` says where the databases are: in memory or on disk.
    ``died`` are servers that ended by themselves, in words; ``pids`` those that run, by their ids inside of the lab.
    ``faults`` are those that were ordered and have begun, in the order of their numbers.
    """

    phase: str
    issuer: str
    nodes: tuple[str, ...] = ()
    address: str = ""
    hosts: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    rtt_ms: Mapping[str, float | None] = field(default_factory=dict)
    took_s: Mapping[str, float] = field(default_factory=dict)
    data: str = "disk"
    died: tuple[str, ...] = ()
    problem: str | None = None
    pids: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[FaultRecord, ...] = ()


def write_lab_state(directory: Path, state: LabState) -> None:
    """Replace lab.json in one step."""
    write_json(directory / LAB_STATE_FILE, asdict(state))


def read_lab_state(directory: Path) -> LabState | None:
    """The state, or None where there is none yet; raises UserError where it is of another version."""
    path = directory / LAB_STATE_FILE
    if not path.is_file():
        return None
    document = read_json(path)
    try:
        document = dict(document)
        faults = fault_records_of(document.get("faults", ()))
        lists = {"nodes": tuple(document["nodes"]), "died": tuple(document["died"]), "faults": faults}
        return LabState(**{**document, **lists})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}: is not the state of a lab of this version ({error!r}); `iam-loadtest lab down` ends that one."
        ) from error
