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

JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"


class Runner:
    """As much of Locust's master as is needed."""

    def __init__(self) -> None:
        self.clients = {"w1": SimpleNamespace(state=STATE_INIT)}
        self.listeners: dict[str, Callable[[Any], None]] = {}
        self.heard: list[tuple[str, str]] = []

    def register_message(self, kind: str, listener: Callable[[Any], None], **_: Any) -> None:
        self.listeners[kind] = listener

    def handle_message(self, client_id: str, msg: Any) -> None:
        self.heard.append((client_id, msg.type))


def test_trouble_is_taken_from_workers_alone_and_the_first_one_counts() -> None:
    runner, told = Runner(), list[str]()
    events = SimpleNamespace(worker_report=SimpleNamespace(add_listener=lambda _: None))
    master = Master(SimpleNamespace(runner=runner, events=events), told.append)
    for node_id, text in (("stranger", "stop it"), ("w1", "no secret"), ("w1", "again")):
        runner.listeners[message.TROUBLE](SimpleNamespace(node_id=node_id, data={"text": text}))
    assert (master.trouble, told) == ("no secret", ["no secret"])


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
