"""Whatever a server sends, a request ends as an outcome within its deadline: nothing is raised, hangs or piles up.

``IAM_LOADTEST_FUZZ=100`` tries a hundred times as many (`make fuzz`).
"""

from __future__ import annotations

import gzip
import os
import socket
import ssl
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iam_loadtest.embedded.self_signed import self_signed_context
from iam_loadtest.flow.cookie_jar import CookieJar
from iam_loadtest.flow.message import Request, Response, Visit
from iam_loadtest.load.http_transport import HttpTransport, Network
from iam_loadtest.load.known_head import MAX_KNOWN, MAX_KNOWN_BYTES, KnownHeads
from iam_loadtest.load.response_reader import MAX_HEAD_BYTES, ResponseReader
from iam_loadtest.load.transport import TransportFailureError, TransportSettings, settings_of
from iam_loadtest.oidc.token_response import MAX_BODY_BYTES
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.scenario.target import Target
from tests.load.listener import GOOD, Listener, answer, listening, read_request

LONGER = int(os.environ.get("IAM_LOADTEST_FUZZ", "1"))
DEADLINE_S = 0.25
PATIENCE_S = 60.0
"""A busy machine may be late by this much."""
FEW_MB = 8 << 20


def examples(count: int) -> settings:
    """How many examples an ordinary run tries; one of them may take its time where the machine is busy."""
    return settings(max_examples=count * LONGER, deadline=None, suppress_health_check=[HealthCheck.too_slow])


HEADERS = st.one_of(
    st.sampled_from(
        [
            b"Content-Length: 5",
            b"Content-Length: 0",
            b"Content-Length: -1",
            b"Content-Length: 18446744073709551616",
            b"Content-Length: 9999999999",
            b"Content-Length: 5, 6",
            b"Content-Length: +5",
            b"Content-Length:",
            b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: gzip, chunked",
            b"Transfer-Encoding: chunked, identity",
            b"Transfer-Encoding: \x0bchunked",
            b"Content-Encoding: gzip",
            b"Content-Encoding: deflate",
            b"Content-Encoding: br",
            b"Connection: close",
            b"Connection: keep-alive, upgrade",
            b"Upgrade: h2c",
            b"Retry-After: 1",
            b"X-Backend: \xff\xfe\x00",
            b"Location: \r\n /folded",
            b" leading",
            b"no colon",
            b": no name",
            b"Set-Cookie: a=" + b"b" * 5000,
        ]
    ),
    st.binary(max_size=40),
)
STATUS_LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 100 Continue",
        b"HTTP/1.1 101 Switching Protocols",
        b"HTTP/1.1 103 Early Hints",
        b"HTTP/1.1 204 No Content",
        b"HTTP/1.1 304 Not Modified",
        b"HTTP/1.1 302 Found",
        b"HTTP/1.1 500 Oops",
        b"HTTP/1.0 200 OK",
        b"HTTP/2 200",
        b"HTTP/1.1 999 Unheard of",
        b"HTTP/1.1 -1 Negative",
        b"HTTP/1.1 2000 Long",
        b"HTTP/9.9 200 OK",
        b"ICY 200 OK",
        b"",
    ]
)
CHUNKS = st.lists(
    st.sampled_from(
        [
            b"5\r\nhello\r\n",
            b"0\r\n\r\n",
            b"-1\r\nx\r\n",
            b"ffffffffffffffff\r\nx\r\n",
            b"fffffffff\r\nx\r\n",
            b"5;a=b\r\nhello\r\n",
            b"5\r\nhell",
            b"G\r\n",
            b"\r\n",
            b"0\r\nTrailer: x\r\n\r\n",
            b"1" * 100 + b"\r\n",
            b"5\nhello\n",
        ]
    ),
    max_size=6,
).map(b"".join)
PACKED = st.sampled_from([gzip.compress(GOOD), zlib.compress(GOOD)])
BODIES = st.one_of(st.just(GOOD), st.binary(max_size=60), CHUNKS, PACKED)
ENDS_OF_HEADS = st.sampled_from([b"\r\n\r\n", b"\r\n\r\n", b"\n\n", b"\r\n", b""])


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """One answer, or several, more or less HTTP."""
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        head = [draw(STATUS_LINES), *draw(st.lists(HEADERS, max_size=5))]
        parts.append(b"\r\n".join(head) + draw(ENDS_OF_HEADS) + draw(BODIES))
    data = b"".join(parts)
    return data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data


