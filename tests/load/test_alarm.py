"""Being called at a moment: never before, whatever the system has."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import gevent
import pytest
from gevent.event import Event

from iam_loadtest.load.alarm import Alarm, LoopAlarm, alarm
from iam_loadtest.load.clock import now_us

KINDS = pytest.mark.parametrize("kind", [alarm, LoopAlarm])
Kind = Callable[[Callable[[], None]], Alarm]


@KINDS
@pytest.mark.parametrize("ahead_us", [2_000, 300, 0, -1_000])
def test_it_calls_at_the_moment_or_soon_where_that_is_past(kind: Kind, ahead_us: int) -> None:
    rung = Event()
    with closing(kind(rung.set)) as clock:
        for _ in range(3):
            moment_us = now_us() + ahead_us
            clock.set(moment_us)
            assert not rung.is_set(), "only the event loop calls"
            assert rung.wait(60)
            assert now_us() >= moment_us
            rung.clear()


@KINDS
def test_the_moment_that_was_set_last_counts_and_it_calls_once(kind: Kind) -> None:
    calls: list[int] = []
    with closing(kind(lambda: calls.append(now_us()))) as clock:
        clock.set(now_us())
        moment_us = now_us() + 5_000
        clock.set(moment_us)
        with gevent.Timeout(60):
            while not calls:
                gevent.sleep(0.001)
        gevent.sleep(0.02)
    assert len(calls) == 1
    assert calls[0] >= moment_us


@KINDS
def test_it_can_be_closed_twice_and_is_silent_then(kind: Kind) -> None:
    calls: list[int] = []
    clock = kind(lambda: calls.append(1))
    clock.set(now_us() + 1_000)
    clock.close()
    clock.close()
    gevent.sleep(0.005)
    assert calls == []
