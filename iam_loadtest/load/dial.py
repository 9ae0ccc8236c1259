"""Opening connections: addresses one after the other, through a proxy or not, TLS; each phase within its limit."""

from __future__ import annotations

import errno
import os
import ssl
from time import monotonic
from typing import Any, NamedTuple

from gevent import socket
from gevent.socket import wait_write

from iam_loadtest.flow.redirect import FORBIDDEN_REDIRECT, Origin, is_forbidden
from iam_loadtest.load.address_book import AddressBook
from iam_loadtest.load.connection import Connection, RawSocket, TlsConnection
from iam_loadtest.load.transport import TransportFailureError, TransportSettings
from iam_loadtest.load.tunnel import open_tunnel
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.scenario.proxy import Proxy

_MIN_TRY_S = 0.001


class Call(NamedTuple):
    """One connection that a user wants: user ``number``, on the monotonic clock since ``started_s``.

    ``deadline_s`` is the request's. ``session`` is a TLS session to resume. ``is_guarded`` where a redirect of another
    origin led here: addresses that no redirect may lead to are then refused.
    """

    origin: Origin
    number: int
    started_s: float
    deadline_s: float
    session: ssl.SSLSession | None = None
    is_guarded: bool = False


class Dialler:
    """Opens connections for all users of a process."""

    def __init__(self, settings: TransportSettings) -> None:
        self._settings = settings
        self.book = AddressBook(settings.resolve)

    def dial(self, call: Call) -> tuple[Connection, str]:
        """An open connection and the address it leads to; raises TransportFailureError."""
        scheme, host, _ = call.origin
        tls = self._settings.tls
        if scheme == "https" and tls is None:
            raise TransportFailureError(Outcome.TLS_ERROR, "no TLS context is set")
        connection, address = self._connect(call)
        if tls is None or scheme != "https":
            return connection, address
        secured = TlsConnection(connection.release(), tls, host, call.session)
        try:
            self._shake_hands(secured, call.deadline_s)
        except BaseException:  # a user that is killed meanwhile too: nobody else closes it; it is raised again
            secured.close()
            raise
        return secured, address

    def _connect(self, call: Call) -> tuple[Connection, str]:
        """A connection to the origin's own bytes, through the proxy where there is one."""
        scheme, host, port = call.origin
        proxy, limit_s = self._settings.proxy, self._settings.connect_timeout_s
        until_s = min(call.started_s + limit_s, call.deadline_s)
        who = "" if proxy is None else "proxy: "
        near = (host, port) if proxy is None else (proxy.host, proxy.port)
        try:
            reached, address = self._reach(*near, call, until_s)
            connection = Connection(reached.detach())
            if proxy is not None and scheme == "https":
                _open_tunnel(connection, host, port, proxy, until_s)
        except TimeoutError as error:
            within = _within(limit_s, until_s, call.deadline_s, self._settings.timeout_s)
            raise TransportFailureError(Outcome.CONNECT_ERROR, f"{who}no connection {within}") from error
        except OSError as error:
            raise TransportFailureError(Outcome.CONNECT_ERROR, who + reason_of(error)) from error
        return connection, address

    def _reach(self, host: str, port: int, call: Call, until_s: float) -> tuple[Any, str]:
        """A connected socket to the first address that can be reached; the rest of the time is shared between them."""
        addresses = self.book.order(host, call.number, until_s - monotonic())
        if call.is_guarded and self._settings.proxy is None and any(map(is_forbidden, addresses)):
            raise TransportFailureError(Outcome.PROTOCOL_ERROR, FORBIDDEN_REDIRECT)
        failure: OSError = TimeoutError()
        for tried, address in enumerate(addresses):
            share_s = (until_s - monotonic()) / (len(addresses) - tried)
            try:
                return connect(address, port, share_s), address
            except OSError as error:
                failure = error
                if len(addresses) > 1:
                    self.book.leave_out(address)
        raise failure

    def _shake_hands(self, connection: TlsConnection, deadline_s: float) -> None:
        limit_s = self._settings.tls_timeout_s
        until_s = min(monotonic() + limit_s, deadline_s)
        connection.begin(until_s)
        try:
            connection.shake_hands()
        except ssl.SSLCertVerificationError as error:
            raise TransportFailureError(Outcome.TLS_ERROR, f"certificate: {error.verify_message}") from error
        except ssl.SSLError as error:
            raise TransportFailureError(Outcome.TLS_ERROR, f"handshake: {in_words(error)}") from error
        except TimeoutError as error:
            within = _within(limit_s, until_s, deadline_s, self._settings.timeout_s)
            raise TransportFailureError(Outcome.TLS_ERROR, f"no TLS handshake {within}") from error
        except OSError as error:
            raise TransportFailureError(Outcome.TLS_ERROR, f"handshake: {reason_of(error)}") from error


def connect(address: str, port: int, limit_s: float) -> Any:
    """A connected socket of the standard library, not blocking; raises OSError, TimeoutError after ``limit_s``."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connected = RawSocket(family, socket.SOCK_STREAM)
    try:
        connected.setblocking(False)
        code = connected.connect_ex((address, port))
        if code == errno.EINPROGRESS:
            wait_write(connected.fileno(), max(limit_s, _MIN_TRY_S), TimeoutError())
            code = connected.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:  # a user that is killed meanwhile too: nobody else closes it; it is raised again
        connected.close()
        raise
    return connected


def _open_tunnel(connection: Connection, host: str, port: int, proxy: Proxy, until_s: float) -> None:
    try:
        connection.begin(until_s)
        open_tunnel(connection, host, port, proxy)
    except BaseException:  # a user that is killed meanwhile too: nobody else closes it; it is raised again
        connection.close()
        raise


def reason_of(error: OSError) -> str:
    """The system's words for an error, without the address: equal failures must give equal texts."""
    if isinstance(error, socket.gaierror):
        return "the host's name cannot be resolved"
    return (error.strerror or type(error).__name__).lower()


def _within(limit_s: float, until_s: float, deadline_s: float, timeout_s: float) -> str:
    """Which limit ended a phase, as it was set, not what was left of it: equal failures must give equal texts."""
    if until_s < deadline_s or limit_s == timeout_s:
        return f"within {limit_s:g} s"
    return f"before the time limit of {timeout_s:g} s"


def in_words(error: ssl.SSLError) -> str:
    """OpenSSL's reason for an error."""
    return (error.reason or "failed").lower().replace("_", " ")
