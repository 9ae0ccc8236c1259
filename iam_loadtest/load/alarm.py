"""Sleep until a moment of this process's clock, to within a fraction of a millisecond where the system can.

The event loop's own timers count in whole milliseconds and end up to one late: too much where arrivals are to be on
time. Linux has timers that are files (timerfd_create(2)), which the loop waits for as it does for a socket.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Protocol

import gevent
from gevent.hub import get_hub

from iam_loadtest.load.clock import now_us

_CLOCK_MONOTONIC = 1
_ABSOLUTE = 1
_READABLE = 1


class Alarm(Protocol):
    """Wakes one greenlet."""

    def sleep_until(self, moment_us: int) -> None:
        """Let other greenlets run, at least once, until the moment has come."""

    def close(self) -> None:
        """Give up what the system lent."""


class LoopAlarm:
    """The event loop's timer, which any system has."""

    def sleep_until(self, moment_us: int) -> None:
        """See :class:`Alarm`."""
        gevent.sleep(max(moment_us - now_us(), 0) / 1e6)

    def close(self) -> None:
        """Nothing was lent."""


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class FileAlarm:
    """A timer of Linux on the clock that :func:`now_us` reads; raises OSError where the system gives none."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None, use_errno=True)
        self._file = self._library.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._file < 0:
            raise OSError(ctypes.get_errno(), "no timer")
        self._watcher = get_hub().loop.io(self._file, _READABLE)

    def sleep_until(self, moment_us: int) -> None:
        """See :class:`Alarm`."""
        if moment_us <= now_us():
            gevent.sleep(0)
            return
        value = _Timespec(moment_us // 1_000_000, moment_us % 1_000_000 * 1000)
        spec = _TimerSpec(_Timespec(0, 0), value)
        if self._library.timerfd_settime(self._file, _ABSOLUTE, ctypes.byref(spec), None) < 0:
            raise OSError(ctypes.get_errno(), "the timer cannot be set")
        get_hub().wait(self._watcher)
        os.read(self._file, 8)

    def close(self) -> None:
        """Close the timer's file."""
        if self._file >= 0:
            self._watcher.stop()
            self._watcher.close()
            os.close(self._file)
            self._file = -1


def alarm() -> Alarm:
    """The best that the system has."""
    if sys.platform == "linux":
        try:
            return FileAlarm()
        except (OSError, AttributeError):  # no file left, or a C library without it
            pass
    return LoopAlarm()
