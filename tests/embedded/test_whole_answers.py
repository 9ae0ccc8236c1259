"""Answers leave as one segment, and none of them stays behind."""

from __future__ import annotations

import asyncio

import pytest

from iam_loadtest.embedded.whole_answers import WholeAnswers

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class FakeTransport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.segments: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:  # type: ignore[override]  # bytes are all that is written here
        assert not self.closed
        self.segments.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@pytest.fixture
def transport() -> FakeTransport:
    return FakeTransport()


def test_head_and_body_are_one_segment(transport: FakeTransport) -> None:
    answers = WholeAnswers(transport)
    for body in (b"{}", b"\r\n"):
        answers.write(HEAD)
        answers.write(body)
    assert transport.segments == [HEAD + b"{}", HEAD + b"\r\n"]


def test_a_head_without_a_body_leaves_when_the_answer_is_complete(transport: FakeTransport) -> None:
    answers = WholeAnswers(transport)
    answers.write(HEAD)
    answers.flush()
    answers.flush()
    assert transport.segments == [HEAD]


def test_a_head_without_a_body_leaves_before_the_connection_closes(transport: FakeTransport) -> None:
    answers = WholeAnswers(transport)
    answers.write(HEAD)
    answers.close()
    assert transport.segments == [HEAD]
    assert answers.is_closing()


def test_a_client_that_waits_for_100_continue_gets_it_at_once(transport: FakeTransport) -> None:
    answers = WholeAnswers(transport)
    answers.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert transport.segments == [b"HTTP/1.1 100 Continue\r\n\r\n"]


def test_everything_else_is_the_transports(transport: FakeTransport) -> None:
    assert WholeAnswers(transport).get_extra_info("peername") == ("127.0.0.1", 1)
