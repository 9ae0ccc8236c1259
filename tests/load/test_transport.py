"""What HTTP servers do, and what a request comes to then: against a real server with real faults."""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import gevent
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from iam_loadtest.errors import UserError
from iam_loadtest.flow.cookie_jar import CookieJar
from iam_loadtest.flow.message import Request, Response, Visit
from iam_loadtest.load.http_transport import HttpTransport, Network
from iam_loadtest.load.response_reader import ResponseReader
from iam_loadtest.load.transport import TransportFailureError, TransportSettings, settings_of
from iam_loadtest.oidc.token_response import MAX_BODY_BYTES, parse_tokens
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.scenario.target import Target
from tests.load import fake_iam as fake_iam_module
from tests.load.processes import FakeIam, free_port, server

QUICK = TransportSettings(timeout_s=0.5, connect_timeout_s=0.5)
MEANWHILE_S = 25
"""The slow server answers after ten minutes, the one that drips after 50 s."""
GENEROUS = TransportSettings(timeout_s=60)


def post(url: str) -> Request:
    return Request("issue", url, {"Accept": "application/json"}, b"grant_type=client_credentials")


def send(fake: FakeIam, mode: str, settings: TransportSettings = GENEROUS) -> Response:
    transport = HttpTransport(Network(settings))
    try:
        return transport.send(post(fake.issuer(mode) + "token"))
    finally:
        transport.close()


@pytest.mark.parametrize("mode", ["ok", "chunked", "gzip", "connection-close", "until-close", "interim", "idle-close"])
def test_a_good_answer_is_read_however_it_is_framed(fake: FakeIam, mode: str) -> None:
    response = send(fake, mode)
    assert response.failure is None, response.detail
    assert response.status == 200
    assert parse_tokens(response.body).access_token == "fake-access-1234567890"


@pytest.mark.parametrize("mode", ["ok", "chunked", "gzip", "connection-close", "until-close", "interim"])
def test_one_transport_answers_again_and_again(fake: FakeIam, mode: str) -> None:
    transport = HttpTransport(Network(GENEROUS))
    responses = [transport.send(post(fake.issuer(mode) + "token")) for _ in range(5)]
    transport.close()
    assert [response.status for response in responses] == [200] * 5
    assert len({response.body for response in responses}) == 1


def test_the_serving_node_is_read_from_its_header_whatever_its_case(fake: FakeIam) -> None:
    assert send(fake, "ok", TransportSettings(backend_header="x-BACKEND")).backend == "node-1"
    assert send(fake, "ok", TransportSettings(backend_header="X-Other")).backend == ""


def test_a_redirect_is_an_answer_and_is_not_followed(fake: FakeIam) -> None:
    before = fake.counts("ok")
    assert send(fake, "redirect").status == 302
    assert fake.counts("ok") == before


def pages(fake: FakeIam, name: str, method: str = "GET", cookies: CookieJar | None = None) -> Request:
    visit = Visit(cookies or CookieJar())
    return Request("login_page", fake.issuer("pages") + name, {"Accept": "text/html"}, b"", method, visit=visit)


def test_a_page_is_at_the_end_of_its_redirects_and_the_users_cookies_are_kept(fake: FakeIam) -> None:
    transport, cookies = HttpTransport(Network(GENEROUS)), CookieJar()
    assert transport.send(pages(fake, "start", cookies=cookies)).body == b"GET form?a=1 session=s1 "
    assert transport.send(pages(fake, "form", cookies=cookies)).body == b"GET form session=s1 "
    assert transport.send(pages(fake, "form")).body == b"GET form  ", "another visit"
    transport.close()