def read(data: bytes, size: int, is_head: bool) -> ResponseReader:
    """A reader that was given ``data`` in pieces and then the end, until the answer was complete."""
    reader = ResponseReader("X-Backend")
    reader.begin(is_head)
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
        if reader.complete:
            return reader
    reader.end_of_stream()
    return reader


@examples(400)
@given(messages(), st.integers(1, 400), st.booleans())
def test_the_reader_takes_whatever_is_sent(data: bytes, size: int, is_head: bool) -> None:
    """It is complete, wants more, or fails in the one way that its user knows."""
    with suppress(TransportFailureError):
        reader = read(data, size, is_head)
        if reader.complete:
            assert 200 <= reader.status < 1000
            assert len(reader.body()) <= MAX_BODY_BYTES


@examples(200)
@given(messages(), st.integers(1, 400))
def test_pieces_make_no_difference(data: bytes, size: int) -> None:
    """A complete answer is the same answer however its bytes were cut; what follows it may be noticed later."""

    def result(size: int) -> tuple[int, bytes] | None:
        with suppress(TransportFailureError):
            reader = read(data, size, False)
            return (reader.status, reader.body()) if reader.complete else None
        return None

    whole = result(len(data) or 1)
    assert whole is None or result(size) == whole


@examples(200)
@given(st.lists(st.tuples(messages(), st.booleans()), min_size=1, max_size=4))
def test_what_was_seen_before_makes_no_difference(answers: list[tuple[bytes, bool]]) -> None:
    """Each answer twice, to readers that share the heads they have parsed: what they recognise, they would read so."""
    known = KnownHeads()
    for data, is_head in answers * 2:
        reader = ResponseReader("X-Backend", known)
        reader.begin(is_head)
        found = reader.recognise(data, 7, "else")
        try:
            reader.feed(data)
            said = (reader.status, reader.body(), reader.backend or "else", reader.retry_after, reader.location)
        except TransportFailureError:
            assert found is None
        else:
            assert found is None or (found.status, found.body, found.backend, found.retry_after, found.location) == said
            assert found is None or (reader.complete and reader.keep_alive and not reader.set_cookies)


def test_an_answer_seen_before_is_recognised_and_the_next_one_on_the_same_connection_is_read() -> None:
    known = KnownHeads()
    parsing, reader = (ResponseReader("X-Backend", known) for _ in range(2))
    assert reader.recognise(answer(GOOD), 7) is None
    parsing.feed(answer(GOOD))
    for body in (GOOD, b"x" * len(GOOD)):
        assert reader.recognise(answer(body), 7) == Response(200, body, received_us=7)
    assert reader.recognise(answer(GOOD) + b"x", 7) is None
    assert reader.recognise(answer(GOOD)[:-1], 7) is None
    reader.begin()
    reader.feed(answer(b"other length"))
    assert (reader.status, reader.body(), reader.complete) == (200, b"other length", True)
    with pytest.raises(TransportFailureError, match="more bytes came"):
        reader.feed(answer(GOOD))


def test_few_heads_are_remembered_and_no_long_ones() -> None:
    known = KnownHeads()
    for number in range(2 * MAX_KNOWN):
        ResponseReader("X-Backend", known).feed(answer(GOOD, f"X-Request: {number}"))
    assert len(known) <= MAX_KNOWN
    long = answer(GOOD, "X-Long: " + "a" * MAX_KNOWN_BYTES)
    ResponseReader("X-Backend", known).feed(long)
    assert known.match(long) is None


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("cut", [1, 8, 20])
def test_a_compressed_answer_that_is_cut_short_is_damaged(encoding: str, cut: int) -> None:
    packed = (gzip.compress(GOOD) if encoding == "gzip" else zlib.compress(GOOD))[:-cut]
    with pytest.raises(TransportFailureError, match="the compressed answer is damaged"):
        read(answer(packed, f"Content-Encoding: {encoding}"), 100, False).body()


