"""What a refusal most likely comes from, and what to do about it. Guesses of experience: each says what it rests on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from iam_loadtest.oidc.client_auth import AuthMethod
from iam_loadtest.oidc.discovery import Endpoints
from iam_loadtest.oidc.grant import Grant
from iam_loadtest.oidc.request_kind import RequestKind
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.runner.preflight import CheckedStep
from iam_loadtest.scenario.client import Client
from iam_loadtest.scenario.step import Step

SKEW_S = 5.0
"""A clock that is further off than this is worth a word."""
_REGISTERED = {AuthMethod.BASIC: "client_secret_basic", AuthMethod.POST: "client_secret_post"}
_OFFLINE = "offline_access"
_NOT_PROVEN = r"unauthorized_client.*(invalid client\b|client credentials|client authentication)"
"""Keycloak calls a client that did not prove itself unauthorized, as it does one that may not use a grant."""


class Cause(NamedTuple):
    """Both in a few words; ``remedy`` begins with a verb."""

    cause: str
    remedy: str


@dataclass(frozen=True)
class Refusal:
    """A step that failed, with all that may tell why. ``subject_client`` is whose token is exchanged, where known.

    ``skew_s`` is how far this clock is ahead of the server's, None where it does not say.
    """

    checked: CheckedStep
    step: Step
    client: Client | None
    endpoints: Endpoints
    subject_client: str | None = None
    skew_s: float | None = None

    @property
    def text(self) -> str:
        """The error and its description in small letters."""
        return self.checked.detail.lower()

    def says(self, pattern: str) -> bool:
        """Whether error or description hold this pattern."""
        return re.search(pattern, self.text) is not None


def likely_cause(refusal: Refusal) -> Cause | None:
    """The first cause that fits; None where there is nothing better to say than what the IAM said."""
    return next((cause for rule in _RULES if (cause := rule(refusal)) is not None), None)


def clock_cause(skew_s: float | None) -> Cause | None:
    """Whether this clock is off."""
    if skew_s is None or abs(skew_s) <= SKEW_S:
        return None
    side = "ahead of" if skew_s > 0 else "behind"
    return Cause(f"this machine's clock is {abs(skew_s):.0f} s {side} the server's", "set both by NTP")


def _transport(refusal: Refusal) -> Cause | None:
    outcome = refusal.checked.outcome
    if outcome is Outcome.TLS_ERROR:
        return Cause(
            "the server's certificate, or a part of its chain, is not trusted here, or it asks for one of ours",
            "name its authority's PEM file as target.ca_bundle, and target.client_certificate where it asks for one",
        )
    if outcome in {Outcome.CONNECT_ERROR, Outcome.TIMEOUT, Outcome.CONNECTION_LOST}:
        return Cause("nobody answers there from here", "check host, port, firewall and target.proxy")
    return None


def _no_token_to_send(refusal: Refusal) -> Cause | None:
    """The step before gave no refresh token, so that an empty one was sent."""
    if refusal.step.grant is not Grant.REFRESH_TOKEN or "refresh_token=(empty)" not in refusal.checked.sent:
        return None
    return Cause(
        "the step before gave no refresh token",
        f"add {_OFFLINE} to its scope, and allow scope and grant refresh_token for its client at the IAM",
    )


def _unknown_grant(refusal: Refusal) -> Cause | None:
    if refusal.step.grant is None or not refusal.says("unsupported_grant_type"):
        return None
    return Cause(f"the IAM offers no grant {refusal.step.grant}", "leave the step out of the workloads")


def _grant_of_client(refusal: Refusal) -> Cause | None:
    grant = Grant.DEVICE_CODE if refusal.step.request is RequestKind.DEVICE else refusal.step.grant
    if grant is None or refusal.says(_NOT_PROVEN):
        return None
    if not refusal.says(
        r"unauthorized_client|unauthorized grant type|not (allowed|enabled|authorized).*(grant|client)|direct access"
    ):
        return None
    if grant is Grant.TOKEN_EXCHANGE:
        return _EXCHANGE_OFF
    return Cause(
        f"the client may not use grant {grant}",
        "allow it at the IAM (Keycloak: service accounts for client_credentials, direct access for password)",
    )


def _of_another_client(refusal: Refusal) -> Cause | None:
    """INDIGO IAM calls it invalid_client, though the client proved itself; Keycloak says "Unmatching clients"."""
    if not refusal.says(r"does not own the|not issued to (this|the) client|unmatching client"):
        return None
    return Cause("the token is another client's", "let the client that was given the token act in this step")


def _login_page(refusal: Refusal) -> Cause | None:
    """What a server refuses before anybody logs in is about the client; its page says which in words of its own."""
    seen = refusal.checked
    if refusal.step.request is not RequestKind.LOGIN_PAGE:
        return None
    if seen.outcome is not Outcome.REFUSED and not (
        seen.outcome is Outcome.PROTOCOL_ERROR and 400 <= seen.status < 500
    ):
        return None
    return Cause(
        "the client is not known, its redirect URI is not registered, or it may not ask for codes or for this scope",
        "compare id, redirect_uri and scope with the IAM's (Keycloak: standard flow, valid redirect URIs)",
    )


def _userinfo(refusal: Refusal) -> Cause | None:
    """OpenID Connect Core section 5.3.1: the token must come from a request with openid. Keycloak sends no words."""
    if refusal.step.request is not RequestKind.USERINFO or refusal.checked.status != 403:
        return None
    return Cause(
        "the token's scope holds no openid, or the token is no user's",
        "add openid to the scope of the step that gives the token; client_credentials gives none about a user",
    )


def _client_unknown(refusal: Refusal) -> Cause | None:
    """RFC 6749 section 5.2: invalid_client; Spring says unauthorized."""
    client = refusal.client
    if client is None or not refusal.says(rf"\b(invalid_client|unauthorized)\b|{_NOT_PROVEN}"):
        return None
    name, offered = _REGISTERED.get(client.auth, client.auth.value), refusal.endpoints.auth_methods
    if not _is_offered(name, offered):
        return Cause(
            f"the IAM offers no client authentication {name}", f"choose auth: one of {', '.join(sorted(offered))}"
        )
    if client.auth.has_assertion:
        return clock_cause(refusal.skew_s) or Cause(
            f"the client is not registered for {name}, its key at the IAM is another one, or the audience is not taken",
            "compare key, key_id and algorithm with the IAM's, and try assertion_audience: issuer",
        )
    if client.auth is AuthMethod.TLS_CLIENT_AUTH:
        return _OTHER_CERTIFICATE
    if refusal.step.request is RequestKind.INTROSPECT:
        return Cause(
            "the client may not introspect, or not with this authentication", "choose another client, or auth: basic"
        )
    return Cause(
        f"the client's method at the IAM is not {name}, its secret is another one, or it is disabled",
        f"compare auth, id and secret with the IAM's; other methods there: {_others(offered, name)}",
    )


def _same_client(refusal: Refusal) -> Cause | None:
    """INDIGO IAM: a client that exchanges its own token gets no refresh token for it."""
    if refusal.step.grant is not Grant.TOKEN_EXCHANGE or _OFFLINE not in (refusal.step.scope or "").split():
        return None
    if refusal.client is None or refusal.client.id != refusal.subject_client:
        return None
    if refusal.checked.outcome is not Outcome.REFUSED:
        return None
    return Cause(
        f"{_OFFLINE} is asked for by the client that the subject token was issued to",
        f"let another client act in this step, or leave {_OFFLINE} out of its scope",
    )


def _audience(refusal: Refusal) -> Cause | None:
    """Keycloak calls an unknown audience invalid_client; an assertion has an audience, too, which is another matter."""
    if not refusal.says(r"audience|invalid_target"):
        return None
    if (
        refusal.client is not None
        and refusal.client.auth.has_assertion
        and refusal.says("(invalid|unauthorized)_client")
    ):
        return None
    return Cause(
        "the subject token is not meant for the acting client, or the audience asked for is not known",
        "put the acting client into the subject token's audience (Keycloak: an audience mapper), or correct audience",
    )


def _scope(refusal: Refusal) -> Cause | None:
    if not refusal.says("invalid_scope|scope"):
        return None
    if refusal.step.grant is Grant.TOKEN_EXCHANGE and refusal.step.scope is None:
        return _NO_SCOPE
    if refusal.step.grant is Grant.TOKEN_EXCHANGE:
        return Cause(
            "a scope is missing on the actor, or on the client of the subject token",
            "allow every scope of the step for both clients, or ask for fewer",
        )
    return Cause("a scope is not allowed for the client, or is wider than before", "allow it at the IAM, or remove it")


def _exchange(refusal: Refusal) -> Cause | None:
    if refusal.step.grant is not Grant.TOKEN_EXCHANGE:
        return None
    if refusal.says(r"access_denied|invalid_request|403"):
        if refusal.step.scope is None:
            return _NO_SCOPE
        return _EXCHANGE_OFF
    if refusal.says("invalid_token|invalid_grant"):
        return clock_cause(refusal.skew_s) or Cause(
            "the subject token is not known to the node that answered, or was deleted by a refresh",
            "exchange the refreshed token, not the one before it; between nodes, look at replication",
        )
    return None


def _user(refusal: Refusal) -> Cause | None:
    by_grant = refusal.step.grant is Grant.PASSWORD and refusal.says("invalid_grant")
    if not by_grant and not refusal.says("name or password was not accepted"):
        return None
    return Cause(
        "user name or password is wrong, or the user must do something first (a new password, terms of use)",
        "log in once as that user in a browser, and correct users",
    )


def _refresh(refusal: Refusal) -> Cause | None:
    if refusal.step.grant is not Grant.REFRESH_TOKEN or not refusal.says("invalid_grant|invalid_token"):
        return None
    return Cause(
        "the refresh token is another client's, was used before under rotation, or is not known to this node",
        "let the client that was given it refresh it; between nodes, look at replication",
    )


_SELF_SIGNED = "self_signed_tls_client_auth"
_OTHER_CERTIFICATE = Cause(
    "the client is not registered for mutual TLS, its certificate there is another one, or a proxy does not pass it on",
    "compare target.client_certificate with the subject or key that is registered for the client",
)
_NO_SCOPE = Cause("the exchange was sent without scope, which INDIGO IAM refuses", "add scope to the step")
_EXCHANGE_OFF = Cause(
    "token exchange is not enabled for the acting client",
    "allow it at the IAM (INDIGO IAM: the grant and an exchange policy; Keycloak: Standard token exchange)",
)
_RULES: tuple[Callable[[Refusal], Cause | None], ...] = (
    *(_transport, _no_token_to_send, _unknown_grant, _of_another_client, _login_page, _userinfo, _grant_of_client),
    *(_audience, _client_unknown, _same_client, _scope, _exchange, _user, _refresh),
)


def _is_offered(name: str, offered: tuple[str, ...]) -> bool:
    """Whether discovery names a method, or does not say; a certificate may be registered in either of two ways."""
    return not offered or name in offered or (name == AuthMethod.TLS_CLIENT_AUTH and _SELF_SIGNED in offered)


def _others(offered: tuple[str, ...], name: str) -> str:
    return ", ".join(_but(offered, name)) or "not said by discovery"


def _but(offered: tuple[str, ...], name: str) -> Iterator[str]:
    return (method for method in sorted(offered) if method != name)
