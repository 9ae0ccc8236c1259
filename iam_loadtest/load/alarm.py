"""Be called at a moment of this process's clock, to within a fraction of a millisecond where the system can.

The event loop's own timers count in whole milliseconds and end up to one late: too much where arrivals are to be on
time. Linux has timers that are files (timerfd_create(2)), which the loop waits for as it does for a socket.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from gevent.hub import get_hub

from iam_loadtest.load.clock import now_us

_CLOCK_MONOTONIC = 1
_ABSOLUTE = 1
_READABLE = 1


class Alarm(Protocol):
    """Calls back from the event loop: what it calls must not wait for anything."""

    def set(self, moment_us: int) -> None:
        """Call back once at the moment, or soon where it is past; instead of an earlier one."""

    def close(self) -> None:
        """Call no more, and give up what the system lent."""


class LoopAlarm:
    """The event loop's timer, which any system has."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._timer: Any = None

    def set(self, moment_us: int) -> None:
        """See :class:`Alarm`."""
        self.close()
        self._timer = get_hub().loop.timer(max(moment_us - now_us(), 0) / 1e6)
        self._timer.start(self._ring, moment_us, update=True)

    def close(self) -> None:
        """See :class:`Alarm`."""
        if self._timer is not None:
            self._timer.close()
            self._timer = None

    def _ring(self, moment_us: int) -> None:
        """Call, or wait for what is left: the loop's milliseconds may end early."""
        if now_us() < moment_us:
            self.set(moment_us)
        else:
            self._call()


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class FileAlarm:
    """A timer of Linux on the clock that :func:`now_us` reads; raises OSError where the system gives none."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._library = ctypes.CDLL(None, use_errno=True)
        self._file = self._library.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "no timer")
        self._spec = _TimerSpec()
        loop = get_hub().loop
        self._watcher = loop.io(self._file, _READABLE, priority=loop.MAXPRI)  # before any answer that came meanwhile
        self._watcher.start(self._ring)

    def set(self, moment_us: int) -> None:
        """See :class:`Alarm`."""
        seconds, left_us = divmod(max(moment_us, 1), 1_000_000)
        self._spec.value.seconds, self._spec.value.nanoseconds = seconds, left_us * 1000
        if self._library.timerfd_settime(self._file, _ABSOLUTE, ctypes.byref(self._spec), None) < 0:
            raise OSError(ctypes.get_errno(), "the timer cannot be set")

    def close(self) -> None:
        """Close the timer's file."""
        if self._file >= 0:
            self._watcher.stop()
            self._watcher.close()
            os.close(self._file)
            self._file = -1

    def _ring(self) -> None:
        with suppress(BlockingIOError):  # set anew meanwhile
            os.read(self._file, 8)
            self._call()


def alarm(call: Callable[[], None]) -> Alarm:
    """The best that the system has."""
    if sys.platform == "linux":
        try:
            return FileAlarm(call)
        except (OSError, AttributeError):  # no file left, or a C library without it
            pass
    return LoopAlarm(call)
