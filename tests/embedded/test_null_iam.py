"""The null token server: well-formed answers, an exact count, known delays, and no trust in what clients send."""

from __future__ import annotations

import socket
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from iam_loadtest.oidc.discovery import discovery_url, parse_discovery
from iam_loadtest.oidc.token_response import parse_tokens
from iam_loadtest.oidc.verify import verify_access_token
from tests.cli.front_door import call
from tests.embedded.null_server import NullServer, null_server

FORM = b"grant_type=client_credentials"
POST = b"POST /token HTTP/1.1\r\nHost: iam\r\nContent-Length: %d\r\n\r\n%b" % (len(FORM), FORM)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NullServer]:
    with null_server(tmp_path_factory.mktemp("null")) as running:
        yield running


def connect(server: NullServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=60)


def read_answers(connection: socket.socket, count: int) -> list[bytes]:
    """So many answers on one connection, in the order they came."""
    data, answers = b"", []
    while len(answers) < count:
        head, found, rest = data.partition(b"\r\n\r\n")
        length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0]) if found else 0
        if found and len(rest) >= length:
            answers.append(rest[:length])
            data = rest[length:]
        else:
            part = connection.recv(65_536)
            assert part, "the server closed before its answer was complete"
            data += part
    assert data == b""
    return answers


def test_its_tokens_are_well_formed_and_verify_against_its_keys(server: NullServer) -> None:
    """All that a trial does on an IAM works: discovery, token response, signature, issuer and expiry."""
    endpoints = parse_discovery(server.http.get(discovery_url(server.issuer)).json(), server.issuer)
    answer = server.http.post(endpoints.token, data={"grant_type": "password"})
    tokens = parse_tokens(answer.content)
    assert tokens.refresh_token
    assert endpoints.jwks is not None
    claims = verify_access_token(tokens.access_token, server.http.get(endpoints.jwks).json(), server.issuer)
    assert claims["scope"] == answer.json()["scope"]


def test_the_answer_is_as_large_as_an_iam_s_and_names_its_backend(server: NullServer) -> None:
    answer = server.http.post(server.issuer + "token", data={"grant_type": "password"})
    assert 550 <= len(answer.content) <= 650
    assert answer.headers["X-Backend"] == "null"
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "sent",
    [
        [POST],
        [POST[:9], POST[9:40], POST[40:-3], POST[-3:]],
        [
            POST.replace(b"Content-Length: 29", b"Transfer-Encoding: chunked")[: -len(FORM)]
            + b"1d\r\n%b\r\n0\r\n\r\n" % FORM
        ],
        [POST.replace(b"/token", b"/token?tenant=one")],
    ],
    ids=["whole", "in pieces", "chunked", "with a query"],
)
def test_each_request_is_answered_and_counted_once_however_it_arrives(server: NullServer, sent: list[bytes]) -> None:
    before = server.served()
    with connect(server) as connection:
        for part in sent:
            connection.sendall(part)
        (body,) = read_answers(connection, 1)
    assert parse_tokens(body)
    assert server.served() == before + 1


def test_pipelined_requests_are_each_answered_and_counted(server: NullServer) -> None:
    before = server.served()
    with connect(server) as connection:
        connection.sendall(POST * 50)
        assert len(set(read_answers(connection, 50))) == 1
    assert server.served() == before + 50


