"""A small HTTP/1.1 client for token traffic: gevent's event loop, httptools, connections kept by each virtual user."""

from __future__ import annotations

import ssl
from functools import partial
from time import monotonic

from iam_loadtest.flow.message import Request, Response
from iam_loadtest.flow.redirect import Origin, send_following
from iam_loadtest.load.connection import Connection, TlsConnection
from iam_loadtest.load.dial import Call, Dialler, in_words
from iam_loadtest.load.known_head import KnownHeads
from iam_loadtest.load.request_head import RequestHeads
from iam_loadtest.load.response_reader import ResponseReader
from iam_loadtest.load.resumption import Resumption
from iam_loadtest.load.transport import TransportFailureError, TransportSettings
from iam_loadtest.load.tunnel import WRONG_LOGIN, refusal_of
from iam_loadtest.results.outcome import Outcome

MAX_LINKS = 4
"""Origins that a user stays connected to; a workload has one, with a login page or two ports a few."""
_LOOK_AFTER_S = 0.25
"""After this time an idle connection is looked at once more: the event loop tells of a change a moment later."""


class Network:
    """What the users of a process share: where hosts are, how they are reached, requests encoded once."""

    def __init__(self, settings: TransportSettings) -> None:
        self.settings = settings
        self.dialler = Dialler(settings)
        self.book = self.dialler.book
        self.heads = RequestHeads(settings.proxy)
        self.known = KnownHeads()
        self.resumption = Resumption()


class _Link:
    """A connection to an origin, with what reads its answers. ``version`` is that of the addresses when last looked."""

    __slots__ = ("address", "backend", "connection", "idle_since_s", "origin", "reader", "version")

    def __init__(self, origin: Origin, connection: Connection, address: str, network: Network) -> None:
        self.origin = origin
        self.connection = connection
        self.address = address
        self.reader = ResponseReader(network.settings.backend_header, network.known)
        self.idle_since_s = 0.0
        self.version = network.book.version
        is_direct = network.settings.proxy is None
        self.backend = address if is_direct and network.book.is_spread(origin[1]) else ""


