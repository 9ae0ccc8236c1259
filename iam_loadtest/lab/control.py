"""See to a lab from outside: is it running, end it, run a command in one of its networks."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from iam_loadtest.errors import UserError
from iam_loadtest.lab import kernel
from iam_loadtest.lab.launch import LOCK_FILE, remove_data
from iam_loadtest.lab.process import plain_environment
from iam_loadtest.results.lab_state import LabState, read_lab_state

_PATIENCE_S = 5.0
_POLL_S = 0.02


@dataclass(frozen=True)
class RunningLab:
    """A lab that is there: the process that started it, its process 1 as seen from here, and its state."""

    launcher: int
    supervisor: int
    state: LabState


def running_lab(base: Path) -> RunningLab | None:
    """The lab in a directory; None where none is running, whatever an earlier one left there."""
    processes = _processes(base)
    state = read_lab_state(base) if processes else None
    return RunningLab(*processes, state) if processes and state else None


def take_down(base: Path) -> bool:
    """End the lab in a directory and wait for its end; whether there was one."""
    processes = _processes(base)
    if processes is None:
        if (base / LOCK_FILE).is_file():
            remove_data(base)
        return False
    _signal(processes[0], signal.SIGTERM)
    if not _gone(base):
        _signal(processes[0], signal.SIGKILL)
        _gone(base)
        remove_data(base)
    return True


def execute_in(base: Path, node: str, command: Sequence[str]) -> int:
    """The exit code of a command that ran in a host's network, with the lab's own processes and mounts in sight.

    This process itself goes into the lab for it, and cannot leave.
    """
    found = running_lab(base)
    if found is None:
        raise UserError(f"no lab is running in {base}; start one with `iam-loadtest lab up`.")
    _enter(Path(f"/proc/{found.supervisor}/ns"), node)
    try:
        return subprocess.run(list(command), env=plain_environment(), check=False).returncode  # noqa: S603  asked for
    except OSError as error:
        raise UserError(f"{command[0]}: cannot be started: {error.strerror}.") from error


def _enter(namespaces: Path, node: str) -> None:
    kinds = {"user": kernel.NEW_USER, "pid": kernel.NEW_PROCESSES, "mnt": kernel.NEW_MOUNTS, "net": kernel.NEW_NETWORK}
    if (namespaces / "user").stat().st_ino == Path("/proc/self/ns/user").stat().st_ino:
        del kinds["user"]
    try:
        for name, kind in kinds.items():
            kernel.enter(namespaces / name if name != "net" else kernel.NAMED_NETWORKS / node, kind)
    except FileNotFoundError as error:
        known = ", ".join(sorted(path.name for path in kernel.NAMED_NETWORKS.iterdir()))
        raise UserError(f"the lab has no node {node!r}; it has: {known}.") from error
    except OSError as error:
        raise UserError(f"the lab cannot be entered: {error.strerror}; do it as the user who started it.") from error


def _processes(base: Path) -> tuple[int, int] | None:
    """Launcher and supervisor while they run: they hold a lock, which no process id that was used again can fake."""
    try:
        descriptor = os.open(base / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        numbers = os.pread(descriptor, 64, 0).split()
        return (int(numbers[0]), int(numbers[1])) if len(numbers) == 2 else None
    finally:
        os.close(descriptor)
    return None


def _gone(base: Path) -> bool:
    deadline = time.monotonic() + _PATIENCE_S
    while _processes(base) is not None:
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _signal(process: int, number: int) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise UserError("the lab belongs to another user; end it as that user.") from error
