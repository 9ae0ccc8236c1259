"""The few requests before a load behave as the load's own will."""

from __future__ import annotations

import ssl
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import requests

from iam_loadtest.embedded.self_signed import self_signed, self_signed_context
from iam_loadtest.flow.cookie_jar import CookieJar
from iam_loadtest.flow.message import Request, Response, Visit
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.runner.http_client import HttpClient, transport_failure
from iam_loadtest.scenario.target import Target
from tests.load.listener import listening, proxy
from tests.load.processes import free_port
from tests.runner.servers import Server, dripping, serving, text


def page(url: str) -> Request:
    return Request("login_page", url, {"Accept": "text/html"}, b"", "GET", visit=Visit(CookieJar()))


def show_cookie(request: BaseHTTPRequestHandler) -> None:
    """What came with the request."""
    text(200, request.headers.get("Cookie", "no cookie"))(request)


def test_a_page_is_at_the_end_of_its_redirects_with_the_cookies_of_the_way() -> None:
    with serving({"/form": show_cookie}) as server:
        server.answers["/login"] = text(302, "", Location="/form", Set_Cookie="s=1; Path=/")
        client = HttpClient(Target(), Path())
        assert client.send(page(f"{server.url}login")).body == b"s=1"
        client.close()


def test_cookies_of_other_requests_are_not_kept() -> None:
    with serving({"/form": show_cookie, "/token": text(200, "", Set_Cookie="s=1; Path=/")}) as server:
        client = HttpClient(Target(), Path())
        client.send(Request("issue", f"{server.url}token", {}, b""))
        assert client.send(Request("issue", f"{server.url}form", {}, b"")).body == b"no cookie"
        client.close()


def test_a_redirect_that_leads_astray_is_a_protocol_error() -> None:
    with serving({"/login": text(302, "", Location="http://localhost:1/")}) as server:
        client = HttpClient(Target(), Path())
        response = client.send(page(f"{server.url}login"))
        client.close()
    assert (response.failure, response.detail) == (
        Outcome.PROTOCOL_ERROR,
        "a redirect to another host without https",
    )


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's context with a certificate for iam.test, and the certificate."""
    certificate = tmp_path_factory.mktemp("named") / "iam.pem"
    return self_signed_context(certificate, "iam.test"), certificate


def send(target: Target, url: str, directory: Path = Path()) -> Response:
    client = HttpClient(target, directory)
    try:
        return client.send(Request("issue", url, {}, b"a=1"))
    finally:
        client.close()


def port_of(server: Server) -> int:
    return int(server.url.rstrip("/").rpartition(":")[2])


def show_host(request: BaseHTTPRequestHandler) -> None:
    """The name that the client thinks it talks to."""
    text(200, request.headers.get_all("Host", [])[0])(request)


def test_a_pinned_host_keeps_its_name_and_is_checked_by_it(named: tuple[ssl.SSLContext, Path]) -> None:
    """The first address refuses, so the second is asked."""
    context, certificate = named
    pins = {"iam.test": ("127.0.0.3", "127.0.0.1"), "other.test": ("127.0.0.1",)}
    target = Target(ca_bundle=str(certificate), resolve=pins)
    with serving({"/token": show_host}, context) as server:
        answered = send(target, f"https://iam.test:{port_of(server)}/token")
        assert answered.body.decode() == f"iam.test:{port_of(server)}"
        assert send(target, f"https://other.test:{port_of(server)}/token").failure is Outcome.TLS_ERROR
    with serving({"/token": show_host}) as server:
        assert send(target, f"http://iam.test:{port_of(server)}/token").status == 200
        assert send(target, f"{server.url}token").status == 200


