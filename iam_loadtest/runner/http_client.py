"""The runner's own HTTP client, for the few requests before a load: requests, told about a target."""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import requests
import urllib3

from iam_loadtest.flow.message import Request, Response
from iam_loadtest.flow.redirect import FORBIDDEN_REDIRECT, is_forbidden, origin_of, send_following
from iam_loadtest.oidc.token_response import MAX_BODY_BYTES
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.runner.deadline import TRANSPORT_ERRORS, LimitedAdapter, deadline
from iam_loadtest.runner.pinned_adapter import PinnedAdapter
from iam_loadtest.scenario.certificate import prepare_context
from iam_loadtest.scenario.proxy import resolve_proxy_url
from iam_loadtest.scenario.target import Target


class HttpClient:
    """One session of requests against a target; the environment's proxies and netrc are not used."""

    def __init__(self, target: Target, directory: Path) -> None:
        self.skew_s: float | None = None
        self._target = target
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        if not target.verify_tls:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._session.verify = target.verify_tls
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        prepare_context(context, target, directory)
        proxy = resolve_proxy_url(target.proxy, directory)
        if proxy:
            self._session.proxies = {"http": proxy, "https": proxy}
        self._adapter = LimitedAdapter(context) if proxy else PinnedAdapter(context, target.resolve)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, self._adapter)

    def close(self) -> None:
        """Close its connections."""
        self._session.close()

    def send(self, request: Request) -> Response:
        """The answer as a load's transport would give it; raises nothing of the network's."""
        if request.visit is not None:
            return send_following(request, request.visit, self._send_hop)
        return self._send_once(request)

    def look(self, url: str, limit_s: float) -> Response:
        """The status of a GET, and where it redirects to; its body is not read."""
        try:
            with deadline(self._adapter, limit_s):
                answer = self._session.get(url, timeout=limit_s, allow_redirects=False, stream=True)
                answer.close()
        except TRANSPORT_ERRORS as error:
            return transport_failure(error)
        return Response(answer.status_code, location=answer.headers.get("Location", ""))

    def fetch(self, method: str, url: str, **content: Any) -> tuple[requests.Response, bytes]:
        """An answer and its body, read no further than one byte over the limit.

        Raises :data:`TRANSPORT_ERRORS`, also where it is not complete within the time limit from now on.
        """
        limits = self._target.connect_timeout_s, self._target.timeout_s
        options: dict[str, Any] = {"timeout": limits, "allow_redirects": False, "stream": True, **content}
        with deadline(self._adapter, self._target.timeout_s), self._session.request(method, url, **options) as answer:
            body = b""
            while len(body) <= MAX_BODY_BYTES and (part := answer.raw.read1(MAX_BODY_BYTES, decode_content=True)):
                body += part
            self.skew_s = _skew_s(answer.headers.get("Date", ""))
            return answer, body

    def _send_hop(self, request: Request, is_elsewhere: bool) -> Response:
        if is_elsewhere and self._leads_to_forbidden(request.url):
            return Response(0, failure=Outcome.PROTOCOL_ERROR, detail=FORBIDDEN_REDIRECT)
        return self._send_once(request)

    def _leads_to_forbidden(self, url: str) -> bool:
        """Whether the name in a URL stands for an address that no redirect may lead to; a proxy's names are its own."""
        _, host, port = origin_of(url)
        if self._session.proxies:
            return False
        with suppress(socket.gaierror, UnicodeError):
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            return any(map(is_forbidden, self._target.resolve.get(host) or [str(entry[4][0]) for entry in found]))
        return False

    def _send_once(self, request: Request) -> Response:
        try:
            answer, body = self.fetch(request.method, request.url, headers=dict(request.headers), data=request.body)
        except TRANSPORT_ERRORS as error:
            return transport_failure(error)
        return Response(
            answer.status_code,
            body,
            answer.headers.get(self._target.backend_header, ""),
            "Retry-After" in answer.headers,
            location=answer.headers.get("Location", ""),
            set_cookies=tuple(answer.raw.headers.getlist("Set-Cookie")),
        )


def _skew_s(date: str) -> float | None:
    """How far this clock is ahead of the one that a Date header tells, which has no parts of seconds."""
    try:
        return time.time() - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None


def transport_failure(error: Exception) -> Response:
    """The foreign error as an outcome with a few words; its own text may hold addresses that change."""
    if isinstance(error, requests.exceptions.SSLError):
        return Response(0, failure=Outcome.TLS_ERROR, detail=_words(str(error), _TLS_WORDS) or _NO_HANDSHAKE)
    if isinstance(error, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError):
        return Response(0, failure=Outcome.TIMEOUT, detail="no answer within the time limit")
    if isinstance(error, requests.exceptions.ProxyError):
        return Response(0, failure=Outcome.CONNECT_ERROR, detail=_proxy_words(str(error)))
    words = _words(str(error), _CONNECT_WORDS)
    if words:
        return Response(0, failure=Outcome.CONNECT_ERROR, detail=words)
    return Response(0, failure=Outcome.CONNECTION_LOST, detail="the connection ended before the answer was complete")


_CONNECT_WORDS = {
    "Connection refused": "connection refused (is it running, and is the port right?)",
    "Failed to resolve": "the host name cannot be resolved (is it written right?)",
    "No route to host": "no route to the host",
    "Network is unreachable": "the network is unreachable",
}


_NO_HANDSHAKE = "the TLS certificate or handshake was not accepted"
_TLS_WORDS = {
    "certificate has expired": "the server's certificate has expired",
    "Hostname mismatch": "the server's certificate is for another host name",
    "IP address mismatch": "the server's certificate is for another address",
    "CERTIFICATE_VERIFY_FAILED": "the server's certificate is not trusted here; name its authority's file as ca_bundle",
    "WRONG_VERSION_NUMBER": "what answers there speaks no TLS (is it http, or another port?)",
    "ALERT_CERTIFICATE_REQUIRED": "the server asks for a client certificate; name one as client_certificate",
    **dict.fromkeys(
        ("ALERT_UNKNOWN_CA", "ALERT_CERTIFICATE_UNKNOWN", "ALERT_BAD_CERTIFICATE"),
        "the server does not accept the certificate that it was shown; name another one as client_certificate",
    ),
}
"""What OpenSSL's texts hold; the first that fits counts."""


def _words(text: str, known: Mapping[str, str]) -> str | None:
    """The words for the first sign that a foreign text holds; None where it holds none."""
    return next((words for sign, words in known.items() if sign in text), None)


def _proxy_words(text: str) -> str:
    """What a proxy failed at; ``text`` may hold its address and is not repeated."""
    status = re.search(r"Tunnel connection failed: (\d{3})", text)
    return f"the proxy refused the connection ({status[1]})" if status else "the proxy cannot be reached"
