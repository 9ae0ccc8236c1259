"""What the lab asks of the Linux kernel that Python's os module does not have."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NEW_NETWORK = 0x40000000
NEW_PROCESSES = 0x20000000
NEW_USER = 0x10000000
NEW_MOUNTS = 0x00020000
NAMED_NETWORKS = Path("/run/netns")

_MS_REC_PRIVATE = 0x4000 | 0x40000
_NOT_FROM_HERE = 0x2 | 0x4 | 0x8
"""nosuid, nodev, noexec"""
_PR_SET_PDEATHSIG = 1
_PR_GET_PDEATHSIG = 2

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(kinds: int) -> None:
    """Put this process, and for new processes its children, into namespaces of its own; raises OSError."""
    _check(_libc.unshare(ctypes.c_int(kinds)), "unshare")


def enter(namespace: Path, kind: int) -> None:
    """Put this thread into a namespace that is there; raises OSError."""
    descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(descriptor, ctypes.c_int(kind)), f"setns {namespace}")
    finally:
        os.close(descriptor)


@contextmanager
def in_network(name: str) -> Iterator[None]:
    """Sockets, devices and processes that the block makes belong to the named network, and stay there afterwards."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(NAMED_NETWORKS / name, NEW_NETWORK)
        try:
            yield
        finally:
            _check(_libc.setns(home, NEW_NETWORK), "setns back")
    finally:
        os.close(home)


def make_mounts_private() -> None:
    """Mounts made from here on are seen in this namespace only."""
    _check(_libc.mount(None, b"/", None, ctypes.c_ulong(_MS_REC_PRIVATE), None), "mount --make-rprivate /")


def mount(kind: str, target: str, options: str = "") -> None:
    """Mount a fresh file system of a kind such as tmpfs or proc; raises OSError."""
    flags = ctypes.c_ulong(_NOT_FROM_HERE)
    arguments = (kind.encode(), target.encode(), kind.encode(), flags, options.encode() or None)
    _check(_libc.mount(*arguments), f"mount {kind} on {target}")


def death_signal() -> int:
    """The signal that this process gets when its parent dies; 0 for none."""
    found = ctypes.c_int()
    _check(_libc.prctl(_PR_GET_PDEATHSIG, ctypes.byref(found), 0, 0, 0), "prctl")
    return found.value


def set_death_signal(number: int) -> None:
    """Get that signal when the parent dies. The kernel forgets it where the process changes its user."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0), "prctl")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
