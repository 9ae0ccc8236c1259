"""One time limit for a whole exchange of requests, whose own limits count anew for every piece that comes."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakSet

import requests
import urllib3
from requests.adapters import HTTPAdapter

_AGAIN_S = 0.05

TRANSPORT_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""OSError: requests lets those of a certificate file pass as they are."""


class LimitedAdapter(HTTPAdapter):
    """Knows its sockets, so that another thread can end what one of them waits for.

    A connection forgets its socket where the server is to close it: the answer's body is read from it all the same.
    Its TLS is that of the context alone: requests would trust authorities that it brings with it, too.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()
        self._sockets: WeakSet[socket.socket] = WeakSet()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Connections straight to a server."""
        super().init_poolmanager(*arguments, ssl_context=self._context, **options)

    def proxy_manager_for(self, proxy: Any, **options: Any) -> Any:
        """Connections through a proxy."""
        return super().proxy_manager_for(proxy, ssl_context=self._context, **options)

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> Any:
        """The pool for a request; the sockets of its new connections are known here, before and after TLS."""
        pool: Any = super().get_connection_with_tls_context(*arguments, **options)
        kind = type(pool).ConnectionCls

        def connection(*made_of: Any, **how: Any) -> Any:
            made = kind(*made_of, **how)
            made._new_conn = self._told_of(made._new_conn, lambda plain: plain)
            made.connect = self._told_of(made.connect, lambda _: made.sock)
            return made

        pool.ConnectionCls = connection
        return pool

    def cert_verify(self, conn: Any, url: str, verify: bool | str, cert: Any) -> None:
        """Certificates are in the context already: no others are loaded into it."""
        super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]  # requests gives it no types
        conn.ca_certs = conn.ca_cert_dir = None

    def shut_down(self) -> None:
        """End every connection: whoever reads from one finds its end."""
        for one in list(self._sockets):
            with suppress(OSError):
                socket.socket.shutdown(one, socket.SHUT_RDWR)  # below TLS, which would wait

    def _told_of(self, make: Callable[[], Any], socket_of: Callable[[Any], Any]) -> Callable[[], Any]:
        """The function, after which the socket that it made is known."""

        def told() -> Any:
            made = make()
            self._sockets.add(socket_of(made))
            return made

        return told


@contextmanager
def deadline(adapter: LimitedAdapter, limit_s: float) -> Iterator[None]:
    """Raise requests' ReadTimeout where the block's exchange takes longer, whatever it had come to until then."""
    is_done, is_over = threading.Event(), threading.Event()

    def watch() -> None:
        if is_done.wait(limit_s):
            return
        is_over.set()
        adapter.shut_down()
        while not is_done.wait(_AGAIN_S):
            adapter.shut_down()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    except TRANSPORT_ERRORS as error:
        if is_over.is_set():
            raise requests.exceptions.ReadTimeout from error
        raise
    finally:
        is_done.set()
        watcher.join()
    if is_over.is_set():
        raise requests.exceptions.ReadTimeout
