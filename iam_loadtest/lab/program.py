"""The programs that the lab starts, and which Debian packages hold them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from iam_loadtest.errors import UserError

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


def require_program(name: str) -> str:
    """The path of a program; raises UserError that names the package where it is missing."""
    found = find_program(name) or (find_program(_REDIS_SERVER) if name == "redis-server" else None)
    if found is None:
        raise UserError(f"the lab needs the program {name}; install it, on Debian with: apt install {PACKAGES[name]}")
    return found


def require_galera() -> str:
    """The path of Galera's library; raises UserError where it is missing."""
    found = next((path for path in _GALERA if Path(path).exists()), None)
    if found is None:
        raise UserError(f"the lab needs Galera's library; install it, on Debian with: apt install {GALERA_PACKAGE}")
    return found


def search_path() -> str:
    """The PATH for programs that look for others."""
    return os.environ.get("PATH", "") + ":" + _SYSTEM
