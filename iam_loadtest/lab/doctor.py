"""What of the lab works on this machine, found out by trying it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from iam_loadtest.errors import UserError
from iam_loadtest.lab import kernel
from iam_loadtest.lab.isolation import run_isolated
from iam_loadtest.lab.launch import check_place
from iam_loadtest.lab.network import LinkKind, build_hosts, build_link, build_tunnel_over, kind_of, measure_rtt_s
from iam_loadtest.lab.plan import LabPlan, plan_of
from iam_loadtest.lab.process import Server, plain_environment, run_ip
from iam_loadtest.lab.program import PACKAGES, require_galera, require_program
from iam_loadtest.lab.room import LEAST_BYTES, free_bytes
from iam_loadtest.results.json_file import read_json, write_json
from iam_loadtest.scenario.lab import LabLink
from iam_loadtest.scenario.topology import LabTopology

_FOR = {
    "ip": ("-V", "any lab"),
    "haproxy": ("-v", "any lab"),
    "mariadbd": ("--version", "any lab but with SQLite"),
    "mariadb-install-db": ("", "any lab but with SQLite"),
    "redis-server": ("--version", "sessions: redis-sentinel"),
    "wg": ("--version", "vpn: wireguard"),
}
"""How each program is tried, and what needs it. The installer of MariaDB has no option that does nothing."""
_SWITCHES = {
    "kernel/apparmor_restrict_unprivileged_userns": "1",
    "kernel/unprivileged_userns_clone": "0",
    "user/max_user_namespaces": "0",
}
"""Settings of the kernel that keep ordinary users from making namespaces, with the value that does."""
_NAME_IN_A_RUN = "iam-lab-trial-12345678"
_LEAST_MIB = 512
"""Logs, what is observed, and the prepared data directory of each kind of database."""
_TRIED_RTT_MS = 10.0
_WITHOUT = {
    "netem": "this kernel cannot delay packets by itself; a process does it then, which costs some CPU",
    "tun": "packet sockets stand in for it; wireguard-go cannot do without",
    "packet": "links can have no latency, jitter or loss where netem and TUN do not work either",
}


@dataclass(frozen=True)
class Finding:
    """Something that was tried. ``words`` say what came out, or what is lost without it and how to get it."""

    subject: str
    works: bool
    words: str


def examine() -> list[Finding]:
    """Every finding, in the order in which a lab needs them.

    The last ones are tried in namespaces, which this process itself goes into: it can start no other process then.
    """
    findings, whose = [*_programs(), _galera(), *_drivers(), _place(), _memory()], _as_whom()
    with tempfile.TemporaryDirectory(prefix="iam-lab-") as scratch:
        answers = Path(scratch) / "answers.json"
        try:
            code = run_isolated(lambda: _try_inside(answers, Path(scratch)), lambda _: None)
        except UserError as error:
            return [*findings, Finding("namespaces", False, f"{error} {_how_to_get_namespaces()}".strip())]
        if code != 0 or not answers.is_file():
            return [*findings, Finding("namespaces", False, "they are there, but what was tried in them broke off")]
        return [*findings, Finding("namespaces", True, whose), *(Finding(**one) for one in read_json(answers))]


def _programs() -> Iterator[Finding]:
    for name, (option, needed_for) in _FOR.items():
        try:
            yield _tried(name, require_program(name), option)
        except UserError:
            yield Finding(name, False, f"needed for {needed_for}: apt install {PACKAGES[name]}")


def _tried(name: str, program: str, option: str) -> Finding:
    """Whether a program starts, and what it says of itself."""
    if not option:
        return Finding(name, os.access(program, os.X_OK), program)
    try:
        done = subprocess.run(  # noqa: S603  a program of the lab, asked for its version
            [name, option], executable=program, env=plain_environment(), capture_output=True, text=True, check=False
        )
    except OSError as error:
        return Finding(name, False, f"{program} cannot be started: {error.strerror}; apt install {PACKAGES[name]}")
    said = (done.stdout or done.stderr).strip().splitlines() or [program]
    return Finding(name, done.returncode == 0, said[0][:100])


def _galera() -> Finding:
    try:
        return Finding("Galera", True, require_galera())
    except UserError as error:
        return Finding("Galera", False, f"{error}; the other databases work without")


def _drivers() -> Iterator[Finding]:
    for module, extra, needed_for in (("asyncmy", "mysql", "any lab but with SQLite"), ("redis", "redis", "sessions")):
        works = importlib.util.find_spec(module) is not None
        words = "installed" if works else f"needed for {needed_for}: pip install 'iam-loadtest[{extra}]'"
        yield Finding(f"Python package {module}", works, words)


def _place() -> Finding:
    """Where trials have their labs: a lab writes there, whose databases stand in memory, too."""
    subject, place = "directory for labs", Path(tempfile.gettempdir())
    try:
        check_place(place.absolute() / _NAME_IN_A_RUN)
        free_mib = shutil.disk_usage(place).free >> 20
    except UserError as error:
        return Finding(subject, False, str(error))
    if free_mib < _LEAST_MIB:
        return Finding(subject, False, f"{place} has {free_mib} MiB left; free some space, or set TMPDIR to another")
    if os.statvfs(place).f_flag & os.ST_NOEXEC:
        words = f"{place} is mounted noexec: a Galera member that is restarted cannot come back; set TMPDIR to another"
        return Finding(subject, False, words)
    return Finding(subject, True, f"{place}, which has {free_mib} MiB left")


def _memory() -> Finding:
    servers = free_bytes() // 2 // LEAST_BYTES
    if servers < 1:
        return Finding("memory for databases", False, "they stand on disk, whose speed is part of what is measured")
    return Finding("memory for databases", True, f"labs of up to {servers} database servers keep them in memory")


def _as_whom() -> str:
    return "as root" if os.geteuid() == 0 else "as an ordinary user, who is root in one of them"


def _how_to_get_namespaces() -> str:
    """The settings of this kernel that forbid them to ordinary users, and the command that lifts each."""
    found = []
    for switch, forbids in _SWITCHES.items():
        try:
            value = Path("/proc/sys", switch).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if value == forbids:
            allowed = {"1": "0", "0": "1"}[forbids] if "max" not in switch else "10000"
            found.append(f"sysctl {switch.replace('/', '.')}={allowed}")
    return f"As root: {'; '.join(found)}." if found else ""


def _try_inside(answers: Path, scratch: Path) -> int:
    write_json(answers, [asdict(finding) for finding in _findings_inside(scratch)])
    return 0


def _findings_inside(scratch: Path) -> list[Finding]:
    kinds: tuple[LinkKind, ...] = ("netem", "tun", "packet")
    try:
        run_ip(["link set lo up"])
        return [*(_try_link(kind, scratch) for kind in kinds), _chosen(), _punctuality(), _try_vpn(scratch)]
    except UserError as error:
        return [Finding("links with latency", False, f"could not be tried: {error}")]


def _try_link(kind: LinkKind, scratch: Path) -> Finding:
    """Two clusters with a link of this kind, and the round trip between them."""
    link = LabLink(rtt_s=_TRIED_RTT_MS / 1000)
    subject = f"latency by {kind}"
    try:
        with _two_clusters(lambda: build_link(2, link, kind, scratch)) as plan:
            rtt_s = measure_rtt_s(plan.in_cluster(1)[0], plan.in_cluster(2)[0])
    except UserError as error:
        return Finding(subject, False, f"{str(error).rstrip('.')}; {_WITHOUT[kind]}")
    if rtt_s is None:
        return Finding(subject, False, f"no packet came back; {_WITHOUT[kind]}")
    return Finding(subject, True, asked_and_measured(rtt_s * 1000))


def asked_and_measured(rtt_ms: float) -> str:
    """What was asked for and what came of it; a delay that is half as long again is no fault of the link."""
    words = f"{_TRIED_RTT_MS:g} ms asked, {rtt_ms:.2f} ms measured"
    return words if rtt_ms < 1.5 * _TRIED_RTT_MS else f"{words}; something else has the cores: try when they are idle"


def _chosen() -> Finding:
    try:
        return Finding("links with latency", True, f"are made by {kind_of(LabLink(rtt_s=0.01))} here")
    except UserError as error:
        return Finding("links with latency", False, str(error))


def _punctuality() -> Finding:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        return Finding("real-time scheduling", False, "the delay line is less punctual on a busy machine; run as root")
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return Finding("real-time scheduling", True, "keeps the delay line punctual")


def _try_vpn(scratch: Path) -> Finding:
    """A tunnel between two clusters, and a packet through it."""
    tunnel: list[Server] = []

    def build() -> list[Server]:
        servers = build_link(2, LabLink(), "veth", scratch)
        tunnel.extend(build_tunnel_over(2, scratch))
        return [*servers, *tunnel]

    try:
        with _two_clusters(build) as plan:
            rtt_s = measure_rtt_s(plan.in_cluster(1)[0], plan.in_cluster(2)[0])
    except UserError as error:
        return Finding("WireGuard", False, f"{str(error).rstrip('.')}; links with vpn: wireguard are lost")
    if rtt_s is None:
        return Finding("WireGuard", False, "no packet came through the tunnel; links with vpn: wireguard are lost")
    how = "wireguard-go, in user space: slower than the kernel's" if tunnel else "the kernel's own"
    return Finding("WireGuard", True, f"{how}; {rtt_s * 1000:.2f} ms through the tunnel")


@contextmanager
def _two_clusters(build: Callable[[], list[Server]]) -> Iterator[LabPlan]:
    """The networks of two clusters and what ``build`` puts between them, while the block runs."""
    plan = plan_of(LabTopology(provider="lab", frontends=(1, 1)))
    servers: list[Server] = []
    try:
        build_hosts(plan)
        servers = build()
        yield plan
    finally:
        for server in servers:
            server.process.kill()
            server.process.wait()
        run_ip([f"netns del {path.name}" for path in kernel.NAMED_NETWORKS.iterdir()])
