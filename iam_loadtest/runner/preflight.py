"""Before load: is the IAM there, does every step work once, is a token what it should be. With requests."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import urllib3

from iam_loadtest.flow.chain import chain, drive
from iam_loadtest.flow.message import Request, Response
from iam_loadtest.flow.prepare import ReadyWorkload
from iam_loadtest.oidc.discovery import DiscoveryError, Endpoints, discovery_url, parse_discovery
from iam_loadtest.oidc.redact import redact
from iam_loadtest.oidc.token_response import MAX_BODY_BYTES, Tokens
from iam_loadtest.oidc.verify import BadTokenError, verify_access_token
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.runner.failure import TrialFailedError
from iam_loadtest.scenario.target import Target
from iam_loadtest.units import format_duration

_POLL_S = 0.2
_HEALTH_TRY_S = 5.0


@dataclass(frozen=True)
class CheckedStep:
    """One step as the preflight saw it."""

    step: str
    outcome: Outcome
    status: int
    latency_s: float
    detail: str = ""


class Preflight:
    """One session of requests against a topology; use as a context manager."""

    def __init__(self, issuer: str, target: Target, directory: Path) -> None:
        self._issuer = issuer
        self._target = target
        self._session = requests.Session()
        self._session.trust_env = False
        if not target.verify_tls:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._session.verify = str(directory / target.ca_bundle) if target.ca_bundle else target.verify_tls

    def __enter__(self) -> Preflight:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def await_health(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Return once the health URL answers 2xx; raises TrialFailedError with the last thing seen."""
        url = self._target.health or discovery_url(self._issuer)
        deadline = clock() + self._target.health_timeout_s
        while True:
            seen = self._health_seen(url)
            if seen is None:
                return
            if clock() >= deadline:
                limit = format_duration(self._target.health_timeout_s)
                raise TrialFailedError(f"the IAM was not healthy within {limit}: GET {url}: {seen}.")
            time.sleep(_POLL_S)

    def discover(self) -> Endpoints:
        """The endpoints by discovery, or the scenario's token_endpoint; raises TrialFailedError."""
        if self._target.token_endpoint:
            return Endpoints(self._issuer, self._target.token_endpoint)
        url = discovery_url(self._issuer)
        try:
            return parse_discovery(self._get_json(url), self._issuer)
        except DiscoveryError as error:
            raise TrialFailedError(f"GET {url}: {error}.") from error

    def walk(self, workload: ReadyWorkload) -> tuple[list[CheckedStep], Tokens | None]:
        """Every step of the workload once, up to the first that fails, and the last tokens."""
        checked: list[CheckedStep] = []
        last: list[Tokens] = []

        def exchange(request: Request) -> tuple[Outcome, Tokens | None]:
            started = time.perf_counter()
            response = self._send(request)
            latency_s = time.perf_counter() - started
            judged = workload.classifier.judge(request.step, response, latency_s)
            checked.append(CheckedStep(request.step, judged.outcome, response.status, latency_s, judged.detail))
            if judged.tokens is not None:
                last.append(judged.tokens)
            return judged.outcome, judged.tokens

        drive(chain(workload.steps, workload.users[0]), exchange)
        return checked, last[-1] if last else None

    def verify(self, tokens: Tokens, endpoints: Endpoints) -> str:
        """How the access token was checked, in a few words; raises TrialFailedError where it is bad."""
        if tokens.access_token.count(".") != 2:
            return "opaque token, not verified"
        if endpoints.jwks is None:
            return "no JWKS known, not verified"
        try:
            claims = verify_access_token(tokens.access_token, self._get_json(endpoints.jwks), endpoints.issuer)
        except BadTokenError as error:
            raise TrialFailedError(f"the access token cannot be trusted: {redact(str(error))}.") from error
        return f"signature, issuer and expiry are right; lives {_lifetime(claims['exp'])}"

    def _health_seen(self, url: str) -> str | None:
        try:
            answer = self._session.get(url, timeout=_HEALTH_TRY_S, allow_redirects=False, stream=True)
            answer.close()
        except _TRANSPORT_ERRORS as error:
            return _transport_failure(error).detail
        return None if answer.ok and answer.status_code < 300 else f"status {answer.status_code}"

    def _get_json(self, url: str) -> Any:
        try:
            answer, body = self._fetch("GET", url)
        except _TRANSPORT_ERRORS as error:
            raise TrialFailedError(f"GET {url}: {_transport_failure(error).detail}.") from error
        if 300 <= answer.status_code < 400:
            there = redact(answer.headers.get("Location", "nowhere"))
            raise TrialFailedError(
                f"GET {url}: status {answer.status_code}, a redirect to {there}; write the issuer that is meant."
            )
        if answer.status_code != 200:
            raise TrialFailedError(f"GET {url}: status {answer.status_code}; the issuer may be written wrongly.")
        if len(body) > MAX_BODY_BYTES:
            raise TrialFailedError(f"GET {url}: the answer is larger than {MAX_BODY_BYTES} bytes; is this the issuer?")
        return _json(url, body, answer.headers.get("Content-Type", "no content type"))

    def _send(self, request: Request) -> Response:
        try:
            answer, body = self._fetch(request.method, request.url, headers=dict(request.headers), data=request.body)
        except _TRANSPORT_ERRORS as error:
            return _transport_failure(error)
        backend = answer.headers.get(self._target.backend_header, "")
        return Response(answer.status_code, body, backend, "Retry-After" in answer.headers)

    def _fetch(self, method: str, url: str, **content: Any) -> tuple[requests.Response, bytes]:
        """An answer and its body, read no further than one byte over the limit and no longer than the time limit."""
        deadline = time.monotonic() + self._target.timeout_s
        with self._session.request(
            method, url, timeout=self._timeouts(), allow_redirects=False, stream=True, **content
        ) as answer:
            body = b""
            while len(body) <= MAX_BODY_BYTES and (part := answer.raw.read1(MAX_BODY_BYTES, decode_content=True)):
                body += part
                if time.monotonic() >= deadline:
                    raise requests.exceptions.ReadTimeout
            return answer, body

    def _timeouts(self) -> tuple[float, float]:
        return self._target.connect_timeout_s, self._target.timeout_s


