"""Sleeping until a moment: never less, whatever the system has."""

from __future__ import annotations

from contextlib import closing

import gevent
import pytest

from iam_loadtest.load.alarm import Alarm, LoopAlarm, alarm
from iam_loadtest.load.clock import now_us


@pytest.mark.parametrize("kind", [alarm, LoopAlarm])
def test_it_wakes_up_at_the_moment_and_others_run_meanwhile(kind: type[Alarm]) -> None:
    turns: list[int] = []
    with closing(kind()) as clock:
        for _ in range(5):
            gevent.spawn(turns.append, 1)
            moment_us = now_us() + 2_000
            clock.sleep_until(moment_us)
            assert now_us() >= moment_us
    assert len(turns) == 5


@pytest.mark.parametrize("kind", [alarm, LoopAlarm])
def test_a_moment_that_is_past_still_lets_others_run(kind: type[Alarm]) -> None:
    turns: list[int] = []
    with closing(kind()) as clock:
        gevent.spawn(turns.append, 1)
        clock.sleep_until(now_us() - 1)
        clock.sleep_until(0)
    assert turns == [1]


def test_it_can_be_closed_twice() -> None:
    clock = alarm()
    clock.close()
    clock.close()
