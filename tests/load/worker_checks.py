"""What a worker does where messages come late, early or not at all; its runner and its master are played here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from locust.env import Environment
from locust.runners import STATE_INIT, STATE_SPAWNING

from iam_loadtest.load import message, worker
from iam_loadtest.load.clock import now_us
from iam_loadtest.load.gathering import poll
from iam_loadtest.load.session import holder_of
from iam_loadtest.load.setup import Choices, LoadSetup, setup_of_choices
from iam_loadtest.load.users import AccessTokenUser
from iam_loadtest.load.worker import Worker

BEGIN = {"origin_us": 0, "slot": 1, "slots": 2, "order": {}}
FINISH = {"grace_s": 3.0, "audits": False}


class Runner:
    """As much of Locust's worker as is needed; pings are answered at once."""

    def __init__(self, environment: Environment, state: str) -> None:
        self.worker_state = state
        self.user_count = 0
        self.last_heartbeat_timestamp: float | None = 1.0
        self.heartbeats_at_open: list[float | None] = []
        self.sent: list[str] = []
        self.said: list[Any] = []
        self.stop_timeout: float | None = None
        self._environment = environment
        self._listeners: dict[str, Callable[..., None]] = {}

    def register_message(self, name: str, listener: Callable[..., None], concurrent: bool = False) -> None:
        self._listeners[name] = listener

    def send_message(self, name: str, data: Any = None) -> None:
        if name == message.PING:
            self.hear(message.PONG, {**data, "master_us": now_us()})
        else:
            self.sent.append(name)
            self.said.append(data)

    def hear(self, name: str, data: Any) -> None:
        self._listeners[name](msg=SimpleNamespace(data=data))

    def stop(self) -> None:
        self.stop_timeout = self._environment.stop_timeout
        self._environment.events.test_stopping.fire(environment=self._environment)

    def _send_stats(self) -> None:
        self.sent.append("stats")


def played(state: str = STATE_INIT) -> tuple[Environment, Runner]:
    """A worker and what plays its runner; its setup needs no network."""
    environment = Environment(user_classes=[AccessTokenUser])
    environment.runner = runner = Runner(environment, state)

    def setup_of(_: Any) -> LoadSetup:
        runner.heartbeats_at_open.append(runner.last_heartbeat_timestamp)
        setup = setup_of_choices(Choices(issuer="http://127.0.0.1:1/"))
        return replace(setup, target=setup.target.model_copy(update={"token_endpoint": "http://127.0.0.1:1/token"}))

    environment.worker = Worker(environment, setup_of)
    return environment, runner


def begun(environment: Environment, runner: Runner) -> None:
    """A test that began as it should."""
    runner.hear(message.BEGIN, BEGIN)
    environment.events.test_start.fire(environment=environment)
    assert poll(holder_of(environment).is_ready.is_set, 60)


def test_users_run_once_the_clocks_are_related() -> None:
    environment, runner = played()
    begun(environment, runner)
    assert holder_of(environment).admit() is not None
    assert runner.sent == []


def test_a_master_that_is_not_heard_while_the_session_opens_is_not_taken_for_gone() -> None:
    """An IAM that does not answer takes longer than Locust waits for a heartbeat: its reason must come through."""
    environment, runner = played()
    begun(environment, runner)
    assert runner.heartbeats_at_open == [None], "Locust does not look then"
    assert runner.last_heartbeat_timestamp is not None
    assert runner.last_heartbeat_timestamp > 1.0


def test_after_the_end_was_said_no_user_begins_and_the_next_test_need_not_wait() -> None:
    """A master that still ramps up starts users after it; Locust would have the worker wait for the grace again."""
    environment, runner = played()
    begun(environment, runner)
    runner.hear(message.FINISH, FINISH)
    assert holder_of(environment).admit() is None
    assert runner.sent == ["stats", message.FINISHED]
    assert (runner.stop_timeout, environment.stop_timeout) == (3.0, 0)
    begun(environment, runner)
    assert holder_of(environment).admit() is not None


def test_an_end_before_the_users_were_let_run_does_not_wait_for_them() -> None:
    environment, runner = played()
    waiting = gevent.spawn(holder_of(environment).admit)
    runner.hear(message.BEGIN, BEGIN)
    environment.events.test_start.fire(environment=environment)
    runner.hear(message.FINISH, FINISH)
    assert waiting.get(timeout=60) is None
    gevent.sleep(0.01)
    assert environment.worker._generating._probing is None, "the test that ended is not let run later"


@pytest.mark.parametrize("state", [STATE_INIT, STATE_SPAWNING], ids=["late", "before its init event"])
def test_a_worker_that_has_users_and_was_told_nothing_asks_what_they_are_to_do(state: str) -> None:
    environment, runner = played(state)
    if state == STATE_INIT:
        environment.events.test_start.fire(environment=environment)
    assert poll(lambda: message.JOIN in runner.sent, 60)
    assert not holder_of(environment).is_ready.is_set()
    runner.hear(message.BEGIN, BEGIN)
    assert poll(holder_of(environment).is_ready.is_set, 60)
    assert holder_of(environment).admit() is not None


def test_a_master_that_never_says_what_to_do_is_named_and_users_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "JOIN_PATIENCE_S", 0.01)
    environment, runner = played()
    environment.events.test_start.fire(environment=environment)
    assert poll(lambda: message.TROUBLE in runner.sent, 60)
    assert "the master did not say when the test began" in runner.said[-1]["text"]
    assert holder_of(environment).admit() is None


def test_a_worker_that_asks_is_quiet_once_the_test_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "JOIN_PATIENCE_S", 0.05)
    environment, runner = played()
    environment.events.test_start.fire(environment=environment)
    gevent.sleep(0)
    runner.hear(message.BEGIN, BEGIN)
    runner.stop()
    gevent.sleep(0.2)
    assert runner.sent == [message.JOIN], "its trouble would end the next test"
    environment.events.test_start.fire(environment=environment)
    assert poll(lambda: len(runner.sent) > 1, 60)
    assert runner.sent[1] == message.JOIN, "what was said of the last test is not true of this one"
