"""Opening connections: every address of a host, proxies, client certificates, and TLS sessions that are resumed."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import gevent
import pytest

from iam_loadtest.embedded.self_signed import self_signed, self_signed_context
from iam_loadtest.flow.cookie_jar import CookieJar
from iam_loadtest.flow.message import Request, Response, Visit
from iam_loadtest.load import resumption
from iam_loadtest.load.connection import TlsConnection
from iam_loadtest.load.http_transport import HttpTransport, Network
from iam_loadtest.load.transport import TransportSettings, settings_of
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.scenario.target import Target
from tests.load.listener import GOOD, Listener, answer, answering, listening, proxy, read_request, silent
from tests.load.processes import eventually, free_port

TWO = ("127.0.0.1", "127.0.0.2")


def post(url: str) -> Request:
    return Request("issue", url, {"Accept": "application/json"}, b"grant_type=client_credentials")


def get(url: str, follows: bool = False) -> Request:
    return Request("login_page", url, {}, b"", "GET", visit=Visit(CookieJar()) if follows else None)


def pinned(*addresses: str, **keys: float) -> Network:
    return Network(TransportSettings(resolve={"iam.test": addresses}, **keys))


def send_once(network: Network, request: Request, number: int = 0) -> Response:
    transport = HttpTransport(network, number)
    try:
        return transport.send(request)
    finally:
        transport.close()


@contextmanager
def on_two_addresses() -> Iterator[tuple[Listener, Listener]]:
    """The same port of two addresses."""
    with ExitStack() as stack:
        first = stack.enter_context(listening(answering(answer()), TWO[0]))
        yield first, stack.enter_context(listening(answering(answer()), TWO[1], first.port))


def test_users_are_spread_over_the_addresses_and_the_address_is_the_backend() -> None:
    with on_two_addresses() as (first, second):
        network = pinned(*TWO)
        answers = [send_once(network, post(first.url("iam.test")), number) for number in range(10)]
        assert Counter(one.backend for one in answers) == {TWO[0]: 5, TWO[1]: 5}
        assert (first.connections, second.connections) == (5, 5)


def test_a_header_that_names_the_node_goes_before_the_address() -> None:
    with listening(answering(answer(b"{}", "X-Backend: node-7"))) as there:
        assert send_once(pinned("127.0.0.1", "127.0.0.2"), post(there.url("iam.test"))).backend == "node-7"


def test_one_address_is_no_backend() -> None:
    with listening(answering(answer())) as there:
        assert send_once(pinned("127.0.0.1"), post(there.url("iam.test"))).backend == ""


def test_a_refused_address_is_left_for_the_next_and_for_a_while_not_tried_first() -> None:
    with listening(answering(answer()), TWO[1]) as there:
        network = pinned(*TWO)
        answers = [send_once(network, post(there.url("iam.test")), number) for number in range(4)]
        assert [(one.status, one.backend) for one in answers] == [(200, TWO[1])] * 4


def test_an_address_that_does_not_answer_leaves_time_for_the_next() -> None:
    """Nothing accepts on the first address, whose queue is full."""
    with listening(answering(answer()), TWO[1]) as there, full_queue(TWO[0], there.port):
        started = time.monotonic()
        answered = send_once(pinned(*TWO, connect_timeout_s=1.0), post(there.url("iam.test")))
        assert (answered.status, answered.backend) == (200, TWO[1])
        assert time.monotonic() - started < 60


@contextmanager
def full_queue(address: str, port: int) -> Iterator[None]:
    """A listener that accepts nobody and has no place left."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex((address, port))
        time.sleep(0.05)  # lets the kernel put them into the queue that is to be full
        yield
        for one in waiting:
            one.close()


def test_where_every_address_refuses_it_is_a_connect_error() -> None:
    response = send_once(pinned(*TWO), post(f"http://iam.test:{free_port()}/token"))
    assert (response.failure, response.detail) == (Outcome.CONNECT_ERROR, "connection refused")


def test_a_connection_to_an_address_that_is_gone_is_replaced() -> None:
    addresses = [TWO]
    with on_two_addresses() as (first, _):
        network = Network(TransportSettings())
        network.book._look_up = lambda _host: addresses[0]
        transport = HttpTransport(network, 0)
        assert [transport.send(post(first.url("iam.test"))).backend for _ in range(2)] == [TWO[0]] * 2
        addresses[0] = (TWO[1], "127.0.0.3")
        network.book.refresh()
        assert [transport.send(post(first.url("iam.test"))).backend for _ in range(2)] == [TWO[1]] * 2
        transport.close()


