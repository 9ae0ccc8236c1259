"""What the Linux kernel says about a process that had to wait: for a core, or for its container's CPU limit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_MICROSECONDS = {"throttled_usec": 1.0, "throttled_time": 1e-3}
"""Keys of cpu.stat in version 2 and version 1 of cgroups, the latter in nanoseconds."""


def waited_us(schedstat: Path = Path("/proc/self/schedstat")) -> int | None:
    """How long the main thread was ready to run while others had the cores; None where the kernel does not say."""
    try:
        return int(schedstat.read_text(encoding="ascii").split()[1]) // 1000
    except (OSError, IndexError, ValueError):
        return None


class Throttling:
    """How long CPU limits of this process's cgroup, and of those around it, held their processes back."""

    def __init__(self, own: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> None:
        found = (path.resolve() for path in _statistics_files(own, root) if _throttled_us(path) is not None)
        self._files = tuple(dict.fromkeys(found))

    def total_us(self) -> int | None:
        """Since the cgroups exist, and over all their cores; None where nothing says so."""
        known = [used for used in map(_throttled_us, self._files) if used is not None]
        return int(sum(known)) if known else None


def _statistics_files(own: Path, root: Path) -> Iterator[Path]:
    """Every cpu.stat that counts for this process, from its own cgroup upwards."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "" or "cpu" in controllers.split(","):
            for mount in (root / "unified", root) if controllers == "" else (root / controllers, root / "cpu"):
                inside = mount / path.lstrip("/")
                yield from (group / "cpu.stat" for group in (inside, *inside.parents) if group.is_relative_to(mount))


def _throttled_us(statistics: Path) -> float | None:
    try:
        pairs = [line.split() for line in statistics.read_text(encoding="ascii").splitlines()]
        return next((int(value) * _MICROSECONDS[key] for key, value in pairs if key in _MICROSECONDS), None)
    except (OSError, ValueError):
        return None
