"""Hold every packet between two devices back for a while: latency where the kernel has no netem.

``python delay_line.py A B FILE`` reads from the inherited descriptors A and B, of TUN devices or packet sockets, writes
each packet to the other one some time after it came, and ends when it is told to. FILE says ``DELAY_US JITTER_US
LOSS``; it is read again on SIGHUP. Packets never overtake each other. Standard library only: it starts at once.
"""

from __future__ import annotations

import ctypes
import os
import random
import select
import signal
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

_LARGEST_PACKET = 65_600
_AT_ONCE = 64
"""Packets taken in before what is due is sent, so that one busy direction does not hold the other up."""
_QUEUE_LIMIT = 20_000
_LONGEST_WAIT_S = 1.0
_PR_SET_TIMERSLACK = 29


@dataclass
class Direction:
    """Packets on their way from one device to the other, each with the time at which it is due."""

    source: int
    sink: int
    delay_s: float
    jitter_s: float = 0.0
    loss: float = 0.0
    chance: Callable[[], float] = random.random
    waiting: deque[tuple[float, bytes]] = field(default_factory=deque)
    last_due_s: float = 0.0

    def take(self, packet: bytes, now_s: float) -> None:
        """Queue a packet that came now, unless it is lost or the queue is full."""
        if len(self.waiting) >= _QUEUE_LIMIT or (self.loss and self.chance() < self.loss):
            return
        due_s = now_s + self.delay_s
        if self.jitter_s:
            due_s = max(self.last_due_s, due_s + (2 * self.chance() - 1) * self.jitter_s)
            self.last_due_s = due_s
        self.waiting.append((due_s, packet))

    def take_in(self) -> None:
        """Take what the source has, up to a bound."""
        try:
            for _ in range(_AT_ONCE):
                self.take(os.read(self.source, _LARGEST_PACKET), time.monotonic())
        except BlockingIOError:
            return

    def send_due(self, now_s: float) -> None:
        """Send what is due; a packet that the kernel refuses is a lost packet, as on a wire."""
        while self.waiting and self.waiting[0][0] <= now_s:
            _, packet = self.waiting.popleft()
            try:
                os.write(self.sink, packet)
            except OSError:
                continue

    def next_due_s(self) -> float:
        """When its first packet is due; far in the future where there is none."""
        return self.waiting[0][0] if self.waiting else float("inf")


def run(there: Direction, back: Direction) -> None:
    """Carry packets both ways until the process is ended."""
    by_source = {there.source: there, back.source: back}
    while True:
        wait_s = min(there.next_due_s(), back.next_due_s()) - time.monotonic()
        readable, _, _ = select.select(by_source, (), (), max(0.0, min(wait_s, _LONGEST_WAIT_S)))
        for source in readable:
            by_source[source].take_in()
        now_s = time.monotonic()
        there.send_due(now_s)
        back.send_due(now_s)


def reshape(file: str, *directions: Direction) -> None:
    """Treat packets from now on as the file says; those that wait keep their time."""
    with open(file, encoding="ascii") as text:  # noqa: PTH123  pathlib would take longer to import than the rest
        delay_us, jitter_us, loss = text.read().split()
    for direction in directions:
        direction.delay_s, direction.jitter_s, direction.loss = int(delay_us) / 1e6, int(jitter_us) / 1e6, float(loss)


def ask_for_punctuality() -> None:
    """Real-time scheduling where the process may have it, else a better place in the queue, else the common one."""
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError:
        try:
            os.nice(-10)
        except OSError:
            return


def main(arguments: list[str]) -> None:
    """Do what the module's docstring says."""
    first, second, file = int(arguments[0]), int(arguments[1]), arguments[2]
    there, back = Direction(first, second, 0.0), Direction(second, first, 0.0)
    reshape(file, there, back)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, lambda *_: reshape(file, there, back))
    ask_for_punctuality()
    run(there, back)


if __name__ == "__main__":
    main(sys.argv[1:])