def test_a_head_request_is_answered_by_headers_alone_and_the_connection_is_kept(fake: FakeIam) -> None:
    transport = HttpTransport(Network(GENEROUS))
    for _ in range(3):
        response = transport.send(pages(fake, "form", "HEAD"))
        assert (response.status, response.body, response.failure) == (200, b"", None)
        assert transport.send(pages(fake, "form")).status == 200
    transport.close()


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("loop", "more than 10 redirects"),
        ("to?to=http://127.0.0.1:1/", "a redirect to another host without https"),
        ("to?to=https://169.254.169.254/", "a redirect to a link-local address"),
    ],
)
def test_a_redirect_that_leads_astray_is_a_protocol_error(fake: FakeIam, name: str, detail: str) -> None:
    transport = HttpTransport(Network(GENEROUS))
    response = transport.send(pages(fake, name))
    transport.close()
    assert (response.failure, response.detail) == (Outcome.PROTOCOL_ERROR, detail)


def test_all_redirects_of_a_page_share_one_deadline(fake: FakeIam) -> None:
    started = time.monotonic()
    slow = HttpTransport(Network(QUICK)).send(pages(fake, f"to?to={fake.issuer('slow')}token"))
    assert slow.failure is Outcome.TIMEOUT
    assert time.monotonic() - started < MEANWHILE_S


def test_retry_after_is_seen(fake: FakeIam) -> None:
    response = send(fake, "throttled")
    assert (response.status, response.retry_after) == (503, True)


@pytest.mark.parametrize(
    ("mode", "outcome", "status", "detail"),
    [
        ("slow", Outcome.TIMEOUT, 0, "no complete answer within 0.5 s"),
        ("drip", Outcome.TIMEOUT, 200, "no complete answer within 0.5 s"),
        ("reset", Outcome.CONNECTION_LOST, 0, "the connection ended before the answer"),
        ("hangup", Outcome.CONNECTION_LOST, 0, "the connection ended before the answer"),
        ("truncated", Outcome.CONNECTION_LOST, 200, "the connection ended in the middle of the answer"),
        ("garbage", Outcome.PROTOCOL_ERROR, 0, "the answer is not HTTP/1.1"),
        ("extra", Outcome.PROTOCOL_ERROR, 200, "more bytes came than one answer"),
        ("huge-body", Outcome.PROTOCOL_ERROR, 200, "the answer is larger than 1048576 bytes"),
        ("huge-head", Outcome.PROTOCOL_ERROR, 0, "the headers are larger than 65536 bytes"),
        ("gzip-bomb", Outcome.PROTOCOL_ERROR, 200, "the answer is larger than 1048576 bytes"),
        ("gzip-broken", Outcome.PROTOCOL_ERROR, 200, "the compressed answer is damaged"),
        ("brotli", Outcome.PROTOCOL_ERROR, 200, "the answer has a Content-Encoding that was not asked for"),
    ],
)
def test_a_fault_is_an_outcome_with_few_words_within_the_deadline(
    fake: FakeIam, mode: str, outcome: Outcome, status: int, detail: str
) -> None:
    started = time.monotonic()
    response = send(fake, mode, QUICK if outcome is Outcome.TIMEOUT else GENEROUS)
    assert (response.failure, response.status, response.detail) == (outcome, status, detail)
    assert time.monotonic() - started < MEANWHILE_S


def test_after_a_fault_the_next_request_has_a_connection_of_its_own(fake: FakeIam) -> None:
    transport = HttpTransport(Network(GENEROUS))
    for mode in ("slow", "reset", "garbage", "huge-body"):
        transport._timeout_s = 0.5 if mode == "slow" else GENEROUS.timeout_s
        assert transport.send(post(fake.issuer(mode) + "token")).failure is not None
        transport._timeout_s = GENEROUS.timeout_s
        assert transport.send(post(fake.issuer("ok") + "token")).status == 200
    transport.close()


def await_touch(transport: HttpTransport) -> None:
    """Wait until what the server did to the idle connection has come."""
    (link,) = transport._links.values()
    with gevent.Timeout(60):
        while link.connection.is_usable:
            gevent.sleep(0.01)


def test_a_connection_that_the_server_closed_while_idle_is_replaced_before_use(fake: FakeIam) -> None:
    transport = HttpTransport(Network(GENEROUS))
    for _ in range(3):
        assert transport.send(post(fake.issuer("idle-close") + "token")).status == 200
        await_touch(transport)
    transport.close()