def test_what_the_system_trusts_is_trusted_as_by_the_load(
    named: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """requests alone would look into a list of its own: a company's authority stands in the system's only."""
    context, certificate = named
    target = Target(resolve={"iam.test": ("127.0.0.1",)})
    with serving({"/token": show_host}, context) as server:
        url = f"https://iam.test:{port_of(server)}/token"
        assert send(target, url).failure is Outcome.TLS_ERROR
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert send(target, url).status == 200


def test_a_bundle_adds_to_what_the_system_trusts_and_counts_for_nothing_where_nothing_is_checked(
    named: tuple[ssl.SSLContext, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the load: a scenario with a bundle for its nodes failed at an issuer that the system trusts."""
    context, certificate = named
    (tmp_path / "other.pem").write_bytes(self_signed("other.test")[0])
    pins = {"iam.test": ("127.0.0.1",), "unnamed.test": ("127.0.0.1",)}
    target = Target(ca_bundle=str(tmp_path / "other.pem"), resolve=pins)
    with serving({"/token": show_host}, context) as server:
        url = f"https://iam.test:{port_of(server)}/token"
        assert send(target, url).failure is Outcome.TLS_ERROR
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert send(target, url).status == 200
        unchecked = target.model_copy(update={"verify_tls": False})
        assert send(unchecked, url.replace("iam.test", "unnamed.test")).status == 200


def test_a_header_that_drips_over_tls_ends_at_the_time_limit_and_the_next_request_works(
    named: tuple[ssl.SSLContext, Path],
) -> None:
    context, certificate = named
    target = Target(
        ca_bundle=str(certificate), resolve={"iam.test": ("127.0.0.1",)}, timeout_s=0.3, connect_timeout_s=5
    )
    with serving({"/token": show_host}, context) as server:
        server.answers["/slow"] = dripping(server, in_head=True)
        client, url = HttpClient(target, Path()), f"https://iam.test:{port_of(server)}/"
        slow, ended = client.look(f"{url}slow", 0.3), client.send(Request("issue", f"{url}slow", {}, b""))
        assert (slow.failure, ended.failure) == (Outcome.TIMEOUT, Outcome.TIMEOUT)
        assert client.look(f"{url}token", 20).status == 200
        client.close()


def test_where_no_pinned_address_answers_it_is_a_connect_error() -> None:
    target = Target(resolve={"iam.test": ("127.0.0.3", "127.0.0.4")})
    assert send(target, f"http://iam.test:{free_port()}/token").failure is Outcome.CONNECT_ERROR


def test_the_proxy_of_the_target_is_used_and_the_environments_is_not(
    named: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, certificate = named
    heads: list[bytes] = []
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")
    with listening(proxy(heads, login=b"Basic dTpw")) as near, serving({"/token": show_host}, context) as server:
        monkeypatch.setenv("PROXY", f"http://u:p@127.0.0.1:{near.port}")
        target = Target(proxy="${PROXY}", ca_bundle=str(certificate))
        assert send(target, f"https://iam.test:{port_of(server)}/token").status == 200
        assert send(target, "http://iam.test/token").body == b"by proxy"
        monkeypatch.setenv("PROXY", f"http://u:q@127.0.0.1:{near.port}")
        refused = send(target, f"https://iam.test:{port_of(server)}/token")
    assert heads[0].startswith(b"CONNECT iam.test:")
    assert (refused.failure, refused.detail) == (Outcome.CONNECT_ERROR, "the proxy refused the connection (407)")
    gone = send(target, "https://iam.test/token")
    assert (gone.failure, gone.detail) == (Outcome.CONNECT_ERROR, "the proxy cannot be reached")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired", "has expired"),
        ("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required", "asks for a client certificate"),
        ("[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca", "does not accept the certificate that it was shown"),
        ("EOF occurred in violation of protocol", "the TLS certificate or handshake was not accepted"),
    ],
)
def test_what_openssl_says_of_certificates_is_told_apart(said: str, expected: str) -> None:
    failed = transport_failure(requests.exceptions.SSLError(said))
    assert failed.failure is Outcome.TLS_ERROR
    assert expected in failed.detail


def test_a_client_certificate_is_shown(tmp_path: Path) -> None:
    context = self_signed_context(tmp_path / "ca.pem", "127.0.0.1")
    certificate, key = self_signed("runner")
    (tmp_path / "client.pem").write_bytes(certificate)
    (tmp_path / "client.key").write_bytes(key)
    context.load_verify_locations(tmp_path / "client.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    shown = Target(ca_bundle="ca.pem", client_certificate="client.pem", client_key="client.key")
    with serving({"/token": show_host}, context) as server:
        assert send(shown, f"{server.url}token", tmp_path).status == 200
        assert send(Target(ca_bundle="ca.pem"), f"{server.url}token", tmp_path).failure is not None