def test_a_redirect_is_not_followed_to_a_name_that_stands_for_a_link_local_address() -> None:
    leads = answer(b"", "Location: https://metadata.test/", status="302 Found")
    pins = {"metadata.test": ("169.254.169.254",)}
    with listening(answering(leads)) as there:
        network = Network(TransportSettings(resolve=pins, tls=ssl.create_default_context()))
        response = send_once(network, get(there.url(), follows=True))
    assert (response.failure, response.detail) == (Outcome.PROTOCOL_ERROR, "a redirect to a link-local address")


def test_an_ipv6_address_is_reached() -> None:
    with listening(answering(answer()), "::1") as there:
        assert send_once(Network(TransportSettings()), post(f"http://[::1]:{there.port}/token")).status == 200


def test_connections_to_two_origins_are_both_kept() -> None:
    with on_two_addresses() as (first, second):
        transport = HttpTransport(Network(TransportSettings()))
        for _ in range(3):
            assert transport.send(post(first.url())).status == transport.send(post(second.url())).status == 200
        transport.close()
        assert (first.connections, second.connections) == (1, 1)


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's context with a certificate for iam.test, and the certificate."""
    certificate = tmp_path_factory.mktemp("named") / "iam.pem"
    return self_signed_context(certificate, "iam.test"), certificate


def test_a_pinned_host_is_still_checked_by_its_name(named: tuple[ssl.SSLContext, Path]) -> None:
    context, certificate = named
    target = Target(ca_bundle=str(certificate), resolve={"iam.test": ("127.0.0.1",), "other.test": ("127.0.0.1",)})
    network = Network(settings_of(target, Path()))
    with listening(answering(answer()), tls=context) as there:
        assert send_once(network, post(there.url("iam.test", "https"))).status == 200
        other = send_once(network, post(there.url("other.test", "https")))
    assert other.failure is Outcome.TLS_ERROR
    assert "other.test" in other.detail


def test_a_server_is_told_the_host_s_name_and_that_http_1_1_is_spoken(tmp_path: Path) -> None:
    """By which one address serves many hosts (SNI), and a server that prefers HTTP/2 knows better (ALPN)."""
    server = self_signed_context(tmp_path / "ca.pem", "iam.test")
    server.set_alpn_protocols(["h2", "http/1.1"])
    told: list[str | None] = []
    server.sni_callback = lambda _socket, name, _context: told.append(name)

    def serve(connection: socket.socket) -> None:
        assert isinstance(connection, ssl.SSLSocket)
        told.append(connection.selected_alpn_protocol())
        read_request(connection)
        connection.sendall(answer())

    target = Target(ca_bundle="ca.pem", resolve={"iam.test": ("127.0.0.1",)}, timeout_s=5)
    with listening(serve, tls=server) as there:
        assert send_once(Network(settings_of(target, tmp_path)), post(there.url("iam.test", "https"))).status == 200
    assert told == ["iam.test", "http/1.1"]


