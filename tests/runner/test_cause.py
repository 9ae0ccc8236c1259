"""For each refusal the likely cause: what real providers say, and what an operator should look at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from iam_loadtest.oidc.discovery import Endpoints
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.runner.cause import Cause, Refusal, clock_cause, likely_cause
from iam_loadtest.runner.preflight import CheckedStep
from iam_loadtest.scenario.client import Client
from iam_loadtest.scenario.step import Step

ENDPOINTS = Endpoints("https://iam.example/", "https://iam.example/token")
OFFERED = Endpoints(
    "https://iam.example/", "https://iam.example/token", auth_methods=("client_secret_post", "private_key_jwt")
)
ACTOR = {"id": "actor", "secret": "${S}", "auth": "post"}
SHOWS = {"id": "shows", "auth": "tls_client_auth"}
SIGNS = {"id": "signs", "auth": "private_key_jwt", "key": {"file": "k"}}
EXCHANGE = {"grant": "token_exchange", "scope": "openid"}
LOGIN_PAGE = {"request": "login_page", "redirect_uri": "http://localhost:4000/callback"}
USERINFO = {"request": "userinfo", "client": None}
OFFLINE = {**EXCHANGE, "scope": "openid offline_access"}


def cause(
    detail: str,
    step: dict[str, Any],
    client: dict[str, Any] | None = None,
    outcome: Outcome = Outcome.REFUSED,
    sent: str = "",
    **more: Any,
) -> Cause | None:
    """What is said of a step that was refused with this text; its status is the number that the text begins with."""
    status = int(detail[:3]) if detail[:3].isdigit() else 400
    checked = CheckedStep("mine", outcome, status, 0.1, detail, sent)
    noun = Step.model_validate({"client": "c", **step})
    actor = Client.model_validate(client or ACTOR)
    return likely_cause(Refusal(checked, noun, actor, **{"endpoints": ENDPOINTS, **more}))


@pytest.mark.parametrize(
    ("detail", "step", "more", "expected"),
    [
        ("401 invalid_client Bad client credentials", {"grant": "client_credentials"}, {}, "its secret is another one"),
        ("401 unauthorized Bad credentials", {"grant": "client_credentials"}, {}, "method at the IAM is not"),
        (
            "401 invalid_client no",
            {"grant": "client_credentials"},
            {"endpoints": OFFERED, "client": {**ACTOR, "auth": "basic"}},
            "offers no client authentication client_secret_basic",
        ),
        ("401 invalid_client no", {"grant": "client_credentials"}, {"client": SIGNS}, "the audience is not taken"),
        (
            "401 invalid_client no",
            {"grant": "client_credentials"},
            {"client": SIGNS, "skew_s": -90.0},
            "this machine's clock is 90 s behind the server's",
        ),
        # Keycloak's words for a wrong secret, and for one that signs an assertion.
        ("401 unauthorized_client Invalid client or Invalid client credentials", EXCHANGE, {}, "its secret is another"),
        (
            "400 unauthorized_client Client authentication with signed JWT failed: Invalid signature",
            {"grant": "client_credentials"},
            {"client": SIGNS},
            "its key at the IAM is another one",
        ),
        (
            "401 unauthorized_client Client not enabled to retrieve service account",
            {"grant": "client_credentials"},
            {},
            "the client may not use grant client_credentials",
        ),
        ("401 invalid_client no", {"grant": "password"}, {"client": SHOWS}, "its certificate there is another one"),
        (
            "401 invalid_client no",
            {"grant": "password"},
            {"client": SHOWS, "endpoints": replace(OFFERED, auth_methods=("self_signed_tls_client_auth",))},
            "its certificate there is another one",
        ),
        (
            "401 invalid_client no",
            {"grant": "password"},
            {"client": SHOWS, "endpoints": OFFERED},
            "offers no client authentication tls_client_auth",
        ),
        ("401 invalid_client Unauthorized grant type", {"grant": "password"}, {}, "may not use grant password"),
        ("400 unauthorized_client Client not allowed for direct access grants", {"grant": "password"}, {}, "may not"),
        ("400 unsupported_grant_type", EXCHANGE, {}, "the IAM offers no grant token_exchange"),
        ("400 invalid_scope Scope x not allowed", {"grant": "client_credentials"}, {}, "not allowed for the client"),
        ("400 invalid_scope no", EXCHANGE, {}, "a scope is missing on the actor"),
        ("403 access_denied no", OFFLINE, {"subject_client": "actor"}, "the client that the subject token was issued"),
        ("403 access_denied no", OFFLINE, {"subject_client": "other"}, "token exchange is not enabled"),
        (
            "400 invalid_request Standard token exchange is not enabled for the requested client",
            EXCHANGE,
            {},
            "token exchange is not enabled",
        ),
        ("403 access_denied Client is not within the token audience", EXCHANGE, {}, "not meant for the acting client"),
        ("400 invalid_request Requested audience not available: x", EXCHANGE, {}, "not meant for the acting client"),
        ("400 invalid_request missing", {"grant": "token_exchange"}, {}, "sent without scope"),
        ("401 invalid_token not found", EXCHANGE, {}, "the subject token is not known to the node"),
        ("401 invalid_token not found", EXCHANGE, {"skew_s": 60.0}, "60 s ahead of the server's"),
        ("400 invalid_grant Invalid user credentials", {"grant": "password"}, {}, "user name or password is wrong"),
        (
            "the login page came again: name or password was not accepted",
            {"request": "login", "client": None},
            {},
            "user name or password is wrong",
        ),
        ("400 invalid_grant Token is not active", {"grant": "refresh_token"}, {}, "used before under rotation"),
        (
            "400 invalid_request",
            {"grant": "refresh_token"},
            {"sent": "POST /token refresh_token=(empty)"},
            "the step before gave no refresh token",
        ),
        ("401 unauthorized no", {"request": "introspect"}, {}, "the client may not introspect"),
        # The client proved itself, whatever the error's name: INDIGO IAM's words and Keycloak's.
        (
            "401 invalid_client Client does not own the presented refresh token",
            {"grant": "refresh_token"},
            {},
            "the token is another client's",
        ),
        ("401 invalid_client Client does not own the presented token", {"request": "revoke"}, {}, "another client's"),
        ("400 invalid_request Unmatching clients", {"request": "revoke"}, {}, "the token is another client's"),
        ("400 invalid_client Audience not found", EXCHANGE, {}, "the audience asked for is not known"),
        ("400 invalid_client Invalid token audience", EXCHANGE, {"client": SIGNS}, "or the audience is not taken"),
        ("403 access_denied Client is not within the token audience", EXCHANGE, {"client": SIGNS}, "not meant for the"),
        (
            "400 unauthorized_client Client is not allowed to initiate OAuth 2.0 Device Authorization Grant",
            {"request": "device"},
            {},
            "the client may not use grant device_code",
        ),
        ("403 insufficient_scope openid is needed", USERINFO, {}, "the token's scope holds no openid"),
        ("403 without an OAuth error", USERINFO, {}, "the token's scope holds no openid"),
        ("400 invalid_request Unknown client", LOGIN_PAGE, {}, "its redirect URI is not registered"),
        ("302 invalid_scope no", LOGIN_PAGE, {}, "or for this scope"),
        (
            "400 without an OAuth error",
            LOGIN_PAGE,
            {"outcome": Outcome.PROTOCOL_ERROR},
            "its redirect URI is not registered",
        ),
        ("no", {"grant": "password"}, {"outcome": Outcome.TLS_ERROR}, "not trusted here"),
        ("no", {"grant": "password"}, {"outcome": Outcome.CONNECT_ERROR}, "nobody answers there"),
    ],
)
def test_a_refusal_has_its_likely_cause_and_a_remedy(
    detail: str, step: dict[str, Any], more: dict[str, Any], expected: str
) -> None:
    found = cause(detail, step, **more)
    assert found is not None
    assert expected in found.cause
    assert found.remedy


@pytest.mark.parametrize(
    ("detail", "step", "outcome"),
    [
        ("500 server_error", {"grant": "client_credentials"}, Outcome.SERVER_ERROR),
        ("500 server_error", OFFLINE, Outcome.SERVER_ERROR),
        ("200 a page without a login form", LOGIN_PAGE, Outcome.PROTOCOL_ERROR),
        ("429 slow down", LOGIN_PAGE, Outcome.THROTTLED),
    ],
)
def test_what_nobody_can_explain_is_not_explained(detail: str, step: dict[str, Any], outcome: Outcome) -> None:
    """A server's own failure is nobody's settings, even where a client exchanges its own token."""
    assert cause(detail, step, outcome=outcome, subject_client="actor") is None


@pytest.mark.parametrize(("skew_s", "said"), [(None, False), (4.0, False), (-4.0, False), (6.0, True), (-6.0, True)])
def test_a_clock_is_off_beyond_five_seconds(skew_s: float | None, said: bool) -> None:
    assert (clock_cause(skew_s) is not None) is said
