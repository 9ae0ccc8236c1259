"""One open connection: deadlines that belong to their own exchange, and what a server does to an idle one."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
from gevent.monkey import get_original

from iam_loadtest.embedded.self_signed import self_signed_context
from iam_loadtest.load.clock import now_us
from iam_loadtest.load.connection import Connection, TlsConnection

BIG = b"x" * 8_000_000
"""More than the buffers of both ends hold."""


@pytest.fixture
def pair() -> Iterator[tuple[Connection, socket.socket]]:
    """A connection and the socket at its other end."""
    ours, theirs = get_original("socket", "socketpair")()
    connection = Connection(ours.detach())
    yield connection, theirs
    connection.close()
    theirs.close()


def in_s(seconds: float) -> float:
    return time.monotonic() + seconds


def test_what_the_other_end_sends_is_received_whole_and_in_order(pair: tuple[Connection, socket.socket]) -> None:
    connection, theirs = pair
    connection.begin(in_s(60))
    connection.send(b"question")
    assert theirs.recv(100) == b"question"
    gevent.spawn_later(0.01, theirs.send, b"an")
    gevent.spawn_later(0.02, theirs.send, b"swer")
    assert connection.receive() + connection.receive() == b"answer"


def test_the_end_of_the_stream_is_no_bytes(pair: tuple[Connection, socket.socket]) -> None:
    connection, theirs = pair
    connection.begin(in_s(60))
    gevent.spawn_later(0.01, theirs.shutdown, socket.SHUT_WR)
    assert connection.receive() == b""


def test_silence_ends_at_the_deadline(pair: tuple[Connection, socket.socket]) -> None:
    connection, _ = pair
    started = time.monotonic()
    connection.begin(in_s(0.1))
    with pytest.raises(TimeoutError):
        connection.receive()
    assert time.monotonic() - started >= 0.1


def test_a_deadline_is_that_of_its_own_exchange(pair: tuple[Connection, socket.socket]) -> None:
    """The timer of the first exchange, 0.2 s, ends within the second, which has until 0.5 s."""
    connection, theirs = pair
    started = time.monotonic()
    connection.begin(in_s(0.2))
    theirs.send(b"first")
    assert connection.receive() == b"first"
    connection.begin(started + 0.5)
    with pytest.raises(TimeoutError):
        connection.receive()
    assert time.monotonic() - started >= 0.5


def test_a_timer_that_ends_between_two_exchanges_is_wound_up_again(pair: tuple[Connection, socket.socket]) -> None:
    connection, theirs = pair
    connection.begin(in_s(0.05))
    theirs.send(b"first")
    assert connection.receive() == b"first"
    gevent.sleep(0.1)
    connection.begin(in_s(0.05))
    with pytest.raises(TimeoutError):
        connection.receive()


def test_a_server_that_reads_nothing_ends_the_sending_at_the_deadline(pair: tuple[Connection, socket.socket]) -> None:
    connection, _ = pair
    connection.begin(in_s(0.2))
    with pytest.raises(TimeoutError):
        connection.send(BIG)


def test_a_timer_that_ends_while_sending_waits_is_wound_up_again(pair: tuple[Connection, socket.socket]) -> None:
    """The timer of the first exchange ends in the second, which is not receiving yet; its own deadline still counts."""
    connection, theirs = pair
    connection.begin(in_s(0.05))
    theirs.send(b"first")
    assert connection.receive() == b"first"

    def read_late() -> None:
        time.sleep(0.2)  # the fault itself: a peer that reads late
        left = len(BIG)
        while left:
            left -= len(theirs.recv(65_536))

    reader = threading.Thread(target=read_late)
    reader.start()
    connection.begin(in_s(2))
    connection.send(BIG)
    reader.join(60)
    with gevent.Timeout(10), pytest.raises(TimeoutError):
        connection.receive()


def test_what_a_server_said_before_it_ended_the_connection_is_received(
    pair: tuple[Connection, socket.socket],
) -> None:
    """It refuses while it is still being sent to: its answer is there, though sending fails."""
    connection, theirs = pair

    def refuse() -> None:
        theirs.send(b"too large")
        theirs.close()

    gevent.spawn_later(0.05, refuse)
    connection.begin(in_s(60))
    connection.send(BIG)
    assert connection.receive() == b"too large"


def test_a_server_that_reads_slowly_gets_every_byte(pair: tuple[Connection, socket.socket]) -> None:
    connection, theirs = pair
    got: list[int] = []

    def read_all() -> None:
        while sum(got) < len(BIG):
            got.append(len(theirs.recv(65_536)))

    reader = threading.Thread(target=read_all)
    reader.start()
    connection.begin(in_s(60))
    connection.send(BIG)
    reader.join(60)
    assert sum(got) == len(BIG)


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 408 Request Timeout\r\n\r\n"], ids=["closed", "unasked bytes"])
def test_an_idle_connection_that_the_server_touched_is_not_usable(
    pair: tuple[Connection, socket.socket], sent: bytes
) -> None:
    """Noticed by the event loop, and by a look at once."""
    connection, theirs = pair
    connection.look()
    assert connection.is_usable
    theirs.sendall(sent)
    theirs.shutdown(socket.SHUT_WR)
    connection.look()
    assert not connection.is_usable


def test_the_event_loop_alone_notices_that_an_idle_connection_ends(pair: tuple[Connection, socket.socket]) -> None:
    connection, theirs = pair
    theirs.close()
    with gevent.Timeout(60):
        while connection.is_usable:
            gevent.sleep(0.001)


def test_a_killed_user_is_awake_at_once(pair: tuple[Connection, socket.socket]) -> None:
    connection, _ = pair
    connection.begin(in_s(600))
    user = gevent.spawn(connection.receive)
    gevent.sleep(0.01)
    started = time.monotonic()
    user.kill()
    assert time.monotonic() - started < 300, "long before its deadline"


def test_the_time_of_an_answer_does_not_depend_on_how_long_another_user_takes() -> None:
    """Two answers wait; whoever's is handled first keeps the process busy for 50 ms, and both had come before."""
    ends = [get_original("socket", "socketpair")() for _ in range(2)]
    connections = [Connection(ours.detach()) for ours, _ in ends]
    received_us = []

    def user(connection: Connection) -> None:
        connection.begin(in_s(60))
        connection.receive()
        received_us.append(connection.received_us)
        get_original("time", "sleep")(0.05)

    users = [gevent.spawn(user, connection) for connection in connections]
    gevent.sleep(0)
    sent_us = now_us()
    for _, theirs in ends:
        theirs.send(b"answer")
    gevent.joinall(users)
    for connection, (_, theirs) in zip(connections, ends, strict=True):
        connection.close()
        theirs.close()
    assert received_us[0] == received_us[1] >= sent_us


