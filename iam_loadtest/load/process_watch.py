"""End a process of a trial when the runner that started it is gone, even by kill -9."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import gevent

PARENT_PID_VARIABLE = "IAM_LOADTEST_PARENT_PID"
_LOOK_S = 0.5
_LAST_MOMENT_S = 20.0


def watch_parent(parent_pid: int, ask_to_end: Callable[[], None]) -> None:
    """A greenlet's body: once the parent is another process, ask to end; end hard where that takes too long."""
    while os.getppid() == parent_pid:
        gevent.sleep(_LOOK_S)
    ask_to_end()
    gevent.sleep(_LAST_MOMENT_S)
    os._exit(1)


def end_by_signal() -> None:
    """Ask this process to end as SIGTERM does."""
    os.kill(os.getpid(), signal.SIGTERM)