class TestProxy:
    """Between the generator and the IAM may stand an HTTP proxy."""

    def settings(self, there: Listener, login: str = "", **keys: object) -> TransportSettings:
        environ = {"PROXY": f"http://{login}{there.address}:{there.port}"}
        return settings_of(Target.model_validate({"proxy": "${PROXY}", **keys}), Path(), environ)

    def test_https_goes_through_a_tunnel_and_is_checked_as_without(self, named: tuple[ssl.SSLContext, Path]) -> None:
        heads: list[bytes] = []
        context, certificate = named
        with listening(proxy(heads)) as near, listening(answering(answer()), tls=context) as there:
            transport = HttpTransport(Network(self.settings(near, ca_bundle=str(certificate))))
            answers = [transport.send(post(there.url("iam.test", "https"))) for _ in range(3)]
            transport.close()
        assert [(one.status, one.failure, one.backend) for one in answers] == [(200, None, "")] * 3
        assert [head.split(b"\r\n")[0] for head in heads] == [b"CONNECT iam.test:%d HTTP/1.1" % there.port]

    def test_plain_http_names_the_whole_url(self) -> None:
        heads: list[bytes] = []
        with listening(proxy(heads)) as near:
            network = Network(self.settings(near, "us%40er:pass@"))
            assert send_once(network, post("http://iam.test:8080/token")).body == b"by proxy"
        assert heads[0].startswith(b"POST http://iam.test:8080/token HTTP/1.1\r\nHost: iam.test:8080\r\n")
        assert b"\r\nProxy-Authorization: Basic dXNAZXI6cGFzcw==\r\n" in heads[0]

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_a_proxy_that_wants_a_login_gets_it_and_nobody_else_does(
        self, named: tuple[ssl.SSLContext, Path], scheme: str
    ) -> None:
        context, certificate = named
        asked: list[bytes] = []

        def serve(connection: socket.socket) -> None:
            while request := read_request(connection):
                asked.append(request)
                connection.sendall(answer())

        with listening(proxy([], login=b"Basic dTpw")) as near, listening(serve, tls=context) as there:
            url = there.url("iam.test", scheme)
            good = send_once(Network(self.settings(near, "u:p@", ca_bundle=str(certificate))), post(url))
            wrong = send_once(Network(self.settings(near, "u:q@", ca_bundle=str(certificate))), post(url))
        assert good.status == 200
        assert (wrong.failure, wrong.detail) == (
            Outcome.CONNECT_ERROR,
            "the proxy wants a user and password, or others (407)",
        )
        assert not any(b"Proxy-Authorization" in request for request in asked)

    @pytest.mark.parametrize(
        ("refusal", "detail"),
        [
            (answer(b"no", status="403 Forbidden"), "the proxy does not allow this host (403)"),
            (answer(b"no", status="502 Bad Gateway"), "the proxy cannot reach the host (502)"),
            (answer(b"no", status="400 Bad Request"), "the proxy answered with status 400"),
            (b"SSH-2.0-OpenSSH_9.2\r\n", "the proxy: the answer is not HTTP/1.1"),
            (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "the proxy: more bytes came than one answer"),
            (b"HTTP/1.1 ", "the proxy ended the connection"),
        ],
        ids=["403", "502", "400", "not HTTP", "speaks first", "hangs up"],
    )
    def test_a_refusal_is_a_connect_error_that_says_so(self, refusal: bytes, detail: str) -> None:
        with listening(proxy([], refusal)) as near:
            response = send_once(Network(self.settings(near)), post("https://iam.test/token"))
        assert (response.failure, response.detail) == (Outcome.CONNECT_ERROR, detail)

    def test_a_proxy_that_is_not_there_or_silent_is_a_connect_error(self) -> None:
        gone = Listener("127.0.0.1", free_port())
        response = send_once(Network(self.settings(gone)), post("https://iam.test/token"))
        assert (response.failure, response.detail) == (Outcome.CONNECT_ERROR, "proxy: connection refused")
        with listening(silent) as near:
            network = Network(self.settings(near, connect_timeout=0.2))
            response = send_once(network, post("https://iam.test/token"))
        assert (response.failure, response.detail) == (Outcome.CONNECT_ERROR, "proxy: no connection within 0.2 s")

    def test_the_environments_proxy_is_not_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
        with listening(answering(answer())) as there:
            assert send_once(Network(settings_of(Target(), Path())), post(there.url())).status == 200


class TestClientCertificate:
    """A server may ask who we are."""

    def both_sides(self, directory: Path) -> tuple[ssl.SSLContext, Target]:
        """A server that trusts one client, and a target with that client's certificate."""
        server = self_signed_context(directory / "ca.pem", "127.0.0.1")
        certificate, key = self_signed("load generator")
        (directory / "client.pem").write_bytes(certificate)
        (directory / "client.key").write_bytes(key)
        server.load_verify_locations(directory / "client.pem")
        return server, Target(ca_bundle="ca.pem", client_certificate="client.pem", client_key="client.key", timeout_s=5)

    def test_it_is_shown_to_a_server_that_asks_once_it_knows_the_path(self, tmp_path: Path) -> None:
        """TLS 1.3, RFC 8446 section 4.6.2: the question comes before the answer, on the open connection."""
        server, shown = self.both_sides(tmp_path)
        server.post_handshake_auth = True
        server.verify_mode = ssl.CERT_REQUIRED
        seen: list[bool] = []

        def serve(connection: socket.socket) -> None:
            assert isinstance(connection, ssl.SSLSocket)
            read_request(connection)
            connection.verify_client_post_handshake()
            connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")  # the question goes out before it
            connection.setblocking(False)
            seen.append(eventually(lambda: is_known(connection)))
            connection.setblocking(True)
            connection.sendall(answer())

        with listening(serve, tls=server) as there:
            assert send_once(Network(settings_of(shown, tmp_path)), post(there.url(scheme="https"))).status == 200
        assert seen == [True]

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_it_is_shown_to_a_server_that_asks_and_missed_by_one_that_must_have_it(
        self, tmp_path: Path, version: ssl.TLSVersion
    ) -> None:
        server, shown = self.both_sides(tmp_path)
        server.minimum_version = server.maximum_version = version
        server.verify_mode = ssl.CERT_REQUIRED
        with listening(answering(answer()), tls=server) as there:
            assert send_once(Network(settings_of(shown, tmp_path)), post(there.url(scheme="https"))).status == 200
            without = Network(settings_of(Target(ca_bundle="ca.pem"), tmp_path))
            refused = send_once(without, post(there.url(scheme="https")))
        assert refused.failure is Outcome.TLS_ERROR
        assert "certificate" in refused.detail or "handshake failure" in refused.detail


