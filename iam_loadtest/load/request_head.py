"""What stands before the body of a request, encoded once for all requests that share it."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from iam_loadtest.flow.message import Request
from iam_loadtest.flow.redirect import Origin, origin_of

MAX_HEADS = 64
"""Requests with headers of their own, such as a bearer token, would otherwise be kept for ever."""


class RequestHead(NamedTuple):
    """Where a request goes, and its bytes: ``head`` ends where the length of a body follows, ``bodiless`` is whole."""

    request: Request
    origin: Origin
    head: bytes
    bodiless: bytes


class RequestHeads:
    """Encodes heads and keeps them by the headers object, which all requests of a step share."""

    def __init__(self) -> None:
        self._known: dict[int, RequestHead] = {}

    def of(self, request: Request) -> RequestHead:
        """The head of a request; the step's own where nothing but the body differs."""
        known = self._known.get(id(request.headers))
        if known is None or known.request.url != request.url or known.request.method != request.method:
            if len(self._known) >= MAX_HEADS:
                self._known.clear()
            known = self._known[id(request.headers)] = encode_head(request._replace(body=b""))
        return known


def encode_head(request: Request) -> RequestHead:
    """The head of a request. A GET or HEAD without a body says no length."""
    url = urlsplit(request.url)
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    headers = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    lines = f"{request.method} {target} HTTP/1.1\r\nHost: {url.netloc}\r\n{headers}".encode()
    bodiless = lines + (b"\r\n" if request.method in {"GET", "HEAD"} else b"Content-Length: 0\r\n\r\n")
    return RequestHead(request, origin_of(request.url), lines + b"Content-Length: ", bodiless)