def test_a_reused_connection_that_dies_before_the_answer_is_told_apart_and_not_retried(fake: FakeIam) -> None:
    transport = HttpTransport(Network(GENEROUS))
    assert transport.send(post(fake.issuer("ok") + "token")).status == 200
    before = fake.counts("hangup").get("client_credentials", 0)
    response = transport.send(post(fake.issuer("hangup") + "token"))
    transport.close()
    assert response.failure is Outcome.CONNECTION_LOST
    assert response.detail == "a reused idle connection ended before the answer"
    assert fake.counts("hangup")["client_credentials"] == before + 1


def test_an_answer_that_nobody_asked_for_is_never_taken_for_the_next_requests(fake: FakeIam) -> None:
    transport = HttpTransport(Network(GENEROUS))
    transport.send(post(fake.issuer("late-extra") + "token"))
    await_touch(transport)
    response = transport.send(post(fake.issuer("ok") + "token"))
    transport.close()
    assert parse_tokens(response.body).access_token == "fake-access-1234567890"


def test_a_long_idle_connection_is_not_trusted(fake: FakeIam) -> None:
    transport = HttpTransport(Network(TransportSettings(idle_limit_s=0.0)))
    transport.send(post(fake.issuer("ok") + "token"))
    assert transport.send(post(fake.issuer("hangup") + "token")).detail == "the connection ended before the answer"
    transport.close()


def test_nobody_listening_is_a_connect_error() -> None:
    response = HttpTransport(Network(QUICK)).send(post(f"http://127.0.0.1:{free_port()}/token"))
    assert (response.failure, response.detail) == (Outcome.CONNECT_ERROR, "connection refused")


def test_an_unknown_host_is_a_connect_error_that_does_not_repeat_the_name() -> None:
    response = HttpTransport(Network(TransportSettings(connect_timeout_s=5))).send(post("http://nothing.invalid/token"))
    assert response.failure is Outcome.CONNECT_ERROR
    assert "invalid" not in response.detail


def test_a_listener_that_never_accepts_is_a_connect_error_within_the_limit() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fill = [socket.socket() for _ in range(8)]
        for one in fill:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        response = HttpTransport(Network(QUICK)).send(post(f"http://127.0.0.1:{port}/token"))
        for one in fill:
            one.close()
    assert response.failure in {Outcome.CONNECT_ERROR, Outcome.TIMEOUT}


