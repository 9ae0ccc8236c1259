"""Around every request: its id, the frontend's name, the counters, the access log."""

from __future__ import annotations

import itertools
import os
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from iam_loadtest.embedded.access_log import AccessLog
from iam_loadtest.embedded.metrics import Part

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_BY_PATH: Final = {
    "/token": "token",
    "/introspect": "introspect",
    "/revoke": "revoke",
    "/userinfo": "userinfo",
    "/jwk": "jwk",
    "/.well-known/openid-configuration": "discovery",
    "/authorize": "authorize",
    "/login": "login",
    "/devicecode": "devicecode",
    "/device": "device",
    "/device/verify": "device",
    "/device/approve": "device",
    "/health": "health",
    "/metrics": "metrics",
}


def instrumented(app: App, part: Part, backend: str, log: AccessLog | None) -> App:
    """The app, with X-Backend and X-Request-Id on every answer, counted and logged.

    The token endpoint names its grant in ``scope["iam.grant"]``.
    """
    prefix, numbers = f"{backend}-{os.getpid():x}-", itertools.count(1)
    backend_header = (b"x-backend", backend.encode())

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        started = time.perf_counter()
        endpoint = _BY_PATH.get(scope["path"], "other")
        request_id = _given_id(scope["headers"]) or f"{prefix}{next(numbers):x}"

        async def counted_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                elapsed_us = int((time.perf_counter() - started) * 1e6)
                grant = scope.get("iam.grant", "other") if endpoint == "token" else ""
                part.count_request(endpoint, grant, message["status"], elapsed_us)
                if log is not None:
                    log.add(request_id, scope["method"], endpoint, grant, message["status"], elapsed_us)
                message["headers"] = [*message["headers"], backend_header, (b"x-request-id", request_id.encode())]
            await send(message)

        await app(scope, receive, counted_send)

    return call


def _given_id(headers: list[tuple[bytes, bytes]]) -> str | None:
    """The caller's own request id where it is harmless to repeat."""
    for name, value in headers:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return value.decode()
    return None
