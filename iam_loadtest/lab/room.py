"""Where the databases of a lab stand: in memory where that has room for them, else on disk.

In memory the disk of the machine is no part of what is compared, and nothing has to be deleted at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import psutil

from iam_loadtest.lab import kernel

Room = Literal["memory", "disk"]
LEAST_BYTES = 768 << 20
"""For one server: what it begins with is 50 MiB, and ten minutes of load may add some hundred."""
_LIMITS = ("memory.max", "memory.limit_in_bytes")
"""Of cgroups in version 2 and in version 1."""


def make_room(directories: Sequence[Path]) -> Room:
    """Make the directories; in memory they are seen inside the lab only, which must have mounts of its own.

    Together they may take up half of the memory that is free. Without a server there is a file of SQLite, on disk.
    """
    for directory in directories:
        directory.mkdir(parents=True)
    each_bytes = free_bytes() // 2 // len(directories) if directories else 0
    if each_bytes < LEAST_BYTES:
        return "disk"
    for directory in directories:
        kernel.mount("tmpfs", str(directory), f"size={each_bytes},mode=0700")
    return "memory"


def free_bytes(own: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> int:
    """Memory that may still be used: what the machine has left, or half of what a container may have at all."""
    limits = [limit // 2 for limit in _limits(own, root)]
    return min([psutil.virtual_memory().available, *limits])


def _limits(own: Path, root: Path) -> Iterator[int]:
    """Every limit that holds for this process, from its own cgroup upwards; a cgroup without one says max."""
    for line in own.read_text(encoding="ascii").splitlines() if own.is_file() else ():
        _, controllers, path = line.split(":", 2)
        place = root / controllers / path.lstrip("/")
        for directory in (place, *place.parents):
            if not directory.is_relative_to(root):
                break
            for name in _LIMITS:
                text = _text(directory / name)
                if text.isdigit():
                    yield int(text)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
