"""The null token server: the same good answer to every token request, as fast as one core can.

What a load generator reaches against it is the generator's own doing. With a schedule of delays and a log of its own it
is the known truth that measured latencies are held against.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import httptools
import jwt
import orjson
import uvloop
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from iam_loadtest.embedded.delay_schedule import DelaySchedule
from iam_loadtest.embedded.self_signed import self_signed_context
from iam_loadtest.errors import UserError

BACKEND: Final = "null"
"""What X-Backend says."""
LOG_HEADER: Final = "arrived_us,answered_us\n"
_LIFETIME_S: Final = 30 * 24 * 3600
_MAX_URL_BYTES: Final = 8192
_BACKLOG: Final = 4096
_FLUSH_LINES: Final = 10_000
_MAX_KNOWN: Final = 64
_MAX_KNOWN_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class NullSettings:
    """What can be set. ``request_log`` gets a line per token request; ``certificate_file`` set means TLS.

    With ``busy_poll`` the process never sleeps and has its core to itself. Where server and client share a machine, the
    client pays for waking a server that sleeps, in each request and more than it takes to send one.
    """

    host: str = "127.0.0.1"
    port: int = 0
    schedule: DelaySchedule | None = None
    request_log: Path | None = None
    ready_file: Path | None = None
    certificate_file: Path | None = None
    busy_poll: bool = False


class Answer:
    """A whole HTTP answer, encoded, and how often it was given."""

    __slots__ = ("count", "payload", "status")

    def __init__(self, status: int, reason: str, body: bytes, content_type: str = "application/json") -> None:
        self.status = status
        self.count = 0
        head = (
            f"HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
            f"Cache-Control: no-store\r\nX-Backend: {BACKEND}\r\n\r\n"
        )
        self.payload = head.encode() + body


class RequestLog:
    """Arrival and answer of each token request: microseconds of the machine's monotonic clock, one line each."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("w", encoding="ascii")
        except OSError as error:
            raise UserError(f"--request-log {path}: cannot be written: {error.strerror}; choose another.") from error
        self._file.write(LOG_HEADER)
        self._lines: list[str] = []

    def add(self, arrived_us: int, answered_us: int) -> None:
        """Note one answered request."""
        self._lines.append(f"{arrived_us},{answered_us}\n")
        if len(self._lines) >= _FLUSH_LINES:
            self.flush()

    def flush(self) -> None:
        """Write what is gathered."""
        self._file.writelines(self._lines)
        self._file.flush()
        self._lines.clear()

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        self._file.close()


