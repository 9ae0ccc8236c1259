"""The handshake of clocks over messages."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gevent
import pytest

from iam_loadtest.errors import UserError
from iam_loadtest.load import clock_sync, message
from iam_loadtest.load.clock import PINGS, now_us
from iam_loadtest.load.clock_sync import ClockSync

AHEAD_US = 5_000_000


class Runner:
    """A worker's runner whose master is in the same process; its clock is five seconds ahead, and drifts on request."""

    def __init__(self) -> None:
        self.answers = True
        self.ahead_us = AHEAD_US
        self.pings = 0

    def register_message(self, name: str, handler: Callable[..., None]) -> None:
        assert name == message.PONG
        self._on_pong = handler

    def send_message(self, name: str, data: dict[str, Any]) -> None:
        assert name == message.PING
        self.pings += 1
        if self.answers:
            data = {**data, "master_us": now_us() + self.ahead_us}
            self._on_pong(msg=SimpleNamespace(data=data))


def test_a_handshake_finds_how_far_the_master_is_ahead() -> None:
    runner = Runner()
    found = ClockSync(runner).handshake()
    assert abs(found.offset_us - AHEAD_US) <= found.error_us + 1
    assert runner.pings == PINGS


def test_a_master_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_sync, "_PONG_PATIENCE_S", 0.01)
    runner = Runner()
    runner.answers = False
    with pytest.raises(UserError, match="the master does not answer the handshake of clocks"):
        ClockSync(runner).handshake()


def test_the_clock_is_followed_and_a_silent_moment_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every period; a master that is silent once is asked again."""
    monkeypatch.setattr(clock_sync, "_PONG_PATIENCE_S", 0.01)
    runner, corrections = Runner(), []
    sync = ClockSync(runner, period_s=0.01)
    first = sync.handshake()
    runner.answers = False
    following = gevent.spawn(sync.keep, first, corrections.append)
    with gevent.Timeout(20):
        while runner.pings < PINGS + 2:
            gevent.sleep(0.005)
        assert corrections == []
        runner.ahead_us = AHEAD_US + 400_000
        runner.answers = True
        while not corrections or abs(corrections[-1] - runner.ahead_us) > 20_000:
            gevent.sleep(0.005)
    following.kill()