class HttpTransport:
    """Sends over a kept connection to each origin; user ``number`` has its own one of a host's addresses.

    A request whose connection dies is never sent again: it may have been carried out.
    """

    def __init__(self, network: Network, number: int = 0) -> None:
        self._network = network
        self._settings = network.settings
        self._book = network.book
        self._timeout_s = network.settings.timeout_s
        self._idle_limit_s = network.settings.idle_limit_s
        self._head_of = network.heads.of
        self._number = number
        self._links: dict[Origin, _Link] = {}
        self._sessions: dict[Origin, ssl.SSLSession] = {}

    def send(self, request: Request) -> Response:
        """The answer; every failure of the network is a Response with ``failure`` set."""
        started_s = monotonic()
        deadline_s = started_s + self._timeout_s
        if request.visit is not None:
            return send_following(request, request.visit, partial(self._send_hop, deadline_s))
        return self._send(request, started_s, deadline_s)

    def close(self) -> None:
        """Close the connections, if there are any."""
        while self._links:
            self._drop(self._links.popitem()[1])

    def _send_hop(self, deadline_s: float, request: Request, is_guarded: bool) -> Response:
        return self._send(request, monotonic(), deadline_s, is_guarded)

    def _send(self, request: Request, started_s: float, deadline_s: float, is_guarded: bool = False) -> Response:
        _, origin, head, bodiless = self._head_of(request)
        body = request.body
        data = b"%b%d\r\n\r\n%b" % (head, len(body), body) if body else bodiless
        link = None
        try:
            link = self._reuse(origin, started_s)
            is_reused = link is not None
            link = link or self._open(Call(origin, self._number, started_s, deadline_s, None, is_guarded))
            return self._exchange(link, data, request.method == "HEAD", deadline_s, is_reused)
        except TransportFailureError as failure:
            self._forget(link)
            return Response(failure.status, failure=failure.outcome, detail=failure.detail)
        except BaseException:  # a user that is killed too: the connection's state is unknown; it is raised again
            self._forget(link)
            raise

    def _exchange(self, link: _Link, data: bytes, is_head: bool, deadline_s: float, is_reused: bool) -> Response:
        """Send, and read until the answer is complete. Raises TransportFailureError."""
        reader, connection = link.reader, link.connection
        reader.begin(is_head)
        try:
            connection.begin(deadline_s)
            connection.send(data)
            came = connection.receive()
            response = reader.recognise(came, connection.received_us, link.backend)
            if response is not None:
                link.idle_since_s = monotonic()
                return response
            self._read(reader, connection, came)
        except TimeoutError:
            detail = f"no complete answer within {self._timeout_s:g} s"
            raise TransportFailureError(Outcome.TIMEOUT, detail, reader.status) from None
        except ssl.SSLError as error:
            raise TransportFailureError(Outcome.TLS_ERROR, f"connection: {in_words(error)}", reader.status) from error
        except OSError as error:
            raise _lost(reader, is_reused) from error
        return self._response(link)

    @staticmethod
    def _read(reader: ResponseReader, connection: Connection, came: bytes) -> None:
        """Read on, after what came first, until the answer is complete."""
        while True:
            if came:
                reader.feed(came)
            elif not reader.end_of_stream():
                raise ConnectionResetError
            if reader.complete:
                return
            came = connection.receive()

    def _response(self, link: _Link) -> Response:
        """What was read; the connection is kept where the server says so. Raises TransportFailureError."""
        reader, received_us = link.reader, link.connection.received_us
        if reader.status == WRONG_LOGIN and self._settings.proxy is not None:
            raise refusal_of(reader.status)
        response = Response(
            reader.status,
            reader.body(),
            reader.backend or link.backend,
            reader.retry_after,
            None,
            "",
            received_us,
            reader.location,
            reader.set_cookies,
        )
        if reader.keep_alive:
            link.idle_since_s = monotonic()
        else:
            self._forget(link)
        return response

    def _reuse(self, origin: Origin, now_s: float) -> _Link | None:
        """The link that is there, if it can be used: not idle for long, open, nothing left over, its address known."""
        link = self._links.get(origin)
        if link is None:
            return None
        connection = link.connection
        idle_s = now_s - link.idle_since_s
        if idle_s >= _LOOK_AFTER_S and connection.is_usable:
            connection.look()
        if (
            connection.is_usable
            and idle_s < self._idle_limit_s
            and (link.version == self._book.version or self._is_at(link))
        ):
            return link
        self._forget(link)
        return None

    def _is_at(self, link: _Link) -> bool:
        """Whether the link still leads to an address of its host, after addresses have changed."""
        link.version = self._book.version
        proxy = self._settings.proxy
        return self._book.holds(link.origin[1] if proxy is None else proxy.host, link.address)

    def _open(self, call: Call) -> _Link:
        """A new link, by resuming the user's TLS session where there is one."""
        if len(self._links) >= MAX_LINKS:
            self.close()
        session = self._sessions.pop(call.origin, None)
        connection, address = self._network.dialler.dial(call._replace(session=session))
        if session is not None and isinstance(connection, TlsConnection):
            self._network.resumption.note(call.origin, connection.is_resumed)
            if connection.is_resumed:
                self._sessions[call.origin] = session
        link = self._links[call.origin] = _Link(call.origin, connection, address, self._network)
        return link

    def _forget(self, link: _Link | None) -> None:
        if link is not None and self._links.pop(link.origin, None) is not None:
            self._drop(link)

    def _drop(self, link: _Link) -> None:
        connection = link.connection
        if isinstance(connection, TlsConnection):
            self._keep_session(link.origin, connection)
        connection.close()
        link.reader.close()

    def _keep_session(self, origin: Origin, connection: TlsConnection) -> None:
        """Have a session for the next connection: the one that was taken up, or else this connection's own."""
        if origin in self._sessions or not self._network.resumption.is_worthwhile(origin):
            return
        session = connection.session
        if session is not None:
            if len(self._sessions) >= MAX_LINKS:
                self._sessions.clear()
            self._sessions[origin] = session


def _lost(reader: ResponseReader, is_reused: bool) -> TransportFailureError:
    if reader.has_bytes:
        detail = "the connection ended in the middle of the answer"
    elif is_reused:
        detail = "a reused idle connection ended before the answer"
    else:
        detail = "the connection ended before the answer"
    return TransportFailureError(Outcome.CONNECTION_LOST, detail, reader.status)
