"""CPU and memory of servers, each with every process of the session that it leads, as the kernel accounts for them."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence

LOOKS_A_MEMORY = 5
"""Memory is read at every fifth look and stands for those between."""
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class ProcessWatch:
    """Remembers what each server had used when it was last looked at."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, int], tuple[float, float]] = {}
        self._memory_mib: dict[tuple[str, int], float] = {}
        self._looks = 0

    def look(self, leaders: Mapping[str, int]) -> dict[str, dict[str, float]]:
        """CPU since the last look in percent of a core, and memory in MiB, of those that run.

        Memory that several processes share is counted in parts (PSS), so that servers add up. The kernel walks every
        page for it, so it is asked for once in a while only.
        """
        sessions = _sessions()
        if self._looks % LOOKS_A_MEMORY == 0:
            self._memory_mib.clear()
        self._looks += 1
        found = {}
        used: dict[tuple[str, int], tuple[float, float]] = {}
        for name, leader in leaders.items():
            own = sessions.get(leader)
            if not own:
                continue
            now_s, cpu_s = time.monotonic(), sum(seconds for _, seconds in own)
            used[name, leader] = (now_s, cpu_s)
            before = self._used.get((name, leader))
            if (name, leader) not in self._memory_mib:
                self._memory_mib[name, leader] = round(sum(_pss_kib(pid) for pid, _ in own) / 1024, 1)
            found[name] = {"pss_mib": self._memory_mib[name, leader]}
            if before:
                found[name]["cpu_percent"] = round(max(100 * (cpu_s - before[1]) / (now_s - before[0]), 0.0), 1)
        self._used = used
        return found


def _sessions() -> dict[int, Sequence[tuple[int, float]]]:
    """Every process that is in sight with its CPU seconds, by session."""
    found: dict[int, list[tuple[int, float]]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208  many times a second
        if name.isdigit() and (seen := _seen(int(name))):
            session, cpu_s = seen
            found.setdefault(session, []).append((int(name), cpu_s))
    return dict(found)


def _seen(pid: int) -> tuple[int, float] | None:
    """Session and CPU seconds; the name in /proc may hold any character."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123  many times a second
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return int(fields[3]), cpu_seconds(pid, [int(ticks) for ticks in fields[11:15]])


def cpu_seconds(pid: int, ticks: Sequence[int]) -> float:
    """From a process's own time, user and system, and that of the children whose end it has taken note of.

    Children count, since what a server started is in its session. Process 1 of a lab takes note of the end of servers
    and of their orphans: all that these ever used would be its own in the second in which a fault ends one.
    """
    return sum(ticks[:2] if pid == 1 else ticks) / _TICKS_PER_S


def _pss_kib(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:  # noqa: PTH123  many times a second
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0
