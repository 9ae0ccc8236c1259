"""The programs that the lab starts, and which Debian packages hold them."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from iam_loadtest.errors import UserError
from iam_loadtest.scenario.topology import LabTopology

_SYSTEM = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
"""Servers stand where an ordinary user's PATH may not lead."""
PACKAGES = {
    "ip": "iproute2",
    "tc": "iproute2",
    "mariadbd": "mariadb-server-core",
    "mariadb-install-db": "mariadb-server-core",
    "haproxy": "haproxy",
    "redis-server": "redis-tools",
    "redis-cli": "redis-tools",
    "wg": "wireguard-tools",
    "wireguard-go": "wireguard-go",
}
GALERA_PACKAGE = "galera-4"
_GALERA = (
    "/usr/lib/galera/libgalera_smm.so",
    "/usr/lib64/galera-4/libgalera_smm.so",
    "/usr/lib64/galera/libgalera_smm.so",
)
_REDIS_SERVER = "redis-check-rdb"
"""In Debian's redis-tools this is the server itself, which looks at the name that it is called by."""


def find_program(name: str) -> str | None:
    """The path of a program, also where only root's PATH leads to it."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":" + _SYSTEM)


def _find(name: str) -> str | None:
    return find_program(name) or (find_program(_REDIS_SERVER) if name == "redis-server" else None)


def require_program(name: str) -> str:
    """The path of a program; raises UserError that names the package where it is missing."""
    found = _find(name)
    if found is None:
        raise UserError(f"the lab needs the program {name}; install it, on Debian with: apt install {PACKAGES[name]}")
    return found


def find_galera() -> str | None:
    """The path of Galera's library; None where it is missing."""
    return next((path for path in _GALERA if Path(path).exists()), None)


def require_galera() -> str:
    """The path of Galera's library; raises UserError where it is missing."""
    found = find_galera()
    if found is None:
        raise UserError(f"the lab needs Galera's library; install it, on Debian with: apt install {GALERA_PACKAGE}")
    return found


def require_parts(topology: LabTopology) -> None:
    """Raise one UserError that names every program and package that a topology needs and this machine lacks."""
    lacking = [name for name in _programs_of(topology) if _find(name) is None]
    packages = [PACKAGES[name] for name in lacking]
    if topology.database.kind == "galera" and find_galera() is None:
        lacking, packages = [*lacking, "Galera's library"], [*packages, GALERA_PACKAGE]
    commands = [f"apt install {' '.join(dict.fromkeys(packages))}"] if packages else []
    drivers = {extra: module for extra, module in _drivers_of(topology) if importlib.util.find_spec(module) is None}
    if drivers:
        lacking += [f"the Python package {module}" for module in drivers.values()]
        commands.append(f"pip install 'iam-loadtest[{','.join(drivers)}]'")
    if lacking:
        them = "it" if len(lacking) == 1 else "them"
        raise UserError(f"the lab needs {', '.join(lacking)}; install {them}, on Debian: {'; '.join(commands)}")


def _programs_of(topology: LabTopology) -> Iterator[str]:
    yield from ("ip", "haproxy")
    if topology.database.kind != "sqlite":
        yield from ("mariadbd", "mariadb-install-db")
    if topology.sessions == "redis-sentinel":
        yield "redis-server"
    if any(link.vpn == "wireguard" for link in topology.wires):
        yield "wg"


def _drivers_of(topology: LabTopology) -> Iterator[tuple[str, str]]:
    """The extras of this package, and a module of each."""
    if topology.database.kind != "sqlite":
        yield "mysql", "asyncmy"
    if topology.sessions == "redis-sentinel" and topology.frontend is None:
        yield "redis", "redis"


def search_path() -> str:
    """The PATH for programs that look for others."""
    return os.environ.get("PATH", "") + ":" + _SYSTEM
