"""What stands before the body of a request, encoded once for all requests that share it."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from iam_loadtest.flow.message import Request
from iam_loadtest.flow.redirect import Origin, origin_of
from iam_loadtest.scenario.proxy import Proxy

MAX_HEADS = 64
"""Requests with headers of their own, such as a bearer token, would otherwise be kept for ever."""


class RequestHead(NamedTuple):
    """Where a request goes, and its bytes: ``head`` ends where the length of a body follows, ``bodiless`` is whole."""

    request: Request
    origin: Origin
    head: bytes
    bodiless: bytes


class RequestHeads:
    """Encodes heads and keeps them by the headers object, which all requests of a step share.

    ``proxy`` is where plain http goes; it is told the whole URL.
    """

    def __init__(self, proxy: Proxy | None = None) -> None:
        self._proxy = proxy
        self._known: dict[int, RequestHead] = {}

    def of(self, request: Request) -> RequestHead:
        """The head of a request; the step's own where nothing but the body differs."""
        known = self._known.get(id(request.headers))
        if known is None or known.request.url != request.url or known.request.method != request.method:
            if len(self._known) >= MAX_HEADS:
                self._known.clear()
            known = self._known[id(request.headers)] = encode_head(request._replace(body=b""), self._proxy)
        return known


def encode_head(request: Request, proxy: Proxy | None = None) -> RequestHead:
    """The head of a request, for a proxy where plain http goes to one. A GET or HEAD without a body says no length."""
    url = urlsplit(request.url)
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    headers = dict(request.headers)
    if proxy is not None and url.scheme == "http":
        target = f"http://{url.netloc}{target}"
        headers |= proxy.headers
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    lines = f"{request.method} {target} HTTP/1.1\r\nHost: {url.netloc}\r\n{fields}".encode()
    bodiless = lines + (b"\r\n" if request.method in {"GET", "HEAD"} else b"Content-Length: 0\r\n\r\n")
    return RequestHead(request, origin_of(request.url), lines + b"Content-Length: ", bodiless)