def is_known(connection: ssl.SSLSocket) -> bool:
    """Whether the client has shown its certificate by now, which nothing but reading notices."""
    with suppress(ssl.SSLWantReadError):
        connection.recv(1)
    return bool(connection.getpeercert())


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl program")
@pytest.mark.parametrize("version", ["tls1_2", "tls1_3"])
def test_a_reconnect_resumes_the_tls_session(tmp_path: Path, version: str) -> None:
    """By the server's own word: openssl's page says New or Reused. Every page ends its connection."""
    certificate, key = self_signed("127.0.0.1")
    (tmp_path / "server.pem").write_bytes(certificate + key)
    (tmp_path / "ca.pem").write_bytes(certificate)
    port = free_port()
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", "server.pem", "-www", f"-{version}"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            eventually(lambda: is_open(port))
            network = Network(settings_of(Target(ca_bundle="ca.pem"), tmp_path))
            transport, other = HttpTransport(network), HttpTransport(network)
            pages = [transport.send(get(f"https://127.0.0.1:{port}/")) for _ in range(3)]
            of_other = other.send(get(f"https://127.0.0.1:{port}/"))
        finally:
            server.kill()
    assert [page.detail for page in pages] == [""] * 3
    assert [handshake(page) for page in pages] == ["New", "Reused", "Reused"]
    assert handshake(of_other) == "New", "a user resumes sessions of its own"


@pytest.mark.parametrize(("tickets", "reads", "resumed"), [(2, 1, 9), (0, 3, 0)], ids=["resumes", "never resumes"])
def test_a_session_is_read_once_as_long_as_its_server_takes_it_and_not_for_ever_where_none_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tickets: int, reads: int, resumed: int
) -> None:
    """Reading it loses memory in older Pythons. After three that were offered in vain no fourth one is read."""
    monkeypatch.setattr(resumption, "MAX_REFUSED", 3)
    server = self_signed_context(tmp_path / "ca.pem", "127.0.0.1")
    server.num_tickets = tickets
    seen, was_resumed = [], []
    read = TlsConnection.session.fget
    monkeypatch.setattr(TlsConnection, "session", property(lambda self: seen.append(self) or read(self)))

    def serve(connection: socket.socket) -> None:
        assert isinstance(connection, ssl.SSLSocket)
        was_resumed.append(connection.session_reused)
        read_request(connection)
        connection.sendall(answer(GOOD, "Connection: close"))

    with listening(serve, tls=server) as there:
        transport = HttpTransport(Network(settings_of(Target(ca_bundle="ca.pem", timeout_s=5), tmp_path)))
        for _ in range(10):
            assert transport.send(post(there.url(scheme="https"))).status == 200
    assert (len(seen), was_resumed.count(True)) == (reads, resumed)


def handshake(page: Response) -> str:
    """What openssl's page says of its handshake."""
    line = next(line for line in page.body.decode().splitlines() if ", Cipher is " in line)
    return line.split(",")[0].strip()


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_dialled_connection_that_is_given_up_leaves_no_file_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with listening(silent) as there:
        transport = HttpTransport(Network(TransportSettings(tls=ssl.create_default_context())))
        user = gevent.spawn(transport.send, post(there.url(scheme="https")))
        gevent.sleep(0.1)
        user.kill()
    gevent.sleep(0.05)
    eventually(lambda: len(os.listdir("/proc/self/fd")) == before)
