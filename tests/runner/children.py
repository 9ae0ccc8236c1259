"""Processes in tests: programs to start, and whether something still runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from iam_loadtest.runner import guard

PATIENCE_S = 60.0
SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


def guarded(mode: str, *command: str, parent: int | None = None) -> list[str]:
    """The command under the guard, as the runner starts it."""
    return [sys.executable, "-I", "-S", guard.__file__, mode, str(parent or os.getpid()), *command]


def python(code: str) -> list[str]:
    """A Python program of this code."""
    return [sys.executable, "-c", code]


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether the condition holds before patience runs out."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)  # polls the state of other processes
    return True


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def pid_in(path: Path) -> int:
    """The number that a program wrote into a file, once it is there."""
    assert eventually(lambda: path.is_file() and path.read_text(encoding="utf-8").strip() != ""), f"{path} never came"
    return int(path.read_text(encoding="utf-8"))


def writes_its_pid(path: Path, then: str = "import time; time.sleep(600)") -> str:
    """Code that writes its process id into a file in one step, then goes on."""
    return (
        f"import os; open({str(path)!r} + '.tmp', 'w').write(str(os.getpid())); "
        f"os.replace({str(path)!r} + '.tmp', {str(path)!r}); {then}"
    )


def daemon(path: Path) -> str:
    """Code of a daemon by the book: two forks, a session of its own, no tie to whoever started it."""
    return f"""
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        {writes_its_pid(path)}
    os._exit(0)
os.wait()
while not os.path.exists({str(path)!r}):
    time.sleep(0.01)
"""


def ended(process: subprocess.Popen[bytes]) -> int:
    """The exit code, once the process has ended."""
    return process.wait(PATIENCE_S)
