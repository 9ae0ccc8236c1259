"""What an answer comes to: each row is an answer that a provider gives."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from iam_loadtest.flow.answer import INTROSPECT_REVOKED
from iam_loadtest.flow.classify import MAX_SEARCHED, Classifier, classifier_for, profile_rules
from iam_loadtest.flow.message import Request, Response
from iam_loadtest.oidc.grant import Grant
from iam_loadtest.oidc.request_kind import RequestKind
from iam_loadtest.oidc.token_response import Tokens
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.scenario.error_rule import Asked, ErrorRule

INDIGO = classifier_for("indigo-iam")
KEYCLOAK = classifier_for("keycloak")
GENERIC = classifier_for("generic")
CC, PASSWORD, CODE, DEVICE_CODE, REFRESH, EXCHANGE = (grant.value for grant in Grant)
INTROSPECT, USERINFO, REVOKE = (
    kind.value for kind in (RequestKind.INTROSPECT, RequestKind.USERINFO, RequestKind.REVOKE)
)
LOGIN, APPROVE = RequestKind.LOGIN.value, RequestKind.APPROVE.value
STALE, REFUSED, PROTOCOL = Outcome.STALE_READ, Outcome.REFUSED, Outcome.PROTOCOL_ERROR
CONFLICT, POOL, BROKEN = Outcome.WRITE_CONFLICT, Outcome.POOL_EXHAUSTED, Outcome.SERVER_ERROR
GOOD = b'{"access_token": "secret-token", "token_type": "Bearer"}'
JWT = "eyJraWQiOiJyc2ExIiwiYWxnIjoi.eyJzdWIiOiI4MGU1ZmI4ZC1i.c2lnbmF0dXJlLXNpZ25h"


def asked(kind: str, step: str = "mine") -> Request:
    """A request of a kind; what its step is called must not matter to a profile."""
    return Request(step, "https://iam.example/x", {}, b"", "POST", kind)


def error(status: int, name: str, description: str = "") -> Response:
    return Response(status, json.dumps({"error": name, "error_description": description}).encode())


def outcome(classifier: Classifier, kind: str, response: Response, latency_s: float = 0.1) -> Outcome:
    judgement = classifier.judge(asked(kind), response, latency_s)
    assert bool(judgement.detail) == (judgement.outcome is not Outcome.OK)
    assert JWT not in judgement.detail
    return judgement.outcome


@pytest.mark.parametrize("classifier", [INDIGO, KEYCLOAK, GENERIC], ids=["indigo-iam", "keycloak", "generic"])
@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (Response(200, GOOD), Outcome.OK),
        (Response(201, GOOD), Outcome.OK),
        (Response(200, b"<html>"), PROTOCOL),
        (Response(200, b""), PROTOCOL),
        (Response(200, b'{"access_token": "a", "token_type": "mac"}'), PROTOCOL),
        (Response(200, b'{"token_type": "Bearer"}'), PROTOCOL),
        (Response(302, b""), PROTOCOL),
        (Response(404, b"<html>"), PROTOCOL),
        (Response(502, b"<html>"), BROKEN),
        (Response(503, b"", retry_after=True), Outcome.THROTTLED),
        (Response(503, b""), BROKEN),
        (Response(429, b""), Outcome.THROTTLED),
        (error(400, "invalid_scope", "Scope must not be wider"), REFUSED),
        (error(400, "unsupported_grant_type"), REFUSED),
        (error(401, "invalid_client", "Bad client credentials"), REFUSED),
        (error(500, "server_error", "it broke"), BROKEN),
        (error(500, "server_error", "Deadlock found when trying to get lock"), CONFLICT),
        (error(500, "server_error", "Could not commit: error 2013: Lost connection to MySQL server"), BROKEN),
        (error(500, "server_error", "Could not commit: error 2003: Can't connect to MySQL server on 'a'"), BROKEN),
        (error(500, "server_error", "Could not commit: error 1047: WSREP has not yet prepared node"), BROKEN),
        (error(500, "server_error", "could not execute statement: Communications link failure"), BROKEN),
        (Response(0, failure=Outcome.TIMEOUT, detail="late"), Outcome.TIMEOUT),
        (Response(0, failure=Outcome.CONNECTION_LOST, detail="gone"), Outcome.CONNECTION_LOST),
        (Response(200, failure=PROTOCOL, detail="too large"), PROTOCOL),
    ],
)  # fmt: skip
def test_what_every_provider_s_token_endpoint_may_answer(
    classifier: Classifier, response: Response, expected: Outcome
) -> None:
    assert outcome(classifier, CC, response) is expected


@pytest.mark.parametrize(
    ("kind", "response", "latency_s", "expected"),
    [
        (REFRESH, error(401, "invalid_token", f"Refresh token for value {JWT} was not found"), 0.1, STALE),
        (EXCHANGE, error(401, "invalid_token", f"Access token for value {JWT} was not found"), 0.1, STALE),
        (REFRESH, error(400, "invalid_grant", "Invalid Refresh Token"), 0.1, STALE),
        (REFRESH, error(400, "invalid_grant", "User ada needs to sign AUP for this organization"), 0.1, REFUSED),
        (EXCHANGE, error(400, "invalid_grant", "Invalid subject token: not found on database"), 0.1, STALE),
        (EXCHANGE, error(400, "invalid_grant", "User with uuid a needs to sign AUP"), 0.1, REFUSED),
        (CC, error(401, "invalid_token", "x was not found"), 0.1, REFUSED),
        (PASSWORD, error(400, "invalid_grant", "Bad credentials"), 0.1, REFUSED),
        (PASSWORD, error(400, "invalid_grant", "User must accept the AUP"), 0.1, REFUSED),
        (CODE, error(400, "invalid_grant", "No authorization code found for value aB"), 0.1, STALE),
        (CODE, error(400, "invalid_grant", "No such authorization code"), 0.1, STALE),
        (CODE, error(400, "invalid_grant", "Invalid authorization code"), 0.1, STALE),
        (CODE, error(400, "invalid_grant", "Redirect URI mismatch."), 0.1, REFUSED),
        (CC, error(401, "unauthorized", "Bad credentials"), 0.1, REFUSED),
        (CC, error(401, "invalid_client", "Bad client credentials"), 0.1, REFUSED),
        (CC, error(401, "invalid_client", "Unauthorized grant type: password"), 0.1, REFUSED),
        (REFRESH, error(400, "invalid_scope", "Up-scoping is not allowed"), 0.1, REFUSED),
        (EXCHANGE, error(403, "access_denied", "Token exchange not allowed"), 0.1, REFUSED),
        (EXCHANGE, error(400, "invalid_request", "The scope parameter is required"), 0.1, REFUSED),
        (CC, error(401, "unauthorized", "Could not open JPA EntityManager for transaction"), 0.1, BROKEN),
        (CC, error(401, "unauthorized", "(2013) Lost connection to MySQL server during query"), 0.1, BROKEN),
        (CC, error(500, "server_error", "(1213) Deadlock found"), 0.02, CONFLICT),
        (CC, error(500, "server_error", "(1213) Deadlock found"), 9.0, BROKEN),
        (CC, error(500, "server_error", "could not execute statement; SQL [n/a]"), 0.02, CONFLICT),
        (CC, error(500, "server_error", "Transaction rolled back because it was marked"), 0.02, CONFLICT),
        (CC, error(500, "server_error", "Unable to acquire JDBC Connection"), 30.1, POOL),
        (CC, error(500, "server_error", "it broke"), 30.1, POOL),
        (CC, error(500, "server_error", "timeout waiting for connection pool"), 1.0, POOL),
        (USERINFO, error(401, "invalid_token", f"Access token for value {JWT} was not found"), 0.1, STALE),
        (USERINFO, error(403, "insufficient_scope"), 0.1, REFUSED),
        (INTROSPECT, error(401, "unauthorized", "Full authentication is required"), 0.1, REFUSED),
        (REVOKE, error(401, "invalid_client", "Client does not own the presented token"), 0.1, REFUSED),
        (REVOKE, error(500, "server_error", "(1213) Deadlock found"), 0.1, CONFLICT),
        (LOGIN, error(403, "access_denied", "The form is not from this session"), 0.1, STALE),
        (APPROVE, error(403, "access_denied", "The form is not from this session"), 0.1, STALE),
        (DEVICE_CODE, error(400, "invalid_grant", "Invalid device code: aB"), 0.1, STALE),
        (DEVICE_CODE, error(400, "invalid_grant", "The user of this code is not there"), 0.1, REFUSED),
    ],
)  # fmt: skip
def test_answers_of_indigo_iam(kind: str, response: Response, latency_s: float, expected: Outcome) -> None:
    assert outcome(INDIGO, kind, response, latency_s) is expected


UNKNOWN_ERROR = error(500, "unknown_error", "For more on this error consult the server log.")


@pytest.mark.parametrize(
    ("kind", "response", "latency_s", "expected"),
    [
        (REFRESH, error(400, "invalid_grant", "Session not active"), 0.1, STALE),
        (REFRESH, error(400, "invalid_grant", "Token is not active"), 0.1, STALE),
        (REFRESH, error(400, "invalid_grant", "Stale token"), 0.1, STALE),
        (REFRESH, error(400, "invalid_grant", "Client session not active"), 0.1, STALE),
        (REFRESH, error(400, "invalid_grant", "Session doesn't have required client"), 0.1, STALE),
        (REFRESH, error(400, "invalid_grant", "Offline user session not found"), 0.1, STALE),
        (REFRESH, error(400, "invalid_grant", "Maximum allowed refresh token reuse exceeded"), 0.1, REFUSED),
        (REFRESH, error(400, "invalid_grant", "Invalid refresh token"), 0.1, REFUSED),
        (EXCHANGE, error(400, "invalid_request", "Invalid token"), 0.1, STALE),
        (EXCHANGE, error(400, "invalid_request", "Invalid subject token type"), 0.1, REFUSED),
        (EXCHANGE, error(400, "invalid_request", "Standard token exchange is not enabled"), 0.1, REFUSED),
        (EXCHANGE, error(403, "access_denied", "Client is not within the token audience"), 0.1, REFUSED),
        (PASSWORD, error(401, "invalid_grant", "Invalid user credentials"), 0.1, REFUSED),
        (CC, error(401, "unauthorized_client", "Invalid client or Invalid client credentials"), 0.1, REFUSED),
        (CODE, error(400, "invalid_grant", "Code not valid"), 0.1, STALE),
        (CODE, error(400, "invalid_grant", "Incorrect redirect_uri"), 0.1, REFUSED),
        (DEVICE_CODE, error(400, "invalid_grant", "Device code not valid"), 0.1, STALE),
        (LOGIN, Response(400, b"<html>"), 0.1, STALE),
        (APPROVE, Response(400, b"<html>"), 0.1, STALE),
        (USERINFO, error(401, "invalid_request", "User session not found or doesn't have client"), 0.1, STALE),
        (USERINFO, Response(401), 0.1, STALE),
        (USERINFO, error(403, "insufficient_scope", "Missing openid scope"), 0.1, REFUSED),
        (CC, UNKNOWN_ERROR, 0.05, BROKEN),
        (CC, UNKNOWN_ERROR, 5.05, POOL),
    ],
)  # fmt: skip
def test_answers_of_keycloak(kind: str, response: Response, latency_s: float, expected: Outcome) -> None:
    """Its 500 hides what happened: a quick one cannot be told to be a conflict."""
    assert outcome(KEYCLOAK, kind, response, latency_s) is expected


@pytest.mark.parametrize(
    ("kind", "response", "expected"),
    [
        (REFRESH, error(400, "invalid_grant"), STALE),
        (REFRESH, error(400, "invalid_grant", "refresh token not found"), STALE),
        (REFRESH, error(400, "invalid_grant", "Refresh token was not issued to this client"), REFUSED),
        (REFRESH, error(400, "invalid_grant", "Refresh token has been revoked"), REFUSED),
        (PASSWORD, error(400, "invalid_grant"), REFUSED),
        (CODE, error(400, "invalid_grant", "grant request is invalid"), STALE),
        (CODE, error(400, "invalid_grant", "PKCE verification failed"), REFUSED),
        (DEVICE_CODE, error(400, "invalid_grant", "grant request is invalid"), STALE),
        (EXCHANGE, error(400, "invalid_grant", "subject token not found"), STALE),
        (EXCHANGE, error(400, "invalid_request", "Access token for value was not found"), STALE),
        (EXCHANGE, error(400, "invalid_request", "Invalid subject token"), STALE),
        (EXCHANGE, error(400, "invalid_request", "A scope is needed"), REFUSED),
        (USERINFO, Response(401), STALE),
        (USERINFO, Response(403), REFUSED),
        (INTROSPECT, Response(401), REFUSED),
        (INTROSPECT, Response(404, b"<html>"), PROTOCOL),
    ],
)
def test_answers_of_a_provider_that_keeps_to_the_rfcs(kind: str, response: Response, expected: Outcome) -> None:
    assert outcome(GENERIC, kind, response) is expected


@pytest.mark.parametrize(
    ("kind", "body", "expected", "detail"),
    [
        ("introspect", b'{"active": true}', Outcome.OK, ""),
        ("introspect", b'{"active": false}', STALE, "not active, though it was given out before"),
        ("introspect", b'{"active": "yes"}', PROTOCOL, "active is neither true nor false"),
        ("introspect", b"[]", PROTOCOL, "the answer is not a JSON object"),
        (INTROSPECT_REVOKED, b'{"active": false}', Outcome.OK, ""),
        (INTROSPECT_REVOKED, b'{"active": true}', STALE, "still active, though its revocation was acknowledged"),
        ("userinfo", b'{"sub": "ada"}', Outcome.OK, ""),
        ("userinfo", b"e30.e30.c2ln", Outcome.OK, ""),
        ("userinfo", b'{"name": "ada"}', PROTOCOL, "no sub in the answer"),
        ("userinfo", b"<html>", PROTOCOL, "the answer is not JSON"),
        ("revoke", b"", Outcome.OK, ""),
        ("revoke", b"{}", Outcome.OK, ""),
        ("discovery", b'{"issuer": "https://iam.example"}', Outcome.OK, ""),
        ("discovery", b"<html>", PROTOCOL, "the answer is not JSON"),
        ("jwks", b'{"keys": [{"kty": "RSA"}]}', Outcome.OK, ""),
        ("jwks", b'{"keys": []}', PROTOCOL, "no keys in the answer"),
    ],
)  # fmt: skip
def test_a_2xx_is_read_by_what_was_asked(kind: str, body: bytes, expected: Outcome, detail: str) -> None:
    judgement = INDIGO.judge(asked(kind), Response(200, body), 0.1)
    assert (judgement.outcome, judgement.detail) == (expected, detail)


def test_a_scenarios_own_rule_comes_before_the_profile() -> None:
    rule = ErrorRule(outcome="throttled", status=500, description="(?i)slow down")
    own = classifier_for("indigo-iam", [rule])
    assert outcome(own, CC, error(500, "x", "Slow down, deadlock ahead")) is Outcome.THROTTLED
    assert outcome(own, CC, error(500, "x", "deadlock")) is CONFLICT


def test_a_rule_may_be_of_one_step_or_of_one_kind_of_request() -> None:
    step = classifier_for("generic", [ErrorRule(outcome="throttled", step="issue")])
    kind = classifier_for("generic", [ErrorRule(outcome="throttled", request="introspect")])
    refusal = error(400, "invalid_request")
    assert step.judge(asked(CC, "issue"), refusal, 0.1).outcome is Outcome.THROTTLED
    assert step.judge(asked(CC, "other"), refusal, 0.1).outcome is REFUSED
    assert kind.judge(asked(INTROSPECT_REVOKED), refusal, 0.1).outcome is Outcome.THROTTLED
    assert kind.judge(asked(CC), refusal, 0.1).outcome is REFUSED


def test_a_rule_can_name_everything_that_can_be_refused() -> None:
    controls = {RequestKind.DISCOVERY, RequestKind.JWKS, RequestKind.PRE_ISSUED}
    assert set(get_args(Asked)) == {*Grant, *RequestKind} - controls


def test_details_are_short_equal_for_equal_failures_and_hold_no_token() -> None:
    details = {
        INDIGO.judge(asked(REFRESH), error(401, "invalid_token", f"Refresh token {JWT}{n} was not found"), 0.1).detail
        for n in range(5)
    }
    assert details == {"401 invalid_token Refresh token <token> was not found"}
    assert INDIGO.judge(asked(CC), Response(502, b"<html>secret</html>"), 0.1).detail == "502 without an OAuth error"
    assert INDIGO.judge(asked(CC), Response(200, b"secret"), 0.1).detail == "the answer is not JSON"


def test_a_detail_holds_no_secret_that_the_request_was_proven_by() -> None:
    """A password looks like any word: only the request tells that it is one."""
    form = b"client_id=me&client_secret=open+sesame&password=tr0ub4dor"
    request = Request("mine", "https://iam.example/x", {}, form, "POST", "password")
    refused = INDIGO.judge(request, error(401, "invalid_client", "me: open sesame, tr0ub4dor are wrong"), 0.1)
    assert refused.detail == "401 invalid_client me: <secret>, <secret> are wrong"


def test_a_redirect_says_what_is_wrong_with_it() -> None:
    detail = "302 redirect, which {} endpoint must not answer with"
    assert INDIGO.judge(asked(CC), Response(302), 0.1).detail == detail.format("a token")
    assert INDIGO.judge(asked("introspect"), Response(302), 0.1).detail == detail.format("this")


def test_a_judgement_gives_the_tokens_and_shows_none() -> None:
    judgement = INDIGO.judge(asked(CC), Response(200, GOOD), 0.1)
    assert judgement.answer == Tokens("secret-token")
    assert "secret-token" not in repr(judgement)


@pytest.mark.parametrize("profile", ["indigo-iam", "keycloak", "generic"])
def test_the_profiles_that_ship_are_valid(profile: str) -> None:
    assert profile_rules(profile)


def test_a_rule_s_words_are_found_behind_a_long_token() -> None:
    """INDIGO IAM repeats whole tokens in its descriptions."""
    long = f"Token eyJ{'a' * 3000}.{'b' * 3000}.{'c' * 300} is invalid"
    assert outcome(GENERIC, EXCHANGE, error(400, "invalid_request", long)) is STALE


@pytest.mark.parametrize("profile", ["generic", "indigo-iam", "keycloak"])
@pytest.mark.parametrize("words", ["pool", "token ", "subject token", "not allowed ", "deadlock", "a"])
def test_a_long_hostile_description_is_read_in_a_moment(profile: str, words: str) -> None:
    """A pattern that needs time of the square of its length would hold up every user of the process for hours."""
    hostile = words * (1_000_000 // len(words))
    for status, kind in ((500, REFRESH), (400, EXCHANGE), (401, REFRESH)):
        assert outcome(classifier_for(profile), kind, error(status, "invalid_request", hostile)) is not Outcome.OK


@pytest.mark.parametrize(("looked_at", "expected"), [(MAX_SEARCHED, POOL), (MAX_SEARCHED + 1, BROKEN)])
def test_a_rule_sees_so_many_letters_of_a_description_and_no_more(looked_at: int, expected: Outcome) -> None:
    """A scenario's own pattern may be a careless one: what it can cost is bounded, whatever a server sends."""
    rule = ErrorRule(status=500, description=f"(?s).{{{looked_at}}}", outcome="pool_exhausted")
    assert outcome(Classifier([rule]), REFRESH, error(500, "server_error", "a " * 100_000)) is expected
