"""What an answer came to: the transport's word first, then the body of a 2xx, then the provider's error table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import yaml

from iam_loadtest.flow.answer import APPROVE_LOGIN, CONSENT, INTROSPECT_REVOKED, Answer, BadAnswerError, read_answer
from iam_loadtest.flow.message import Request, Response
from iam_loadtest.oidc.redact import redact, without_jwts
from iam_loadtest.oidc.request_kind import RequestKind
from iam_loadtest.oidc.sent_secrets import sent_secrets, without_sent
from iam_loadtest.oidc.token_response import OAuthError, parse_error
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.scenario.error_rule import ErrorRule

MAX_SEARCHED = 2048
"""Characters of a description, after its JWTs were taken out."""
_STANDS_FOR = {
    INTROSPECT_REVOKED: RequestKind.INTROSPECT.value,
    CONSENT: RequestKind.LOGIN.value,
    APPROVE_LOGIN: RequestKind.APPROVE.value,
}


class Judgement(NamedTuple):
    """The outcome of one answer, what it gives where it is OK, and a short redacted text where it is not."""

    outcome: Outcome
    answer: Answer = None
    detail: str = ""


class Classifier:
    """Judges answers by an error table; rules are tried in order."""

    def __init__(self, rules: Sequence[ErrorRule]) -> None:
        self._rules = [(rule, re.compile(rule.description or "")) for rule in rules]

    def judge(self, request: Request, response: Response, latency_s: float) -> Judgement:
        """What the answer to a request came to."""
        if response.failure is not None:
            return Judgement(response.failure, None, response.detail)
        if 200 <= response.status < (300 if request.visit is None else 400):
            try:
                return Judgement(Outcome.OK, read_answer(request, response))
            except BadAnswerError as error:
                return Judgement(error.outcome, None, error.detail)
        return self._judge_refusal(request, response, latency_s)

    def _judge_refusal(self, request: Request, response: Response, latency_s: float) -> Judgement:
        error = parse_error(response.body)
        detail, said = _detail(request, response.status, error), _searched(error.description)
        if response.status == 429 or (response.status == 503 and response.retry_after):
            return Judgement(Outcome.THROTTLED, None, detail)
        for rule, description in self._rules:
            if _fits(rule, request, response.status, error, latency_s) and description.search(said):
                return Judgement(Outcome(rule.outcome), None, detail)
        return Judgement(_default(request, response.status, error), None, detail)


def classifier_for(profile: str, rules: Sequence[ErrorRule] = ()) -> Classifier:
    """The classifier of a profile, with a scenario's own rules before the profile's."""
    return Classifier((*rules, *profile_rules(profile)))


@cache
def profile_rules(profile: str) -> tuple[ErrorRule, ...]:
    """The error table that ships with the package under this name."""
    text = files("iam_loadtest.flow").joinpath("profiles", f"{profile}.yaml").read_text(encoding="utf-8")
    return tuple(ErrorRule.model_validate(row) for row in yaml.safe_load(text))


def _searched(description: str) -> str:
    """What rules look for their words in: a pattern may need time that grows with the square of a server's text."""
    return without_jwts(description)[:MAX_SEARCHED]


def _fits(rule: ErrorRule, request: Request, status: int, error: OAuthError, latency_s: float) -> bool:
    """Whether all conditions of a rule hold but that on the description."""
    return (
        (rule.step is None or rule.step == request.step)
        and (rule.request is None or rule.request == _asked(request))
        and (rule.status is None or rule.status == status)
        and (rule.error is None or rule.error == error.error)
        and (rule.min_latency_s is None or latency_s >= rule.min_latency_s)
        and (rule.max_latency_s is None or latency_s <= rule.max_latency_s)
    )


def _asked(request: Request) -> str:
    return _STANDS_FOR.get(request.kind, request.kind)


def _default(request: Request, status: int, error: OAuthError) -> Outcome:
    """Endpoints for bearer tokens may refuse without a body (RFC 6750 section 3.1), the token endpoint may not."""
    if status >= 500:
        return Outcome.SERVER_ERROR
    is_refusal = bool(error.error) or (status in {401, 403} and _asked(request) in set(RequestKind))
    return Outcome.REFUSED if 400 <= status < 500 and is_refusal else Outcome.PROTOCOL_ERROR


def _detail(request: Request, status: int, error: OAuthError) -> str:
    if 300 <= status < 400:
        endpoint = "this" if _asked(request) in set(RequestKind) else "a token"
        return f"{status} redirect, which {endpoint} endpoint must not answer with"
    text = " ".join(part for part in (error.error, error.description) if part)
    if not text:
        return f"{status} without an OAuth error"
    return redact(f"{status} {without_sent(text, sent_secrets(request.headers, request.body))}")
