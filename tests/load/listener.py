"""A server of a few lines on 127.0.0.0/8: a thread for each connection does what a test says."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

GOOD = b'{"access_token": "listener-access", "token_type": "Bearer"}'
Serve = Callable[[socket.socket], None]


@dataclass
class Listener:
    """Where it listens, how many connections came, and what tests chose to keep."""

    address: str
    port: int
    connections: int = 0
    kept: list[bytes] = field(default_factory=list)

    def url(self, host: str = "", scheme: str = "http") -> str:
        """Its token endpoint, by a name of its own where one is given."""
        return f"{scheme}://{host or self.address}:{self.port}/token"


@contextmanager
def listening(
    serve: Serve, address: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> Iterator[Listener]:
    """A listener while the block runs; ``serve`` has each connection to itself, which is closed after it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, port), family=family, backlog=512) as server:
        listener = Listener(address, server.getsockname()[1])
        threading.Thread(target=_accept, args=(server, listener, serve, tls), daemon=True).start()
        try:
            yield listener
        finally:
            server.shutdown(socket.SHUT_RDWR)


def _accept(server: socket.socket, listener: Listener, serve: Serve, tls: ssl.SSLContext | None) -> None:
    with suppress(OSError):
        while True:
            accepted, _ = server.accept()
            listener.connections += 1
            threading.Thread(target=_serve, args=(accepted, serve, tls), daemon=True).start()


def _serve(accepted: socket.socket, serve: Serve, tls: ssl.SSLContext | None) -> None:
    with suppress(OSError), accepted:
        if tls is None:
            serve(accepted)
        else:
            with tls.wrap_socket(accepted, server_side=True) as secured:
                serve(secured)


def read_request(connection: socket.socket) -> bytes:
    """One request, head and body; empty where the client has closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        came = connection.recv(65_536)
        if not came:
            return b""
        data += came
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def answer(body: bytes = GOOD, *headers: str, status: str = "200 OK") -> bytes:
    """A whole answer."""
    lines = (f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answering(data: bytes) -> Serve:
    """Give these bytes to each request of a connection."""

    def serve(connection: socket.socket) -> None:
        while read_request(connection):
            connection.sendall(data)

    return serve


def silent(connection: socket.socket) -> None:
    """Say nothing until the client has closed."""
    while connection.recv(65_536):
        pass


def proxy(listener: list[bytes], refusal: bytes = b"", login: bytes = b"") -> Serve:
    """An HTTP proxy that keeps the heads it was sent; it may refuse, or want an Authorization."""

    def serve(connection: socket.socket) -> None:
        request = read_request(connection)
        listener.append(request)
        if login and b"Proxy-Authorization: " + login not in request:
            connection.sendall(answer(b"who?", status="407 Proxy Authentication Required"))
        elif refusal:
            connection.sendall(refusal)
        elif request.startswith(b"CONNECT "):
            host, _, port = request.split(b" ", 2)[1].decode().rpartition(":")
            with socket.create_connection((_pinned(host), int(port))) as onward:
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                _pump(connection, onward)
        else:
            connection.sendall(answer(b"by proxy"))
            answering(answer(b"by proxy"))(connection)

    return serve


def _pinned(host: str) -> str:
    """Test names, which only a proxy of these tests can resolve."""
    return "127.0.0.1" if host.endswith(".test") else host


def _pump(one: socket.socket, other: socket.socket) -> None:
    def move(source: socket.socket, to: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)

    back = threading.Thread(target=move, args=(other, one), daemon=True)
    back.start()
    move(one, other)
    back.join(5)
