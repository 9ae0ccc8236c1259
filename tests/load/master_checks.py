"""The master listens to the workers of its test alone, and repeats nothing of them that it should not."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from locust.runners import STATE_INIT

from iam_loadtest.load import message
from iam_loadtest.load.admission import Admission
from iam_loadtest.load.master import Master, said_elsewhere
from iam_loadtest.load.setup import Choices, setup_of_choices

JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"


class Runner:
    """As much of Locust's master as is needed."""

    def __init__(self) -> None:
        self.clients = {"w1": SimpleNamespace(state=STATE_INIT)}
        self.listeners: dict[str, Callable[[Any], None]] = {}
        self.heard: list[tuple[str, str]] = []
        self.sent: list[tuple[str, str, Any]] = []

    def get_worker_index(self, client_id: str) -> str:
        return client_id

    def send_message(self, kind: str, data: Any, client_id: str) -> None:
        self.sent.append((client_id, kind, data))

    def register_message(self, kind: str, listener: Callable[[Any], None], **_: Any) -> None:
        self.listeners[kind] = listener

    def handle_message(self, client_id: str, msg: Any) -> None:
        self.heard.append((client_id, msg.type))


def master_of(runner: Runner, told: list[str]) -> Master:
    events = SimpleNamespace(worker_report=SimpleNamespace(add_listener=lambda _: None))
    return Master(SimpleNamespace(runner=runner, events=events), told.append)


def test_trouble_is_taken_from_workers_alone_and_the_first_one_counts() -> None:
    runner, told = Runner(), list[str]()
    master = master_of(runner, told)
    for node_id, text in (("stranger", "stop it"), ("w1", "no secret"), ("w1", "again")):
        runner.listeners[message.TROUBLE](SimpleNamespace(node_id=node_id, data={"text": text}))
    assert (master.trouble, told) == ("no secret", ["no secret"])


def test_a_worker_that_comes_during_a_test_is_told_what_to_do_and_counts() -> None:
    """Locust gives it users. A stranger that Locust does not know gets no answer, nor one that comes at the end."""
    runner = Runner()
    master = master_of(runner, [])
    gathering = master.begin(setup_of_choices(Choices()))
    runner.clients["w2"] = SimpleNamespace(state=STATE_INIT)
    for node_id in ("w2", "stranger", "w1"):
        runner.listeners[message.JOIN](SimpleNamespace(node_id=node_id))
    told = [(client_id, data["slot"], data["slots"]) for client_id, _, data in runner.sent]
    assert told == [("w1", 0, 1), ("w2", 1, 2), ("w1", 0, 2)], "who was told already and did not hear is told again"
    assert {kind for _, kind, _ in runner.sent} == {message.BEGIN}
    assert gathering.workers == 2
    runner.clients.clear()
    master.finish(0)
    runner.clients["w3"] = SimpleNamespace(state=STATE_INIT)
    runner.listeners[message.JOIN](SimpleNamespace(node_id="w3"))
    assert gathering.workers == 2
    assert len(runner.sent) == 3


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"text": "worker on h: variable A is not set;\nset it."}, "worker on h: variable A is not set; set it."),
        ({"text": f"bad {JWT} password=hidden x"}, "bad <token> password=<secret> x"),
        ({"text": "red \x1b[31m and \u202e back"}, "red [31m and back"),
        ({"text": "a" * 10_000}, "a" * 499 + "…"),
        ({"text": ["x"]}, "a worker did not say what its trouble is"),
        (None, "a worker did not say what its trouble is"),
    ],
)
def test_the_text_of_another_host_is_one_short_line_without_tokens(data: object, expected: str) -> None:
    assert said_elsewhere(data) == expected


def test_nobody_is_heard_in_the_name_of_another_and_nobody_joins_late() -> None:
    runner = Runner()
    admission = Admission(runner, 2)
    for client_id, node_id, kind in (
        ("w1", "w1", message.FINISHED),
        ("stranger", "w1", message.FINISHED),
        ("w2", "w2", "client_ready"),
    ):
        runner.handle_message(client_id, SimpleNamespace(node_id=node_id, type=kind))
    admission.close()
    runner.handle_message("w3", SimpleNamespace(node_id="w3", type="client_ready"))
    assert runner.heard == [("w1", message.FINISHED), ("w2", "client_ready")]
