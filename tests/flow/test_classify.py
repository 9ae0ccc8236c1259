"""What an answer comes to: INDIGO IAM's errors and their neighbours (each row is one of its answers)."""

from __future__ import annotations

import json

import pytest

from iam_loadtest.flow.classify import classifier_for, profile_rules
from iam_loadtest.flow.message import Response
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.scenario.error_rule import ErrorRule

INDIGO = classifier_for("indigo-iam")
GENERIC = classifier_for("generic")
GOOD = b'{"access_token": "secret-token", "token_type": "Bearer"}'
JWT = "eyJraWQiOiJyc2ExIiwiYWxnIjoi.eyJzdWIiOiI4MGU1ZmI4ZC1i.c2lnbmF0dXJlLXNpZ25h"


def error(status: int, name: str, description: str = "") -> Response:
    return Response(status, json.dumps({"error": name, "error_description": description}).encode())


@pytest.mark.parametrize(
    ("step", "response", "latency_s", "outcome"),
    [
        ("issue", Response(200, GOOD), 0.1, Outcome.OK),
        ("issue", Response(201, GOOD), 0.1, Outcome.OK),
        ("issue", Response(200, b"<html>"), 0.1, Outcome.PROTOCOL_ERROR),
        ("issue", Response(302, b""), 0.1, Outcome.PROTOCOL_ERROR),
        ("issue", Response(404, b"<html>"), 0.1, Outcome.PROTOCOL_ERROR),
        ("refresh", error(401, "invalid_token", f"Refresh token {JWT} was not found"), 0.1, Outcome.STALE_READ),
        ("exchange", error(401, "invalid_token", "Access token x was not found"), 0.1, Outcome.STALE_READ),
        ("issue", error(401, "invalid_token", "x was not found"), 0.1, Outcome.REFUSED),
        ("issue", error(401, "unauthorized", "Bad credentials"), 0.1, Outcome.REFUSED),
        ("issue", error(401, "unauthorized", "Could not open JPA EntityManager"), 0.1, Outcome.SERVER_ERROR),
        ("refresh", error(400, "invalid_scope"), 0.1, Outcome.REFUSED),
        ("exchange", error(403, "access_denied"), 0.1, Outcome.REFUSED),
        ("issue", error(500, "server_error", "(1213) Deadlock found"), 0.02, Outcome.WRITE_CONFLICT),
        ("issue", error(500, "server_error", "(1213) Deadlock found"), 9.0, Outcome.SERVER_ERROR),
        ("issue", error(500, "server_error", "Unable to acquire JDBC Connection"), 30.1, Outcome.POOL_EXHAUSTED),
        ("issue", error(500, "server_error", "timeout waiting for connection pool"), 1.0, Outcome.POOL_EXHAUSTED),
        ("issue", error(500, "server_error", "it broke"), 0.1, Outcome.SERVER_ERROR),
        ("issue", Response(502, b"<html>"), 0.1, Outcome.SERVER_ERROR),
        ("issue", Response(503, b"", retry_after=True), 0.1, Outcome.THROTTLED),
        ("issue", Response(503, b""), 0.1, Outcome.SERVER_ERROR),
        ("issue", Response(429, b""), 0.1, Outcome.THROTTLED),
        ("issue", Response(0, failure=Outcome.TIMEOUT, detail="late"), 60.0, Outcome.TIMEOUT),
    ],
)  # fmt: skip
def test_answers_of_indigo_iam(step: str, response: Response, latency_s: float, outcome: Outcome) -> None:
    judgement = INDIGO.judge(step, response, latency_s)
    assert judgement.outcome is outcome
    assert (judgement.tokens is not None) == (outcome is Outcome.OK)
    assert bool(judgement.detail) == (outcome is not Outcome.OK)


def test_a_provider_of_the_rfc_says_invalid_grant_for_an_unknown_refresh_token() -> None:
    assert GENERIC.judge("refresh", error(400, "invalid_grant"), 0.1).outcome is Outcome.STALE_READ
    assert GENERIC.judge("issue", error(400, "invalid_grant"), 0.1).outcome is Outcome.REFUSED


def test_a_scenarios_own_rule_comes_before_the_profile() -> None:
    rule = ErrorRule(outcome="throttled", status=500, description="(?i)slow down")
    own = classifier_for("indigo-iam", [rule])
    assert own.judge("issue", error(500, "x", "Slow down, deadlock ahead"), 0.1).outcome is Outcome.THROTTLED
    assert own.judge("issue", error(500, "x", "deadlock"), 0.1).outcome is Outcome.WRITE_CONFLICT


def test_details_are_short_equal_for_equal_failures_and_hold_no_token() -> None:
    details = {
        INDIGO.judge("refresh", error(401, "invalid_token", f"Refresh token {JWT}{n} was not found"), 0.1).detail
        for n in range(5)
    }
    assert details == {"401 invalid_token Refresh token <token> was not found"}
    assert INDIGO.judge("issue", Response(502, b"<html>secret</html>"), 0.1).detail == "502 without an OAuth error"
    assert INDIGO.judge("issue", Response(200, b"secret"), 0.1).detail == "the answer is not JSON"


def test_a_redirect_says_what_is_wrong_with_it() -> None:
    assert INDIGO.judge("issue", Response(302), 0.1).detail == (
        "302 redirect, which a token endpoint must not answer with"
    )


def test_a_judgement_shows_no_token() -> None:
    assert "secret-token" not in repr(INDIGO.judge("issue", Response(200, GOOD), 0.1))


@pytest.mark.parametrize("profile", ["indigo-iam", "generic"])
def test_the_profiles_that_ship_are_valid(profile: str) -> None:
    assert profile_rules(profile)