@pytest.fixture
def tls_pair(tmp_path: Path) -> Iterator[tuple[TlsConnection, ssl.SSLSocket]]:
    """A connection after its handshake, and the server's end of it."""
    certificate = tmp_path / "certificate.pem"
    server_context = self_signed_context(certificate, "127.0.0.1")
    context = ssl.create_default_context(cafile=certificate)
    ours, theirs = get_original("socket", "socketpair")()
    accepted: list[ssl.SSLSocket] = []
    shaking = threading.Thread(target=lambda: accepted.append(server_context.wrap_socket(theirs, server_side=True)))
    shaking.start()
    connection = TlsConnection(ours.detach(), context, "127.0.0.1")
    connection.begin(in_s(60))
    connection.shake_hands()
    shaking.join(60)
    yield connection, accepted[0]
    connection.close()
    accepted[0].close()


def test_session_tickets_of_an_idle_connection_are_no_answer(tls_pair: tuple[TlsConnection, ssl.SSLSocket]) -> None:
    """A TLS 1.3 server sends two after the handshake, before anything was asked."""
    connection, theirs = tls_pair
    assert theirs.version() == "TLSv1.3"
    gevent.sleep(0.01)
    connection.look()
    assert connection.is_usable


def test_many_records_at_once_are_received_whole_over_tls(tls_pair: tuple[TlsConnection, ssl.SSLSocket]) -> None:
    connection, theirs = tls_pair
    connection.begin(in_s(60))
    connection.send(b"question")
    assert theirs.recv(100) == b"question"
    for number in range(50):
        theirs.send(b"%03d" % number * 300)
    wanted = b"".join(b"%03d" % number * 300 for number in range(50))
    got = b""
    while len(got) < len(wanted):
        got += connection.receive()
    assert got == wanted


def test_unasked_bytes_over_tls_make_a_connection_unusable(tls_pair: tuple[TlsConnection, ssl.SSLSocket]) -> None:
    connection, theirs = tls_pair
    theirs.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    connection.look()
    assert not connection.is_usable
