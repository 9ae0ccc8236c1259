"""Processes of a trial: started in a session of their own, ended with everything below them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Literal

from iam_loadtest.runner import guard

_KILL_WAIT_S = 5.0
_POLL_S = 0.05

Process = subprocess.Popen[bytes]


def start_process(
    command: Sequence[str],
    output: IO[bytes],
    environ: Mapping[str, str],
    directory: Path,
    mode: Literal["exec", "supervise"] = "exec",
) -> Process:
    """Start a command that dies with this process, its output appended to ``output``.

    It leads a session and process group of its own, so that Ctrl-C reaches the runner alone. Call it from the
    main thread: the kernel ties the child's life to the thread that started it.
    """
    guarded = [sys.executable, "-I", "-S", guard.__file__, mode, str(os.getpid()), *command]
    return subprocess.Popen(  # noqa: S603  the runner's own commands and the scenario's hooks, never a shell
        guarded,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=dict(environ),
        cwd=directory,
        start_new_session=True,
    )


def end_processes(processes: Sequence[Process], patience_s: float) -> None:
    """Ask the processes to end, wait, then kill their groups; none of them runs afterwards."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    await_end(processes, patience_s)
    for process in processes:
        _kill_group(process)
    await_end(processes, _KILL_WAIT_S)


def await_end(processes: Sequence[Process], patience_s: float) -> bool:
    """Whether all of them ended within the time."""
    deadline = time.monotonic() + patience_s
    while any(process.poll() is None for process in processes):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)
    return True


def _kill_group(process: Process) -> None:
    """Kill what is left of a process group, also where its leader has ended already."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