def peak_bytes(work: Callable[[], object]) -> int:
    """The most memory that was in use at once while working."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


BOMB = answer(gzip.compress(bytes(200 << 20), 9), "Content-Encoding: gzip")


@pytest.mark.parametrize(
    "endless",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n" + b"Set-Cookie: a=b\r\n" * 100 + b"\r\n",
        b"x" * 1000,
    ],
    ids=["100", "103", "cookies", "garbage"],
)
def test_a_flood_before_the_answer_ends_at_the_limit_of_heads(endless: bytes) -> None:
    reader = ResponseReader("X-Backend")
    fed = 0

    def flood() -> None:
        nonlocal fed
        while fed < 100 * MAX_HEAD_BYTES:
            fed += len(endless)
            reader.feed(endless)

    with pytest.raises(TransportFailureError):
        flood()
    assert fed <= MAX_HEAD_BYTES + len(endless)


@pytest.mark.parametrize(
    ("head", "endless"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"a" * 16_384),
        (b"HTTP/1.1 200 OK\r\n", b"Set-Cookie: a=b\r\n" * 1000),
        (b"HTTP/1.1 200 OK\r\n", b"".join(b"X-%d: 1\r\n" % number for number in range(1500))),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"a" * 16_384),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"4000\r\n" + b"a" * 16_384 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: " + b"a" * 10_000 + b"\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;", b"a" * 16_384),
        (b"HTTP/1.1 200 ", b"a" * 16_384),
    ],
    ids=["header", "cookies", "names", "body", "chunks", "trailers", "chunk extension", "reason"],
)
def test_an_answer_without_end_is_refused_and_takes_little_memory(head: bytes, endless: bytes) -> None:
    def flood() -> None:
        reader = ResponseReader("X-Backend")
        reader.feed(head)
        for _ in range(20_000):
            reader.feed(endless)

    def refused() -> None:
        with pytest.raises(TransportFailureError):
            flood()

    assert peak_bytes(refused) < FEW_MB


def test_a_server_that_names_a_header_at_length_in_every_answer_fills_no_memory_with_names() -> None:
    """On one connection: each name is as long as a head may be, and none is ever used again."""

    def read_all() -> None:
        reader = ResponseReader("X-Backend")
        for number in range(100):
            reader.begin()
            reader.feed(answer(GOOD, f"X-{number}-{'a' * 60_000}: 1"))
            assert reader.body() == GOOD

    assert peak_bytes(read_all) < 10 * 60_000


def test_a_gzip_bomb_takes_no_more_memory_than_an_answer_may_have() -> None:
    def refused() -> None:
        with pytest.raises(TransportFailureError, match="larger than"):
            read(BOMB, 16_384, False).body()

    assert peak_bytes(refused) < FEW_MB


class Script:
    """A server that answers every request of a connection with what it was last told, in pieces, and then ends it."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.pause_s = 0.0
        self.ends = True

    def __call__(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while read_request(connection):
            for piece in self.pieces:
                connection.sendall(piece)
                time.sleep(self.pause_s)  # the fault itself: an answer that drips
            if self.ends:
                return


@pytest.fixture(scope="module")
def script() -> Script:
    return Script()


@pytest.fixture(scope="module")
def scripted(script: Script) -> Iterator[Listener]:
    with listening(script) as there:
        yield there


def request(url: str, method: str = "POST") -> Request:
    visit = None if method == "POST" else Visit(CookieJar())
    return Request("issue", url, {}, b"a=1" if method == "POST" else b"", method, visit=visit)


def ended_in_time(transport: HttpTransport, asked: Request) -> Response:
    """The response, which came within the deadline."""
    started = time.monotonic()
    response = transport.send(asked)
    assert time.monotonic() - started < DEADLINE_S + PATIENCE_S
    assert (response.failure is None) == (200 <= response.status < 1000 and not response.detail)
    assert len(response.body) <= MAX_BODY_BYTES
    return response


@examples(60)
@given(messages(), st.integers(1, 400), st.booleans(), st.sampled_from(["POST", "GET", "HEAD"]))
def test_a_request_ends_as_an_outcome_whatever_is_sent(
    script: Script, scripted: Listener, data: bytes, size: int, ends: bool, method: str
) -> None:
    """And the next request of the same user gets its own answer, not what was left over."""
    transport = HttpTransport(Network(TransportSettings(timeout_s=DEADLINE_S, connect_timeout_s=DEADLINE_S)))
    script.pieces = [data[start : start + size] for start in range(0, len(data), size)][:20]
    script.ends = ends
    ended_in_time(transport, request(scripted.url(), method))
    script.pieces, script.ends = [answer()], False
    again = ended_in_time(transport, request(scripted.url()))
    assert again.body == GOOD or again.failure is not None
    transport._timeout_s = PATIENCE_S
    assert ended_in_time(transport, request(scripted.url())).body == GOOD
    transport.close()


@pytest.mark.parametrize(
    ("pieces", "outcome"),
    [
        ([b"H", b"T", b"T", b"P"] + [b" "] * 200, None),
        ([b"HTTP/1.1 200 OK\r\n", *[b"X: y\r\n"] * 200], Outcome.TIMEOUT),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *[b"1\r\na\r\n"] * 200], Outcome.TIMEOUT),
        ([b"HTTP/1.1 100 Continue\r\n\r\n"] * 200, Outcome.TIMEOUT),
    ],
    ids=["status line", "headers", "chunks", "interim answers"],
)
def test_an_answer_that_drips_ends_at_the_deadline(
    script: Script, scripted: Listener, pieces: list[bytes], outcome: Outcome | None
) -> None:
    timeout_s = DEADLINE_S if outcome is Outcome.TIMEOUT else PATIENCE_S
    transport = HttpTransport(Network(TransportSettings(timeout_s=timeout_s)))
    script.pieces, script.pause_s = pieces, 0.02
    response = ended_in_time(transport, request(scripted.url()))
    script.pause_s = 0.0
    transport.close()
    assert response.failure in {outcome or Outcome.PROTOCOL_ERROR}


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 300_000],
        [b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 3_000_000],
        [b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000],
        [b"\x00" * 100_000],
        [answer(gzip.compress(bytes(50 << 20), 9), "Content-Encoding: gzip")],
    ],
    ids=["head", "body", "interim answers", "zeros", "bomb"],
)
def test_the_same_hostile_answer_again_and_again_takes_no_more_memory(
    script: Script, scripted: Listener, pieces: list[bytes]
) -> None:
    transport = HttpTransport(Network(TransportSettings(timeout_s=10)))
    script.pieces, script.ends = pieces, True

    def again(times: int) -> None:
        for _ in range(times):
            assert transport.send(request(scripted.url())).failure is not None

    again(2)
    before = threads_ended_and_bytes_used(lambda: again(1))
    after = threads_ended_and_bytes_used(lambda: again(10))
    transport.close()
    assert after - before < 100_000


