"""Run a command that must not outlive the process that asked for it. Linux only; no import beyond the standard library.

``python guard.py exec PARENT_PID COMMAND...`` becomes the command, which the kernel kills with its parent.
``python guard.py supervise PARENT_PID COMMAND...`` stays above it and, when the command or the parent ends, kills
whatever the command left running, daemons included.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_POLL_S = 0.05


def main(arguments: list[str]) -> int:
    """Do what the module's docstring says; the exit code is the command's."""
    mode, parent, *command = arguments
    _set_process_option(_PR_SET_PDEATHSIG, signal.SIGKILL if mode == "exec" else signal.SIGTERM)
    if os.getppid() != int(parent):
        return 1
    return _become(command) if mode == "exec" else _supervise(command)


def _become(command: list[str]) -> int:
    try:
        os.execvp(command[0], command)  # noqa: S606  the runner asks for it, no shell is wanted
    except OSError as error:
        return _cannot_start(command[0], error)


def _supervise(command: list[str]) -> int:
    _set_process_option(_PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return subprocess.run(command, check=False).returncode  # noqa: S603  the scenario's own hook
    except OSError as error:
        return _cannot_start(command[0], error)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _end_descendants()


def _cannot_start(program: str, error: OSError) -> int:
    sys.stderr.write(f"{program}: cannot be started: {error.strerror}\n")
    return 127


def _end_descendants() -> None:
    """Kill children until none is left: orphans of a killed child come to this process, the subreaper."""
    while children := _children():
        for child in children:
            os.kill(child, signal.SIGKILL)
        time.sleep(_POLL_S)
        _reap()


def _children() -> list[int]:
    return [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        return


def _set_process_option(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