class NullIam:
    """Answers by path; one instance is shared by all connections."""

    def __init__(self, issuer: str, schedule: DelaySchedule | None = None, log: RequestLog | None = None) -> None:
        self.issuer = issuer
        self.schedule = schedule
        self.log = log
        self._first_s: float | None = None
        self._not_found = Answer(404, "Not Found", b'{"error":"not_found"}')
        self.token, self.answers = _answers(issuer)
        self.known: dict[bytes, Answer] = {}

    def connection(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        return _TimedConnection(self) if self.schedule or self.log else _Connection(self)

    def other(self, url: bytes) -> Answer:
        """The answer to a path that is not in the table as it stands."""
        path = url.partition(b"?")[0]
        if path == b"/metrics":
            return self._metrics()
        return self.answers.get(path, self._not_found)

    def delay_s(self) -> float:
        """How long the token request that is being counted now is held back."""
        now_s = time.monotonic()
        if self._first_s is None:
            self._first_s = now_s
        return self.schedule.delay_s(self.token.count - 1, now_s - self._first_s) if self.schedule else 0.0

    def _metrics(self) -> Answer:
        if self.log is not None:
            self.log.flush()
        lines = ["# HELP iam_requests_total Requests answered.", "# TYPE iam_requests_total counter"]
        for path, answer in self.answers.items():
            endpoint, grant = path.decode().rpartition("/")[2], "any" if answer is self.token else ""
            labels = f'endpoint="{endpoint}",grant="{grant}",status="{answer.status}",backend="{BACKEND}"'
            lines.append(f"iam_requests_total{{{labels}}} {answer.count}")
        return Answer(200, "OK", "\n".join([*lines, ""]).encode(), "text/plain; version=0.0.4")


class _Connection(asyncio.Protocol):
    """One client; httptools calls the ``on_`` methods. What comes again as it came before is not parsed again."""

    __slots__ = ("_answered", "_answers", "_is_between", "_parser", "_server", "_transport", "_url")
    _transport: asyncio.Transport

    def __init__(self, server: NullIam) -> None:
        self._server = server
        self._answers = server.answers
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._is_between = True
        self._answered: list[Answer | None] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        begins = self._is_between
        answer = self._server.known.get(data) if begins else None
        if answer is not None:
            answer.count += 1
            self._reply(answer, True)
            return
        self._answered.clear()
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._transport.close()
            return
        if begins and self._is_between and len(self._answered) == 1:
            self._learn(data, self._answered[0])

    def _learn(self, data: bytes, answer: Answer | None) -> None:
        """Know one whole request by its bytes, where the next one may follow it."""
        known = self._server.known
        if answer is not None and len(data) <= _MAX_KNOWN_BYTES and len(known) < _MAX_KNOWN:
            known[data] = answer

    def on_message_begin(self) -> None:
        self._is_between = False

    def on_url(self, part: bytes) -> None:
        self._url += part
        if len(self._url) > _MAX_URL_BYTES:
            self._transport.close()

    def on_message_complete(self) -> None:
        fixed = self._answers.get(self._url)
        answer = fixed or self._server.other(self._url)
        self._url = b""
        self._is_between = True
        answer.count += 1
        keep_alive = self._parser.should_keep_alive()
        self._answered.append(fixed if keep_alive else None)
        self._reply(answer, keep_alive)

    def _reply(self, answer: Answer, keep_alive: bool) -> None:
        self._transport.write(answer.payload)
        if not keep_alive:
            self._transport.close()


class _TimedConnection(_Connection):
    """Holds token answers back as the schedule says, in the order of their requests, and logs them."""

    __slots__ = ("_due_s", "_waiting")

    def __init__(self, server: NullIam) -> None:
        super().__init__(server)
        self._due_s = 0.0
        self._waiting: deque[tuple[Answer, bool, int]] = deque()

    def _reply(self, answer: Answer, keep_alive: bool) -> None:
        is_token = answer is self._server.token
        self._waiting.append((answer, keep_alive, _now_us() if is_token else 0))
        delay_s = self._server.delay_s() if is_token else 0.0
        if delay_s or len(self._waiting) > 1:
            loop = asyncio.get_running_loop()
            self._due_s = max(self._due_s, loop.time() + delay_s)
            loop.call_at(self._due_s, self._give)
        else:
            self._give()

    def _give(self) -> None:
        """Give the oldest answer that waits, whichever timer calls: the order of answers is that of the requests."""
        answer, keep_alive, arrived_us = self._waiting.popleft()
        super()._reply(answer, keep_alive)
        if arrived_us and self._server.log is not None:
            self._server.log.add(arrived_us, _now_us())


def serve(settings: NullSettings, on_ready: Callable[[str], None]) -> None:
    """Run until SIGTERM or SIGINT; ``on_ready`` is told the issuer. UserError where the port cannot be used."""
    with _listener(settings) as listener:
        tls = None
        if settings.certificate_file is not None:
            tls = self_signed_context(settings.certificate_file, settings.host)
        log = RequestLog(settings.request_log) if settings.request_log else None
        port = listener.getsockname()[1]
        server = NullIam(_issuer(settings.host, port, tls is not None), settings.schedule, log)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                if settings.busy_poll:
                    _poll_on(runner.get_loop())
                runner.run(_serve(server, listener, tls, lambda: _tell_ready(settings, server.issuer, port, on_ready)))
        finally:
            if log is not None:
                log.close()


def _poll_on(loop: asyncio.AbstractEventLoop) -> None:
    """Have the event loop look for work without a pause: there is always a callback that waits for its turn."""
    loop.call_soon(_poll_on, loop)


async def _serve(
    server: NullIam, listener: socket.socket, tls: ssl.SSLContext | None, tell_ready: Callable[[], None]
) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    listening = await loop.create_server(server.connection, sock=listener, ssl=tls, backlog=_BACKLOG)
    tell_ready()
    await stopped.wait()
    listening.close()


def _listener(settings: NullSettings) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise UserError(
            f"--port {settings.port} on {settings.host} cannot be used ({error.strerror});"
            " stop what uses it, or choose another port (0 takes a free one)"
        ) from error
    return listener


def _tell_ready(settings: NullSettings, issuer: str, port: int, on_ready: Callable[[str], None]) -> None:
    if settings.ready_file is not None:
        temporary = settings.ready_file.with_name(f".{settings.ready_file.name}.{os.getpid()}")
        temporary.write_text(json.dumps({"issuer": issuer, "pid": os.getpid(), "port": port}), encoding="utf-8")
        temporary.replace(settings.ready_file)
    on_ready(issuer)


def _issuer(host: str, port: int, is_tls: bool) -> str:
    name = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104  compared, not bound
    return f"http{'s' if is_tls else ''}://{f'[{name}]' if ':' in name else name}:{port}/"


def _answers(issuer: str) -> tuple[Answer, dict[bytes, Answer]]:
    """The token endpoint's answer, and all answers by path."""
    key = ec.generate_private_key(ec.SECP256R1())
    token = _ok(token_response(issuer, key))
    return token, {
        b"/token": token,
        b"/.well-known/openid-configuration": _ok(_discovery(issuer)),
        b"/jwk": _ok({"keys": [_public_jwk(key)]}),
        b"/introspect": _ok({"active": True}),
        b"/userinfo": _ok({"sub": BACKEND}),
        b"/revoke": _ok({}),
        b"/health": _ok({"status": "UP"}),
    }


def _ok(document: object) -> Answer:
    return Answer(200, "OK", orjson.dumps(document))


def token_response(issuer: str, key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    """A response that passes every check but one: the same token for all, hence without ``jti``."""
    now = int(time.time())
    scope = "openid profile offline_access"
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": "80e5fb8d-b7c8-451a-89ba-346ae278a66f",
        "client_id": BACKEND,
        "scope": scope,
    }
    claims |= {"iat": now, "nbf": now, "exp": now + _LIFETIME_S}
    return {
        "access_token": jwt.encode(claims, key, algorithm="ES256", headers={"kid": "ec1"}),
        "token_type": "Bearer",
        "refresh_token": secrets.token_urlsafe(64),
        "expires_in": _LIFETIME_S,
        "scope": scope,
    }


def _public_jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    jwk = dict(ECAlgorithm.to_jwk(key.public_key(), as_dict=True))
    jwk.pop("key_ops", None)
    return jwk | {"kid": "ec1", "alg": "ES256", "use": "sig"}


def _discovery(issuer: str) -> dict[str, Any]:
    return {
        "issuer": issuer,
        "token_endpoint": issuer + "token",
        "jwks_uri": issuer + "jwk",
        "introspection_endpoint": issuer + "introspect",
        "userinfo_endpoint": issuer + "userinfo",
        "revocation_endpoint": issuer + "revoke",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }


def _now_us() -> int:
    return time.monotonic_ns() // 1000