def threads_ended_and_bytes_used(work: Callable[[], object]) -> int:
    """Bytes that stay in use after some work, the server's threads not counted."""
    tracemalloc.start()
    try:
        work()
        time.sleep(0.05)  # lets the server's threads end, whose memory is not the client's
        kept = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(False, threading.__file__)])
        return sum(trace.size for trace in kept.traces)
    finally:
        tracemalloc.stop()


@examples(15)
@given(st.one_of(st.binary(max_size=100), st.binary(max_size=60).map(lambda rest: b"\x16\x03\x03" + rest)))
def test_garbage_instead_of_a_tls_handshake_is_a_tls_error(data: bytes) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(data)

    context = ssl.create_default_context()
    network = Network(TransportSettings(timeout_s=PATIENCE_S, tls_timeout_s=DEADLINE_S, tls=context))
    with listening(serve) as there:
        assert ended_in_time(HttpTransport(network), request(there.url(scheme="https"))).failure is Outcome.TLS_ERROR


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, TransportSettings]:
    """A server's context, and settings that trust it."""
    directory: Path = tmp_path_factory.mktemp("tls")
    context = self_signed_context(directory / "ca.pem", "127.0.0.1")
    return context, settings_of(Target(ca_bundle="ca.pem", timeout_s=1), directory)


@examples(40)
@given(st.binary(min_size=1, max_size=100), st.booleans())
def test_garbage_between_tls_records_is_an_outcome(
    tls: tuple[ssl.SSLContext, TransportSettings], data: bytes, ends: bool
) -> None:
    """After the handshake, beside the encryption: as a broken middlebox would."""
    context, how = tls

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            raw = socket.socket(fileno=os.dup(secured.fileno()))
            with raw:
                secured.recv(65_536)
                raw.sendall(data)
                if not ends:
                    secured.sendall(answer())
                    secured.recv(1)

    with listening(serve) as there:
        transport = HttpTransport(Network(how))
        assert transport.send(request(there.url(scheme="https"))).failure in {
            Outcome.TLS_ERROR,
            Outcome.CONNECTION_LOST,
            Outcome.TIMEOUT,
        }
        transport.close()


@pytest.mark.parametrize("closes_properly", [True, False])
def test_a_body_up_to_the_end_of_a_tls_stream_is_complete_where_the_server_closed_it(
    tls: tuple[ssl.SSLContext, TransportSettings], closes_properly: bool
) -> None:
    context, how = tls

    def serve(connection: socket.socket) -> None:
        secured = context.wrap_socket(connection, server_side=True)
        read_request(secured)
        secured.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + GOOD)
        if closes_properly:
            secured.unwrap()

    with listening(serve) as there:
        response = HttpTransport(Network(replace(how, timeout_s=60))).send(request(there.url(scheme="https")))
    assert response.body == GOOD