def test_a_killed_user_gives_its_connection_back(fake: FakeIam) -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    transport, before = HttpTransport(Network(GENEROUS)), open_files()
    user = gevent.spawn(transport.send, post(fake.issuer("slow") + "token"))
    with gevent.Timeout(60):
        while open_files() != before + 1:
            gevent.sleep(0.01)
    user.kill()
    assert open_files() == before


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1; its key stands beside it as key.pem."""
    directory = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=1))
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    (directory / "cert.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (directory / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return directory / "cert.pem"


@pytest.fixture(scope="module")
def tls_fake(certificate: Path) -> Iterator[FakeIam]:
    """The fake token server over TLS."""
    ready = certificate.parent / "ready.json"
    files = (str(certificate), str(certificate.parent / "key.pem"))
    with server([sys.executable, str(fake_iam_module.__file__), str(ready), *files], ready) as told:
        yield FakeIam(told["port"], "https")


class TestTls:
    """One verified context for all; a certificate that cannot be trusted is a tls_error."""

    def test_a_bundle_makes_the_certificate_trusted_and_the_connection_is_kept(
        self, tls_fake: FakeIam, certificate: Path
    ) -> None:
        target = Target(ca_bundle=certificate.name)
        transport = HttpTransport(Network(settings_of(target, certificate.parent)))
        responses = [transport.send(post(tls_fake.issuer("ok") + "token")) for _ in range(3)]
        transport.close()
        assert [(response.status, response.failure) for response in responses] == [(200, None)] * 3

    def test_an_unknown_certificate_is_refused(self, tls_fake: FakeIam) -> None:
        response = send(tls_fake, "ok", settings_of(Target(), Path()))
        assert response.failure is Outcome.TLS_ERROR
        assert response.detail.startswith("certificate: self-signed certificate")

    def test_a_certificate_for_another_name_is_refused(self, tls_fake: FakeIam, certificate: Path) -> None:
        settings = settings_of(Target(ca_bundle=str(certificate)), Path())
        response = HttpTransport(Network(settings)).send(post(f"https://localhost:{tls_fake.port}/ok/token"))
        assert response.failure is Outcome.TLS_ERROR
        assert "localhost" in response.detail

    def test_checking_can_be_switched_off_and_says_so(
        self, tls_fake: FakeIam, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings = settings_of(Target(verify_tls=False), Path())
        assert "not checked" in caplog.text
        assert send(tls_fake, "ok", settings).status == 200

    def test_plain_http_where_tls_is_expected_is_a_tls_error(self, fake: FakeIam) -> None:
        response = HttpTransport(Network(settings_of(Target(timeout_s=2), Path()))).send(
            post(f"https://127.0.0.1:{fake.port}/ok/token")
        )
        assert response.failure is Outcome.TLS_ERROR

    def test_a_server_that_never_answers_the_handshake_is_a_tls_error(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"https://127.0.0.1:{listener.getsockname()[1]}/token"
            for target in (Target(timeout_s=0.3), Target(tls_timeout_s=0.3)):
                response = HttpTransport(Network(settings_of(target, Path()))).send(post(url))
                assert (response.failure, response.detail) == (Outcome.TLS_ERROR, "no TLS handshake within 0.3 s")

    @pytest.mark.parametrize(("content", "message"), [(None, "cannot be read"), ("no certificate", "holds no PEM")])
    def test_a_bad_bundle_is_named(self, tmp_path: Path, content: str | None, message: str) -> None:
        if content is not None:
            (tmp_path / "ca.pem").write_text(content)
        with pytest.raises(UserError, match=rf"ca\.pem: {message}"):
            settings_of(Target(ca_bundle="ca.pem"), tmp_path)

    def test_the_default_context_verifies(self) -> None:
        tls = settings_of(Target(), Path()).tls
        assert tls is not None
        assert (tls.verify_mode, tls.check_hostname) == (ssl.CERT_REQUIRED, True)


def feed(data: bytes, size: int) -> ResponseReader:
    """A reader that was given ``data`` in pieces."""
    reader = ResponseReader("X-Backend")
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
    return reader


@given(st.integers(1, 80), st.binary(max_size=200))
def test_an_answer_is_the_same_however_it_is_cut(size: int, body: bytes) -> None:
    data = b"HTTP/1.1 200 OK\r\nX-Backend: n\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    reader = feed(data, size)
    assert reader.complete
    assert reader.keep_alive
    assert (reader.status, reader.backend, reader.body()) == (200, "n", body)


@pytest.mark.parametrize(
    "head", [b"204 No Content", b"304 Not Modified\r\nContent-Length: 600", b"205 Reset\r\nContent-Length: 0"]
)
def test_an_answer_that_has_no_body_is_complete_with_its_head(head: bytes) -> None:
    """And the next one on the same connection is read from its first byte (RFC 9112 section 6.3)."""
    reader = feed(b"HTTP/1.1 %b\r\n\r\n" % head, 7)
    assert (reader.complete, reader.keep_alive, reader.body()) == (True, True, b"")
    reader.begin()
    reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert (reader.complete, reader.status, reader.body()) == (True, 200, b"ok")


@settings(max_examples=300)
@given(st.binary(max_size=300), st.booleans(), st.integers(1, 300))
def test_hostile_bytes_are_an_outcome_or_wait_for_more(data: bytes, starts_well: bool, size: int) -> None:
    head = b"HTTP/1.1 200 OK\r\n" if starts_well else b""
    with suppress(TransportFailureError):
        reader = feed(head + data, size)
        if reader.end_of_stream():
            assert len(reader.body()) <= MAX_BODY_BYTES
