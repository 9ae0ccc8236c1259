"""A small HTTP/1.1 client for token traffic: gevent sockets, httptools, one kept connection per virtual user."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from time import monotonic
from urllib.parse import SplitResult, urlsplit

import gevent
from gevent import socket

from iam_loadtest.flow.message import Request, Response
from iam_loadtest.load.response_reader import ResponseReader
from iam_loadtest.load.transport import TransportFailureError, TransportSettings
from iam_loadtest.results.outcome import Outcome

_READ_BYTES = 65_536

Origin = tuple[str, str, int]


class HttpTransport:
    """Sends over one kept connection to one origin at a time; another origin replaces it.

    A request whose connection dies is never sent again: it may have been carried out.
    """

    def __init__(self, settings: TransportSettings) -> None:
        self._settings = settings
        self._reader = ResponseReader(settings.backend_header)
        self._socket: socket.socket | None = None
        self._origin: Origin | None = None
        self._idle_since = 0.0
        self._heads: dict[tuple[str, str, int], tuple[Mapping[str, str], Origin, bytes]] = {}

    def send(self, request: Request) -> Response:
        """The answer; every failure of the network is a Response with ``failure`` set."""
        kept = False
        try:
            kept = self._exchange(request)
            return self._response()
        except TransportFailureError as failure:
            kept = False
            return Response(failure.status, failure=failure.outcome, detail=failure.detail)
        finally:
            if not kept:
                self.close()

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _response(self) -> Response:
        reader = self._reader
        return Response(reader.status, reader.body(), reader.backend, reader.retry_after)

    def _exchange(self, request: Request) -> bool:
        """Send and read; whether the connection may be kept."""
        deadline = monotonic() + self._settings.timeout_s
        origin, head = self._head(request)
        is_reused = self._reuse(origin)
        if not is_reused:
            self._open(origin, deadline)
        self._reader.begin()
        data = b"%b%d\r\n\r\n%b" % (head, len(request.body), request.body)
        try:
            self._write_and_read(data, deadline)
        except TimeoutError:
            detail = f"no complete answer within {self._settings.timeout_s:g} s"
            raise TransportFailureError(Outcome.TIMEOUT, detail, self._reader.status) from None
        except OSError as error:
            raise self._lost(is_reused) from error
        self._idle_since = monotonic()
        return self._reader.keep_alive

    def _write_and_read(self, data: bytes, deadline: float) -> None:
        connection, reader = self._socket, self._reader
        if connection is None:  # pragma: no cover  _open has set it or raised
            raise ConnectionError
        connection.settimeout(_left_s(deadline))
        connection.sendall(data)
        while not reader.complete:
            connection.settimeout(_left_s(deadline))
            part = connection.recv(_READ_BYTES)
            if part:
                reader.feed(part)
            elif not reader.end_of_stream():
                raise ConnectionResetError

    def _lost(self, is_reused: bool) -> TransportFailureError:
        if self._reader.has_bytes:
            detail = "the connection ended in the middle of the answer"
        elif is_reused:
            detail = "a reused idle connection ended before the answer"
        else:
            detail = "the connection ended before the answer"
        return TransportFailureError(Outcome.CONNECTION_LOST, detail, self._reader.status)

    def _head(self, request: Request) -> tuple[Origin, bytes]:
        """Origin and the encoded request up to the value of Content-Length; headers of a step are one object."""
        key = (request.method, request.url, id(request.headers))
        known = self._heads.get(key)
        if known is None:
            url = urlsplit(request.url)
            known = self._heads[key] = (request.headers, _origin(url), _encode_head(request, url))
        return known[1], known[2]

    def _reuse(self, origin: Origin) -> bool:
        """Whether the connection that is there can be used: same origin, not idle for long, open, nothing left over."""
        if self._socket is None:
            return False
        idle_s = monotonic() - self._idle_since
        is_usable = self._origin == origin and idle_s < self._settings.idle_limit_s and _is_quiet(self._socket)
        if not is_usable:
            self.close()
        return is_usable

    def _open(self, origin: Origin, deadline: float) -> None:
        limit_s = max(min(self._settings.connect_timeout_s, deadline - monotonic()), 0.001)
        limit = gevent.Timeout(limit_s)
        with limit:
            try:
                self._connect(origin)
            except gevent.Timeout as expired:
                if expired is not limit:
                    raise
                outcome = Outcome.CONNECT_ERROR if self._socket is None else Outcome.TLS_ERROR
                raise TransportFailureError(outcome, f"no connection within {limit_s:.3g} s") from None
        self._reader = ResponseReader(self._settings.backend_header)
        self._origin = origin

    def _connect(self, origin: Origin) -> None:
        scheme, host, port = origin
        try:
            self._socket = socket.create_connection((host, port))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise TransportFailureError(Outcome.CONNECT_ERROR, _reason(error)) from error
        if scheme == "https":
            self._start_tls(self._socket, host)

    def _start_tls(self, plain: socket.socket, host: str) -> None:
        if self._settings.tls is None:
            raise TransportFailureError(Outcome.TLS_ERROR, "no TLS context is set")
        try:
            self._socket = self._settings.tls.wrap_socket(plain, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            raise TransportFailureError(Outcome.TLS_ERROR, f"certificate: {error.verify_message}") from error
        except ssl.SSLError as error:
            raise TransportFailureError(Outcome.TLS_ERROR, f"handshake: {error.reason or 'failed'}") from error
        except OSError as error:
            raise TransportFailureError(Outcome.TLS_ERROR, f"handshake: {_reason(error)}") from error


def _origin(url: SplitResult) -> Origin:
    return url.scheme, url.hostname or "", url.port or (443 if url.scheme == "https" else 80)


def _encode_head(request: Request, url: SplitResult) -> bytes:
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    headers = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    head = f"{request.method} {target} HTTP/1.1\r\nHost: {url.netloc}\r\n{headers}Content-Length: "
    return head.encode()


def _left_s(deadline: float) -> float:
    """Seconds until the deadline; raises TimeoutError where none is left."""
    left_s = deadline - monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _is_quiet(connection: socket.socket) -> bool:
    """Whether an idle connection has neither been closed by the server nor brought bytes nobody asked for."""
    connection.settimeout(0)
    try:
        connection.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    return False


def _reason(error: OSError) -> str:
    """The system's words for an error, without the address: equal failures must give equal texts."""
    if isinstance(error, socket.gaierror):
        return "the host's name cannot be resolved"
    return (error.strerror or type(error).__name__).lower()
