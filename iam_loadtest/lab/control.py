"""See to a lab from outside: is it running, end it, run a command in one of its networks."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from iam_loadtest.errors import UserError
from iam_loadtest.lab import kernel
from iam_loadtest.lab.launch import LOCK_FILE, remove_data, require_own
from iam_loadtest.lab.process import plain_environment
from iam_loadtest.results.lab_state import LabState, read_lab_state

_PATIENCE_S = 5.0
_CLEARED_WITHIN_S = 60.0
_POLL_S = 0.02
_BEGINS_WITHIN_S = 2.0
"""From the lock to the numbers of its processes in the file."""


@dataclass(frozen=True)
class RunningLab:
    """A lab that is there: the process that started it, its process 1 as seen from here, and its state."""

    launcher: int
    supervisor: int
    state: LabState


def running_lab(base: Path, launcher: int | None = None) -> RunningLab | None:
    """The lab in a directory; None where none is running, whatever an earlier one left there.

    Where ``launcher`` is given, one that another process started counts for none. Raises UserError where the lab is one
    of another version, or the directory is not this user's alone.
    """
    processes = _processes(base)
    if processes is None or launcher not in (None, processes[0]):
        return None
    state = read_lab_state(base)
    return RunningLab(*processes, state) if state else None


def last_problem(base: Path) -> str | None:
    """Why the last lab in a directory of one's own failed; None where it did not, or nobody was left to say it."""
    state = read_lab_state(base) if base.is_dir() else None
    return state.problem if state else None


def take_down(base: Path) -> bool:
    """End the lab in a directory and wait until all of it is gone; whether there was one. Its version does not matter.

    Its processes end at once; deleting what databases kept on a busy disk takes longer, and is waited for, too.
    Raises UserError where the directory is not this user's alone.
    """
    processes = _processes(base)
    if processes is None:
        if (base / LOCK_FILE).is_file():
            remove_data(base)
        return False
    _signal(processes[0], signal.SIGTERM)
    if not (_ended(processes[1]) and _gone(base, _CLEARED_WITHIN_S)):
        _signal(processes[0], signal.SIGKILL)
        if not _gone(base, _PATIENCE_S):
            raise UserError(f"{base}: process {processes[1]} of the lab does not end, not even by SIGKILL.")
        remove_data(base)
    return True


def execute_in(base: Path, node: str, command: Sequence[str]) -> int:
    """The exit code of a command that ran in a host's network, with the lab's own processes and mounts in sight.

    As a shell has it, 128 and the signal's number where a signal ended it.

    This process itself goes into the lab for it, and cannot leave.
    """
    found = running_lab(base)
    if found is None:
        raise UserError(f"no lab is running in {base}; start one with `iam-loadtest lab up`.")
    here = _here()
    _enter(Path(f"/proc/{found.supervisor}/ns"), node)
    try:
        where = here if here.is_dir() else "/"
        code = subprocess.run(list(command), env=plain_environment(), cwd=where, check=False).returncode  # noqa: S603  asked for
    except OSError as error:
        raise UserError(f"{command[0]}: cannot be started: {error.strerror}.") from error
    return code if code >= 0 else 128 - code


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError:  # it was removed
        return Path("/")


def _enter(namespaces: Path, node: str) -> None:
    kinds = {"user": kernel.NEW_USER, "pid": kernel.NEW_PROCESSES, "mnt": kernel.NEW_MOUNTS, "net": kernel.NEW_NETWORK}
    if (namespaces / "user").stat().st_ino == Path("/proc/self/ns/user").stat().st_ino:
        del kinds["user"]
    try:
        for name, kind in kinds.items():
            kernel.enter(namespaces / name if name != "net" else _network(node), kind)
    except OSError as error:
        raise UserError(f"the lab cannot be entered: {error.strerror}; do it as the user who started it.") from error


def _network(node: str) -> Path:
    """The network of a node, by its name alone; the lab's own mounts must be in sight."""
    known = {path.name: path for path in kernel.NAMED_NETWORKS.iterdir()}
    if node not in known:
        raise UserError(f"the lab has no node {node!r}; it has: {', '.join(sorted(known))}.")
    return known[node]


def _processes(base: Path) -> tuple[int, int] | None:
    """Launcher and supervisor while they run: they hold a lock, which no process id that was used again can fake."""
    if not os.path.lexists(base):
        return None
    require_own(base)
    try:
        descriptor = os.open(base / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        deadline = time.monotonic() + _BEGINS_WITHIN_S
        while _is_locked(descriptor):
            numbers = os.pread(descriptor, 64, 0).split()
            if len(numbers) == 2:
                return int(numbers[0]), int(numbers[1])
            if time.monotonic() >= deadline:
                raise UserError(f"{base}: a lab is just beginning or ending there; try again.")
            time.sleep(_POLL_S)
    finally:
        os.close(descriptor)
    return None


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _ended(process: int) -> bool:
    """Whether a process ends in time; its parent may not have taken note of that yet."""
    return _until(lambda: _state_of(process) in ("", "Z", "X"), _PATIENCE_S)


def _state_of(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _gone(base: Path, within_s: float) -> bool:
    return _until(lambda: _processes(base) is None, within_s)


def _until(is_so: Callable[[], bool], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not is_so():
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
