"""Small HTTP servers on 127.0.0.1 that answer as an IAM should not."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from threading import Event, Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DISCOVERY = "/.well-known/openid-configuration"
Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """A running server: its address, and what it answers by path (404 elsewhere)."""

    def __init__(self, server: ThreadingHTTPServer, scheme: str) -> None:
        self.url = f"{scheme}://127.0.0.1:{server.server_port}/"
        self.answers: dict[str, Answer] = {}
        self.ended = Event()

    def discovery(self, **changed: object) -> dict[str, object]:
        """A right discovery document for this server, with some keys changed."""
        return {"issuer": self.url, "token_endpoint": f"{self.url}token", "jwks_uri": f"{self.url}jwk", **changed}


@contextmanager
def serving(answers: Mapping[str, Answer] | None = None, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server while the block runs; a handler that waits is let go at its end."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer_of(server, self)

        do_POST = do_DELETE = do_GET

        def log_message(self, *_: object) -> None:
            """Nothing: tests read the client's side."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that gave up, as it should."""

    with Quiet(("127.0.0.1", 0), Handler) as http:
        if tls is not None:
            http.socket = tls.wrap_socket(http.socket, server_side=True)
        server = Server(http, "https" if tls else "http")
        server.answers.update(answers or {})
        Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server
        finally:
            server.ended.set()
            http.shutdown()


def answer_of(server: Server, request: BaseHTTPRequestHandler) -> None:
    """Read the request whole and give the path's answer; its body is there as ``content``."""
    vars(request)["content"] = request.rfile.read(int(request.headers.get("Content-Length", 0)))
    server.answers.get(request.path, text(404, "not found"))(request)


def text(status: int, body: str, content_type: str = "text/plain", **headers: str) -> Answer:
    """An answer of this text."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        content = body.encode()
        request.send_response(status)
        request.send_header("Content-Type", content_type)
        request.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(content)

    return answer


def document(value: object, status: int = 200) -> Answer:
    """An answer of this JSON value."""
    return text(status, json.dumps(value), "application/json")


def in_turn(*answers: Answer) -> Answer:
    """Each answer once, in this order."""
    waiting = iter(answers)

    def answer(request: BaseHTTPRequestHandler) -> None:
        next(waiting)(request)

    return answer


def silence(server: Server) -> Answer:
    """No answer until the server ends."""
    return lambda _request: server.ended.wait(10) and None


def dripping(server: Server, in_head: bool = False) -> Answer:
    """An answer that never ends: a byte every 50 ms, of its body or of a header."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        if in_head:
            request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        else:
            request.send_response(200)
            request.send_header("Content-Length", "100000")
            request.end_headers()
        while not server.ended.wait(0.05):
            request.wfile.write(b" ")

    return answer


def cut_short(request: BaseHTTPRequestHandler) -> None:
    """Half of what was announced, then the end of the connection."""
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.wfile.write(b'{"issuer": ')
    request.close_connection = True


def self_signed(directory: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS context with a certificate that signs itself, and the certificate as a PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, private = directory / "ca.pem", directory / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, private)
    return context, pem
