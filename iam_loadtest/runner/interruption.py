"""Ctrl-C, SIGTERM and a lost terminal: a run stops where it can stop cleanly, once, however often it is asked."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """While the block runs, a signal raises KeyboardInterrupt inside :meth:`interruptible` alone, and only once.

    Elsewhere, as while processes are being ended or a trial is written down, it is noted in ``requested``. A SIGHUP
    that is ignored (nohup) stays ignored. Main thread only.
    """

    def __init__(self) -> None:
        self.requested = False
        self._is_armed = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """A part that a signal may break off; raises KeyboardInterrupt at once where one has come already."""
        self._is_armed = True
        try:
            if self.requested:
                raise KeyboardInterrupt
            yield
        finally:
            self._is_armed = False

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True
        if self._is_armed:
            self._is_armed = False
            raise KeyboardInterrupt
