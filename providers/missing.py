"""What a machine lacks to run a provider, in words that say how to get it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping

PACKAGES: Mapping[str, str] = {
    "java": "a Java runtime, 17 or newer (Debian: openjdk-17-jre-headless)",
    "mvn": "Maven (Debian: maven)",
    "node": "Node.js, 20 or newer (Debian: nodejs)",
    "npm": "npm (Debian: npm)",
    "mariadbd": "MariaDB's server (Debian: mariadb-server-core)",
    "mariadb-install-db": "MariaDB's server (Debian: mariadb-server-core)",
    "mariadb": "MariaDB's client (Debian: mariadb-client-core)",
}
_NEEDED = {"java": ("-version", 17), "node": ("--version", 20)}
"""Options that print a version, and the lowest major one."""
_SYSTEM = "/usr/local/sbin:/usr/sbin:/sbin"


class ProviderError(Exception):
    """A provider could not be installed or started; the text says why."""


def program(name: str) -> str | None:
    """The path of a program, also where only root's PATH leads to it."""
    return shutil.which(name) or shutil.which(name, path=_SYSTEM)


def require_program(name: str) -> str:
    """The path of a program; raises ProviderError that says how to get it."""
    found = program(name)
    if found is None:
        raise ProviderError(f"{name} is not here: install {PACKAGES[name]}")
    return found


def missing_programs(*names: str) -> list[str]:
    """What to install for these programs; empty where all are here and new enough."""
    return list(dict.fromkeys(PACKAGES[name] for name in names if program(name) is None or _is_too_old(name)))


def _is_too_old(name: str) -> bool:
    """Whether a program says that its major version is lower than the one that is needed."""
    if name not in _NEEDED:
        return False
    option, lowest = _NEEDED[name]
    said = subprocess.run([require_program(name), option], capture_output=True, text=True, check=False)
    found = re.search(r"\d+", said.stdout + said.stderr)
    return found is None or int(found.group()) < lowest
