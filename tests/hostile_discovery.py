"""An issuer that would have our secrets go elsewhere, and what it saw of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import NamedTuple

from tests.runner.servers import DISCOVERY, Answer, Server, document, self_signed, serving, text

SECRET = "hunter2-of-the-client"
METADATA = "http://169.254.169.254/latest/meta-data/"
HUGE_BYTES = 50 << 20
CASES = {
    "another-host": "token_endpoint is on host 'evil.example.org', the issuer on '127.0.0.1'",
    "metadata-host": "token_endpoint is on host '169.254.169.254', the issuer on '127.0.0.1'",
    "without-tls": "http, where the issuer is https",
    "unsigned-assertions": "token_endpoint_auth_signing_alg_values_supported holds 'none'",
    "unsigned-tokens": "id_token_signing_alg_values_supported holds 'none' alone",
    "huge-keys": "the answer is larger than ",
    "redirected-keys": "a redirect to http://169.254.169.254/latest/meta-data/",
    "redirected-discovery": "a redirect to http://169.254.169.254/latest/meta-data/",
    "other-issuer": "the discovery document is of issuer 'https://evil.example.org/'",
}
"""What is wrong with the issuer, and what must be said of it."""
CHANGES: dict[str, dict[str, object]] = {
    "another-host": {"token_endpoint": "https://evil.example.org/token"},
    "metadata-host": {"token_endpoint": "https://169.254.169.254/token"},
    "unsigned-assertions": {"token_endpoint_auth_signing_alg_values_supported": ["RS256", "none"]},
    "unsigned-tokens": {"id_token_signing_alg_values_supported": ["none"]},
    "other-issuer": {"issuer": "https://evil.example.org/"},
}


class Hostile(NamedTuple):
    """A running one. ``posts`` is what was sent to it by POST, ``sent_bytes`` what it got rid of of the huge keys."""

    server: Server
    ca_bundle: Path
    posts: list[str]
    sent_bytes: list[int]


@contextmanager
def hostile_issuer(case: str, directory: Path) -> Iterator[Hostile]:
    """An issuer with TLS, and one thing that is wrong with it."""
    context, certificate = self_signed(directory)
    posts: list[str] = []
    sent_bytes: list[int] = []
    with serving(tls=context) as server:
        changed = CHANGES.get(case, {})
        if case == "without-tls":
            changed = {"token_endpoint": server.url.replace("https:", "http:") + "token"}
        server.answers[DISCOVERY] = document(server.discovery(**changed))
        server.answers["/token"] = _noting(posts)
        server.answers["/jwk"] = {
            "huge-keys": _huge(sent_bytes),
            "redirected-keys": text(302, "", Location=METADATA),
        }.get(case, document({"keys": []}))
        if case == "redirected-discovery":
            server.answers[DISCOVERY] = text(302, "", Location=METADATA)
        yield Hostile(server, certificate, posts, sent_bytes)


def scenario_text(issuer: str, ca_bundle: Path) -> str:
    """A scenario with a secret in the variable HOSTILE_SECRET."""
    return f"""\
name: hostile
topologies: {{one: {{provider: url, issuer: "{issuer}"}}}}
target: {{ca_bundle: "{ca_bundle}", health: "{issuer}jwk/health", health_timeout: 100ms, timeout: 20s}}
clients: {{a: {{id: me, secret: "${{HOSTILE_SECRET}}", auth: post}}}}
users: {{password: password}}
steps: {{issue: {{grant: client_credentials, client: a}}}}
workloads: {{access: [issue]}}
verify_tokens: 1
"""


def _noting(posts: list[str]) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        posts.append(vars(request)["content"].decode() + str(request.headers))
        document({"access_token": "a", "token_type": "Bearer"})(request)

    return answer


def _huge(sent_bytes: list[int]) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(HUGE_BYTES))
        request.end_headers()
        sent_bytes.append(0)
        with suppress(OSError):  # the client has seen enough
            while sent_bytes[-1] < HUGE_BYTES:
                request.wfile.write(b" " * (1 << 16))
                sent_bytes[-1] += 1 << 16

    return answer