def test_a_request_that_came_before_is_known_by_its_bytes_only_where_a_request_begins(server: NullServer) -> None:
    """Here they are the body of another request, then a request, then the first half of two."""
    head = b"POST /token HTTP/1.1\r\nHost: other\r\nContent-Length: %d\r\n\r\n" % len(POST)
    before = server.served()
    with connect(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for answered, sent in enumerate([POST, POST, head + POST, POST, POST + POST[:20] + POST[20:]]):
            connection.sendall(sent)
            read_answers(connection, 1 if answered < 4 else 2)
        connection.sendall(head)
        assert server.served() == before + 6, "the request after it has been read up to its body, or soon will be"
        connection.sendall(POST)
        read_answers(connection, 1)
    assert server.served() == before + 7


def test_one_that_never_sleeps_answers_and_ends_as_the_others_do(tmp_path: Path) -> None:
    with null_server(tmp_path, "--busy-poll") as server:
        slept = psutil.Process(server.process.pid).num_ctx_switches().voluntary
        for _ in range(50):
            assert server.http.post(server.issuer + "token", data={"grant_type": "password"}).ok
        assert psutil.Process(server.process.pid).num_ctx_switches().voluntary - slept < 10
        assert server.stop() == 0


def test_other_paths_are_not_found_and_not_counted_as_tokens(server: NullServer) -> None:
    before = server.served()
    assert server.http.post(server.issuer + "tokens").status_code == 404
    assert server.http.get(server.issuer + "health").json() == {"status": "UP"}
    assert server.served() == before


def test_connection_close_is_kept(server: NullServer) -> None:
    with connect(server) as connection:
        connection.sendall(POST.replace(b"Host", b"Connection: close\r\nHost"))
        read_answers(connection, 1)
        assert connection.recv(1) == b""


@pytest.mark.parametrize(
    "garbage",
    [b"\x16\x03\x01\x02\x00 TLS to a plain port", b"NOT HTTP\r\n\r\n", b"GET /" + b"a" * 10_000, POST + b"x" * 20],
    ids=["TLS", "no HTTP", "an endless URL", "more than announced"],
)
def test_what_is_no_request_ends_its_own_connection_alone(server: NullServer, garbage: bytes) -> None:
    with connect(server) as connection:
        connection.sendall(garbage)
        while connection.recv(65_536):
            pass
    assert server.http.get(server.issuer + "health").ok


def test_it_answers_on_loopback_only_unless_told_otherwise(server: NullServer) -> None:
    listening = Path("/proc/net/tcp").read_text().splitlines()
    addresses = [line.split()[1] for line in listening[1:] if line.split()[3] == "0A"]
    assert [address for address in addresses if address.endswith(f":{server.port:04X}")] == [
        f"0100007F:{server.port:04X}"
    ]


def test_answers_are_held_back_as_the_schedule_says_and_logged(tmp_path: Path) -> None:
    """Two connections, three requests each, 30 ms: never sooner; the log has each, and is whole after SIGTERM."""
    with null_server(tmp_path, "--delay-schedule", "30ms") as server:
        with connect(server) as one, connect(server) as two:
            for _ in range(3):
                one.sendall(POST)
                two.sendall(POST)
                read_answers(one, 1)
                read_answers(two, 1)
        assert server.served() == 6
        log = server.log()
        assert server.stop() == 0
    assert len(log) == 6
    assert len(server.request_log.read_text().splitlines()) == 7
    assert all(answered_us - arrived_us >= 29_000 for arrived_us, answered_us in log)


def test_pipelined_answers_keep_their_order_whatever_their_delays(tmp_path: Path) -> None:
    """HTTP/1.1 has no other way to tell whose answer it is: no later arrival is logged as answered sooner."""
    with null_server(tmp_path, "--delay-schedule", "0ms*50,20ms*50") as server:
        with connect(server) as connection:
            connection.sendall(POST * 20)
            read_answers(connection, 20)
        log = server.log()
    assert len(log) == 20
    assert log == sorted(log)


def test_its_certificate_file_is_all_a_client_needs_for_tls(tmp_path: Path) -> None:
    certificate = tmp_path / "null.pem"
    with null_server(tmp_path, "--tls", str(certificate)) as server:
        assert server.issuer == f"https://127.0.0.1:{server.port}/"
        context = ssl.create_default_context(cafile=certificate)
        with urllib.request.urlopen(server.issuer + "health", context=context) as answer:
            assert answer.status == 200
    assert b"PRIVATE" not in certificate.read_bytes()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--delay-schedule", "soon"], "--delay-schedule 'soon': must be a number of seconds, or a text such as"),
        (["--port", "{port}"], "--port {port} on 127.0.0.1 cannot be used (Address already in use); stop what"),
        (["--request-log", "/no/such/dir/log"], "--request-log /no/such/dir/log: cannot be written: No such file"),
        (["--tls", "/no/such/dir/pem"], "/no/such/dir/pem: cannot be written: No such file or directory"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(
    server: NullServer, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    port = str(server.port)
    called = call(capsys, "null-iam", "--port", "0", *(option.format(port=port) for option in options))
    assert called.code == 1
    assert called.err.startswith(words.format(port=port))
    assert len(called.err.splitlines()) == 1
