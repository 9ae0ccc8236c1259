"""Before load: is the IAM there, does every step work once, is a token what it should be. With requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from iam_loadtest.flow.answer import Answer
from iam_loadtest.flow.chain import Held, chain, drive
from iam_loadtest.flow.message import Request
from iam_loadtest.flow.prepare import ReadyWorkload
from iam_loadtest.flow.redirect import without_secrets
from iam_loadtest.flow.token_pool import TokensUsedUpError
from iam_loadtest.oidc.discovery import DiscoveryError, Endpoints, discovery_url, parse_discovery
from iam_loadtest.oidc.redact import redact
from iam_loadtest.oidc.sent_secrets import sent_secrets
from iam_loadtest.oidc.shown import shown_answer, shown_request
from iam_loadtest.oidc.token_response import MAX_BODY_BYTES, Tokens
from iam_loadtest.oidc.verify import BadTokenError, verify_access_token
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.runner.deadline import TRANSPORT_ERRORS
from iam_loadtest.runner.failure import TrialFailedError
from iam_loadtest.runner.http_client import HttpClient, transport_failure
from iam_loadtest.scenario.target import Target
from iam_loadtest.units import format_duration

_POLL_S = 0.2
_HEALTH_TRY_S = 5.0
_LONGEST_S = 100 * 365 * 86_400
_PATIENT_S = 5.0
_WRONG_ISSUER = "; the issuer may be written wrongly (Keycloak's is https://HOST/realms/NAME)"
_OF_REPLICATION = (Outcome.STALE_READ, Outcome.WRITE_CONFLICT)


@dataclass(frozen=True)
class CheckedStep:
    """One request of a step as the preflight saw it; ``sent`` and ``answered`` are fit to be shown.

    ``step`` is the name in results, ``position`` the step's place in its chain: a step may be several requests.
    """

    step: str
    outcome: Outcome
    status: int
    latency_s: float
    detail: str = ""
    sent: str = ""
    answered: str = ""
    position: int = 0


class UntrustedAnswerError(TrialFailedError):
    """A public document that no honest issuer serves like that."""


class Preflight:
    """One session of requests against a topology; use as a context manager."""

    def __init__(self, issuer: str, target: Target, directory: Path) -> None:
        self._issuer = issuer
        self._target = target
        self._client = HttpClient(target, directory)

    def __enter__(self) -> Preflight:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    @property
    def skew_s(self) -> float | None:
        """How far this clock is ahead of the server's, by its last answer; None where it does not say."""
        return self._client.skew_s

    @property
    def health_url(self) -> str:
        """What is awaited before anything else is asked."""
        return self._target.health or discovery_url(self._issuer)

    def health_problem(self) -> str | None:
        """Why the IAM does not count as healthy now; None where it does."""
        return self._health_seen(self.health_url)

    def await_health(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Return once the health URL answers 2xx; raises TrialFailedError with the last thing seen."""
        url = self.health_url
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
        """The endpoints by discovery, or the scenario's token_endpoint; raises TrialFailedError.

        Nothing secret was sent when this returns, and the issuer gave no reason not to.
        """
        if self._target.token_endpoint:
            return Endpoints(self._issuer, self._target.token_endpoint)
        url = discovery_url(self._issuer)
        try:
            endpoints = parse_discovery(self._get_json(url), self._issuer)
        except DiscoveryError as error:
            raise TrialFailedError(f"GET {url}: {error}.") from error
        self._refuse_odd_keys(endpoints)
        return endpoints

    def reach(self, nodes: Mapping[str, str]) -> None:
        """Return where each node serves; raises TrialFailedError for the first that does not."""
        for name, url in nodes.items():
            problem = self.node_problem(url)
            if problem is not None:
                raise TrialFailedError(f"target.nodes.{name} does not serve: {problem}.")

    def node_problem(self, url: str) -> str | None:
        """What a node answered in place of the discovery document, or another 2xx to 4xx there; None where it did.

        ``url`` has no path; the path is that of the issuer's document.
        """
        there = url + urlsplit(discovery_url(self._issuer)).path
        answer = self._client.look(there, _HEALTH_TRY_S)
        if answer.failure is not None:
            return f"GET {there}: {answer.detail}"
        return f"GET {there}: status {answer.status}" if answer.status >= 500 else None

    def walk(self, workload: ReadyWorkload, is_patient: bool = False) -> tuple[list[CheckedStep], Tokens | None]:
        """Every step of the workload once, up to the first that fails, and the last tokens.

        Patient, it sends a request again for some seconds where a node does not know yet what it is asked about, or
        rolled the write back: that is what a trial measures, and no reason against it.
        """
        checked: list[CheckedStep] = []
        last: list[Tokens] = []
        patient_until = time.perf_counter() + (_PATIENT_S if is_patient else 0)

        def exchange(position: int, request: Request) -> tuple[Outcome, Answer]:
            started = time.perf_counter()
            response = self._client.send(request)
            latency_s = time.perf_counter() - started
            judged = workload.classifier.judge(request, response, latency_s)
            if judged.outcome in _OF_REPLICATION and time.perf_counter() < patient_until:
                time.sleep(_POLL_S)
                return exchange(position, request if request.renew is None else request.renew())
            sent = shown_request(request.method, request.url, request.headers, request.body)
            secrets = sent_secrets(request.headers, request.body)
            answered = shown_answer(response.status, response.body, request.visit is not None, secrets)
            seen = (request.step, judged.outcome, response.status, latency_s, judged.detail)
            checked.append(CheckedStep(*seen, sent, answered, position))
            if isinstance(judged.answer, Tokens):
                last.append(judged.answer)
            return judged.outcome, judged.answer

        held = Held()
        try:
            for position, step in enumerate((*workload.prime, *workload.steps)):
                if drive(chain((step,), workload.users[0], held), partial(exchange, position)) is not Outcome.OK:
                    break
        except TokensUsedUpError as error:
            raise TrialFailedError(str(error)) from error
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

    def _refuse_odd_keys(self, endpoints: Endpoints) -> None:
        """A key set that leads elsewhere or has no end is no key set; one that is not there may not be needed."""
        try:
            if endpoints.jwks is not None:
                self._get_json(endpoints.jwks)
        except UntrustedAnswerError:
            raise
        except TrialFailedError:
            return

    def _health_seen(self, url: str) -> str | None:
        answer = self._client.look(url, _HEALTH_TRY_S)
        if answer.failure is not None:
            return answer.detail
        if 200 <= answer.status < 300:
            return None
        hint = _of_issuer(answer.status, answer.location) if url == discovery_url(self._issuer) else ""
        return f"status {answer.status}{hint}"

    def _get_json(self, url: str) -> Any:
        try:
            answer, body = self._client.fetch("GET", url)
        except TRANSPORT_ERRORS as error:
            raise TrialFailedError(f"GET {url}: {transport_failure(error).detail}.") from error
        if 300 <= answer.status_code < 400:
            hint = _of_issuer(answer.status_code, answer.headers.get("Location", ""))
            raise UntrustedAnswerError(f"GET {url}: status {answer.status_code}{hint}.")
        if answer.status_code != 200:
            raise TrialFailedError(f"GET {url}: status {answer.status_code}{_WRONG_ISSUER}.")
        if len(body) > MAX_BODY_BYTES:
            raise UntrustedAnswerError(
                f"GET {url}: the answer is larger than {MAX_BODY_BYTES} bytes; is this the issuer?"
            )
        return _json(url, body, answer.headers.get("Content-Type", "no content type"))


def failed_step(checked: list[CheckedStep]) -> str | None:
    """The reason in words where the last step failed, else None; steps that ask nobody cannot fail."""
    if not checked or checked[-1].outcome is Outcome.OK:
        return None
    last = checked[-1]
    return f"step {last.step} came to {last.outcome}: {last.detail}"


def _json(url: str, body: bytes, content_type: str) -> Any:
    with suppress(ValueError):
        return orjson.loads(body)
    raise TrialFailedError(f"GET {url}: the answer is not JSON ({redact(content_type)}); is this the issuer?")


def _of_issuer(status: int, location: str) -> str:
    """What an answer in the place of a discovery document says of the issuer's URL, as the end of a message."""
    if 300 <= status < 400:
        return f", a redirect to {without_secrets(location)}; write the issuer that is meant"
    return _WRONG_ISSUER if status == 404 else ""


def _lifetime(expires_at: float | str) -> str:
    """A server may write a number as text, or one that no clock reaches."""
    return format_duration(min(max(float(expires_at) - time.time(), 0), _LONGEST_S))
