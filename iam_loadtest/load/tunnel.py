"""Asking an HTTP proxy to pass bytes on to a host (CONNECT, RFC 9110 section 9.3.6)."""

from __future__ import annotations

from typing import Final

from iam_loadtest.load.connection import Connection
from iam_loadtest.load.response_reader import ResponseReader
from iam_loadtest.load.transport import TransportFailureError
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.scenario.proxy import Proxy

WRONG_LOGIN: Final = 407
_REFUSALS: Final = {
    WRONG_LOGIN: "the proxy wants a user and password, or others (407)",
    403: "the proxy does not allow this host (403)",
    502: "the proxy cannot reach the host (502)",
    503: "the proxy cannot reach the host (503)",
    504: "the proxy cannot reach the host in time (504)",
}


def open_tunnel(connection: Connection, host: str, port: int, proxy: Proxy) -> None:
    """Return once what is sent reaches the host; raises TransportFailureError where the proxy refuses, and OSError.

    Bytes that come before anything was sent to the host are not the host's, so they are refused.
    """
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    headers = "".join(f"{key}: {value}\r\n" for key, value in proxy.headers.items())
    connection.send(f"CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n{headers}\r\n".encode())
    reader = ResponseReader("")
    reader.begin(is_head=True)
    try:
        while not reader.complete:
            data = connection.receive()
            if not data:
                raise TransportFailureError(Outcome.CONNECT_ERROR, "the proxy ended the connection")
            reader.feed(data)
    except TransportFailureError as failure:
        if reader.complete and not 200 <= reader.status < 300:
            raise refusal_of(reader.status) from failure
        if failure.outcome is Outcome.CONNECT_ERROR:
            raise
        raise TransportFailureError(Outcome.CONNECT_ERROR, f"the proxy: {failure.detail}") from failure
    if not 200 <= reader.status < 300:
        raise refusal_of(reader.status)


def refusal_of(status: int) -> TransportFailureError:
    """What a proxy's refusal comes to, in words that are the same each time."""
    words = _REFUSALS.get(status, f"the proxy answered with status {status}")
    return TransportFailureError(Outcome.CONNECT_ERROR, words)
