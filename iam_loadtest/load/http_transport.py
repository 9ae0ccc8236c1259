"""A small HTTP/1.1 client for token traffic: gevent sockets, httptools, one kept connection per virtual user."""

from __future__ import annotations

import ssl
from functools import partial
from time import monotonic

import gevent
from gevent import socket

from iam_loadtest.flow.cookie_jar import CookieJar
from iam_loadtest.flow.message import Request, Response
from iam_loadtest.flow.redirect import FORBIDDEN_REDIRECT, Origin, is_forbidden, send_following
from iam_loadtest.load.connection import Connection, TlsConnection
from iam_loadtest.load.request_head import RequestHeads
from iam_loadtest.load.response_reader import ResponseReader
from iam_loadtest.load.transport import TransportFailureError, TransportSettings
from iam_loadtest.results.outcome import Outcome

_LOOK_AFTER_S = 0.005
"""After this time an idle connection is looked at once more; the event loop would tell of a change a little later."""


class HttpTransport:
    """Sends over one kept connection to one origin at a time; another origin replaces it.

    A request whose connection dies is never sent again: it may have been carried out.
    """

    def __init__(self, settings: TransportSettings) -> None:
        self._settings = settings
        self._timeout_s = settings.timeout_s
        self._reader = ResponseReader(settings.backend_header)
        self._connection: Connection | None = None
        self._origin: Origin | None = None
        self._idle_since = 0.0
        self._heads = RequestHeads()
        self._cookies = CookieJar()

    def send(self, request: Request) -> Response:
        """The answer; every failure of the network is a Response with ``failure`` set."""
        started_s = monotonic()
        deadline_s = started_s + self._timeout_s
        if request.follow_redirects:
            return send_following(request, partial(self._send_hop, deadline_s), self._cookies)
        return self._send(request, started_s, deadline_s)

    def _send_hop(self, deadline_s: float, request: Request, is_guarded: bool) -> Response:
        return self._send(request, monotonic(), deadline_s, is_guarded)

    def _send(self, request: Request, started_s: float, deadline_s: float, is_guarded: bool = False) -> Response:
        kept = False
        try:
            received_us = self._exchange(request, started_s, deadline_s, is_guarded)
            reader = self._reader
            body = reader.body()
            response = Response(
                reader.status,
                body,
                reader.backend,
                reader.retry_after,
                None,
                "",
                received_us,
                reader.location,
                reader.set_cookies,
            )
            kept = reader.keep_alive
            return response
        except TransportFailureError as failure:
            return Response(failure.status, failure=failure.outcome, detail=failure.detail)
        finally:
            if not kept:
                self.close()

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(self, request: Request, started_s: float, deadline_s: float, is_guarded: bool) -> int:
        """Send and read; when the last byte had come."""
        _, origin, head, bodiless = self._heads.of(request)
        connection = self._reuse(origin, started_s)
        is_reused = connection is not None
        if connection is None:
            connection = self._open(origin, deadline_s, is_guarded)
        reader = self._reader
        reader.begin(request.method == "HEAD")
        body = request.body
        try:
            connection.begin(deadline_s)
            connection.send(b"%b%d\r\n\r\n%b" % (head, len(body), body) if body else bodiless)
            while not reader.complete:
                data = connection.receive()
                if data:
                    reader.feed(data)
                elif not reader.end_of_stream():
                    raise ConnectionResetError
        except TimeoutError:
            detail = f"no complete answer within {self._timeout_s:g} s"
            raise TransportFailureError(Outcome.TIMEOUT, detail, reader.status) from None
        except OSError as error:
            raise self._lost(is_reused) from error
        self._idle_since = monotonic()
        return connection.received_us

    def _lost(self, is_reused: bool) -> TransportFailureError:
        if self._reader.has_bytes:
            detail = "the connection ended in the middle of the answer"
        elif is_reused:
            detail = "a reused idle connection ended before the answer"
        else:
            detail = "the connection ended before the answer"
        return TransportFailureError(Outcome.CONNECTION_LOST, detail, self._reader.status)

    def _reuse(self, origin: Origin, now_s: float) -> Connection | None:
        """The connection that is there, if it can be used: same origin, not idle for long, open, nothing left over."""
        connection = self._connection
        if connection is None:
            return None
        idle_s = now_s - self._idle_since
        if idle_s >= _LOOK_AFTER_S and connection.is_usable:
            connection.look()
        if connection.is_usable and self._origin == origin and idle_s < self._settings.idle_limit_s:
            return connection
        self.close()
        return None

    def _open(self, origin: Origin, deadline_s: float, is_guarded: bool) -> Connection:
        limit_s = max(min(self._settings.connect_timeout_s, deadline_s - monotonic()), 0.001)
        limit = gevent.Timeout(limit_s)
        with limit:
            try:
                connection = self._connect(origin, limit_s, is_guarded)
            except gevent.Timeout as expired:
                if expired is not limit:
                    raise
                outcome = Outcome.CONNECT_ERROR if self._connection is None else Outcome.TLS_ERROR
                raise TransportFailureError(outcome, _no_connection(self._settings.connect_timeout_s)) from None
        self._reader = ResponseReader(self._settings.backend_header)
        self._origin = origin
        return connection

    def _connect(self, origin: Origin, limit_s: float, is_guarded: bool) -> Connection:
        scheme, host, port = origin
        tls = self._settings.tls
        if scheme == "https" and tls is None:
            raise TransportFailureError(Outcome.TLS_ERROR, "no TLS context is set")
        try:
            connected = socket.create_connection((host, port))
            if is_guarded and is_forbidden(connected.getpeername()[0]):
                connected.close()
                raise TransportFailureError(Outcome.PROTOCOL_ERROR, FORBIDDEN_REDIRECT)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise TransportFailureError(Outcome.CONNECT_ERROR, _reason(error)) from error
        if tls is not None and scheme == "https":
            self._connection = secured = TlsConnection(connected.detach(), tls, host)
            secured.begin(monotonic() + limit_s)
            _shake_hands(secured, self._settings.connect_timeout_s)
        else:
            self._connection = Connection(connected.detach())
        return self._connection


def _shake_hands(connection: TlsConnection, connect_timeout_s: float) -> None:
    try:
        connection.shake_hands()
    except ssl.SSLCertVerificationError as error:
        raise TransportFailureError(Outcome.TLS_ERROR, f"certificate: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise TransportFailureError(Outcome.TLS_ERROR, f"handshake: {error.reason or 'failed'}") from error
    except TimeoutError as error:
        raise TransportFailureError(Outcome.TLS_ERROR, _no_connection(connect_timeout_s)) from error
    except OSError as error:
        raise TransportFailureError(Outcome.TLS_ERROR, f"handshake: {_reason(error)}") from error


def _no_connection(connect_timeout_s: float) -> str:
    """The limit as it was set, not what was left of it: equal failures must give equal texts."""
    return f"no connection within {connect_timeout_s:g} s"


def _reason(error: OSError) -> str:
    """The system's words for an error, without the address: equal failures must give equal texts."""
    if isinstance(error, socket.gaierror):
        return "the host's name cannot be resolved"
    return (error.strerror or type(error).__name__).lower()
