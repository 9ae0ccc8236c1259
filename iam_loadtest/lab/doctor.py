"""What of the lab works on this machine, found out by trying it."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from iam_loadtest.errors import UserError
from iam_loadtest.lab.isolation import run_isolated
from iam_loadtest.lab.network import kernel_has_netem, kernel_has_wireguard
from iam_loadtest.lab.process import run_ip
from iam_loadtest.lab.program import PACKAGES, find_program, require_galera, require_program
from iam_loadtest.lab.tun import open_tun
from iam_loadtest.results.json_file import read_json, write_json

_FOR = {
    "ip": "any lab",
    "haproxy": "any lab",
    "mariadbd": "any lab but with SQLite",
    "mariadb-install-db": "any lab but with SQLite",
    "redis-server": "sessions: redis-sentinel",
    "wg": "vpn: wireguard",
}
_NETWORK = "on-trial"


@dataclass(frozen=True)
class Finding:
    """Something that was tried. ``words`` say what it is for, or what is lost without it and how to get it."""

    subject: str
    works: bool
    words: str


def examine() -> list[Finding]:
    """Every finding, in the order in which a lab needs them.

    The last ones are tried in namespaces, which this process itself goes into: it can start no other process then.
    """
    how = "as root" if os.geteuid() == 0 else "as an ordinary user, who is root in one of them"
    findings = [*_programs(), _galera(), *_drivers()]
    with tempfile.TemporaryDirectory(prefix="iam-lab-") as scratch:
        answers = Path(scratch) / "answers.json"
        try:
            code = run_isolated(lambda: _try_inside(answers), lambda _: None)
        except UserError as error:
            return [*findings, Finding("namespaces", False, str(error))]
        if code != 0 or not answers.is_file():
            words = "they are there, but /proc or /run cannot be mounted in them; run the lab outside of a container"
            return [*findings, Finding("namespaces", False, words)]
        return [*findings, Finding("namespaces", True, how), *(Finding(**one) for one in read_json(answers))]


def _programs() -> Iterator[Finding]:
    for name, needed_for in _FOR.items():
        try:
            yield Finding(name, True, require_program(name))
        except UserError:
            yield Finding(name, False, f"needed for {needed_for}: apt install {PACKAGES[name]}")


def _galera() -> Finding:
    try:
        return Finding("Galera", True, require_galera())
    except UserError as error:
        return Finding("Galera", False, str(error))


def _drivers() -> Iterator[Finding]:
    for module, extra, needed_for in (("asyncmy", "mysql", "any lab but with SQLite"), ("redis", "redis", "sessions")):
        works = importlib.util.find_spec(module) is not None
        words = "installed" if works else f"needed for {needed_for}: pip install 'iam-loadtest[{extra}]'"
        yield Finding(f"Python package {module}", works, words)


def _try_inside(answers: Path) -> int:
    write_json(answers, [asdict(finding) for finding in (*_latency(), _punctuality(), _vpn())])
    return 0


def _latency() -> Iterator[Finding]:
    netem = find_program("tc") is not None and kernel_has_netem()
    yield Finding(
        "netem", netem, "makes latency" if netem else "not in this kernel; a delay line on TUN stands in for it"
    )
    try:
        run_ip([f"netns add {_NETWORK}"])
        os.close(open_tun(_NETWORK, "tun0"))
        yield Finding("TUN", True, "makes latency where netem is not there")
    except UserError as error:
        yield Finding("TUN", netem, "not usable, and not needed with netem" if netem else str(error))


def _punctuality() -> Finding:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        return Finding("real-time scheduling", False, "the delay line is less punctual on a busy machine; run as root")
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return Finding("real-time scheduling", True, "keeps the delay line punctual")


def _vpn() -> Finding:
    if kernel_has_wireguard():
        return Finding("WireGuard", True, "the kernel's own")
    if find_program("wireguard-go"):
        return Finding("WireGuard", True, "wireguard-go, in user space: slower than the kernel's")
    return Finding("WireGuard", False, f"needed for vpn: wireguard: apt install {PACKAGES['wireguard-go']}")