def failed_step(checked: list[CheckedStep]) -> str | None:
    """The reason in words where the last step failed, else None."""
    last = checked[-1]
    if last.outcome is Outcome.OK:
        return None
    return f"step {last.step} came to {last.outcome}: {last.detail}"


def _json(url: str, body: bytes, content_type: str) -> Any:
    with suppress(ValueError):
        return json.loads(body)
    raise TrialFailedError(f"GET {url}: the answer is not JSON ({redact(content_type)}); is this the issuer?")


def _transport_failure(error: Exception) -> Response:
    """The foreign error as an outcome with a few words; its own text may hold addresses that change."""
    if isinstance(error, requests.exceptions.SSLError):
        return Response(0, failure=Outcome.TLS_ERROR, detail="the TLS certificate or handshake was not accepted")
    if isinstance(error, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError):
        return Response(0, failure=Outcome.TIMEOUT, detail="no answer within the time limit")
    text = str(error)
    for sign, words in _CONNECT_WORDS.items():
        if sign in text:
            return Response(0, failure=Outcome.CONNECT_ERROR, detail=words)
    return Response(0, failure=Outcome.CONNECTION_LOST, detail="the connection ended before the answer was complete")


_TRANSPORT_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""OSError: requests lets those of a certificate file pass as they are."""

_CONNECT_WORDS = {
    "Connection refused": "connection refused (is it running, and is the port right?)",
    "Failed to resolve": "the host name cannot be resolved",
    "No route to host": "no route to the host",
    "Network is unreachable": "the network is unreachable",
    "TLS CA certificate bundle": "target.ca_bundle cannot be read",
}


def _lifetime(expires_at: float) -> str:
    return format_duration(max(expires_at - time.time(), 0))
