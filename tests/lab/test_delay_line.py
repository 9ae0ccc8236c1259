"""Packets on the delay line: when they are due, in which order, and which are lost."""

from __future__ import annotations

import os
import socket

from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.lab.delay_line import Direction


def line(**keys: float) -> Direction:
    return Direction(source=-1, sink=-1, delay_s=0.015, **keys)  # type: ignore[arg-type]


def test_a_packet_is_due_after_the_delay() -> None:
    there = line()
    there.take(b"one", 10.0)
    assert there.next_due_s() == 10.015


def test_nothing_is_due_on_an_empty_line() -> None:
    assert line().next_due_s() == float("inf")


@given(chances=st.lists(st.floats(0, 1), min_size=2, max_size=20), gap_s=st.floats(0, 0.01))
def test_jitter_keeps_the_order_and_the_bounds(chances: list[float], gap_s: float) -> None:
    """A packet comes 10 to 20 ms after it was sent, or with the one before it."""
    drawn = iter(chances)
    there = Direction(source=-1, sink=-1, delay_s=0.015, jitter_s=0.005, chance=lambda: next(drawn))
    for number in range(len(chances)):
        there.take(b"%d" % number, number * gap_s)
    due = [due_s for due_s, _ in there.waiting]
    assert due == sorted(due)
    assert all(0.0099 <= due_s - number * gap_s <= 0.0201 for number, due_s in enumerate(due))


def test_the_share_that_is_lost_is_that_of_the_setting() -> None:
    """With a chance that runs evenly through 0 .. 1, a tenth of the packets is lost."""
    drawn = iter([number / 100 for number in range(100)])
    there = Direction(source=-1, sink=-1, delay_s=0.0, loss=0.1, chance=lambda: next(drawn))
    for _ in range(100):
        there.take(b"x", 0.0)
    assert len(there.waiting) == 90


def test_only_what_is_due_is_sent_and_a_refused_packet_is_lost() -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with near, far:
        there = Direction(source=-1, sink=os.dup(near.fileno()), delay_s=0.01)
        there.take(b"first", 1.0)
        there.take(b"second", 2.0)
        there.send_due(1.5)
        assert far.recv(64) == b"first"
        assert len(there.waiting) == 1
        os.close(there.sink)
        there.send_due(3.0)
        assert not there.waiting
