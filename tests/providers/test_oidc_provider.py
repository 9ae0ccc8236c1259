"""node oidc-provider under its shipped scenario, and what its refusals come to."""

from __future__ import annotations

import pytest

from iam_loadtest.oidc.client_auth import AuthMethod
from iam_loadtest.results.outcome import Outcome
from tests.providers.caller import (
    WRONG_KEY,
    WRONG_SECRET,
    Caller,
    Situation,
    by_assertion,
    by_certificate,
    foreign_subject_token,
    refresh_token_of_another_client,
    scope_beyond,
    unknown_access_token,
    unknown_client,
    unknown_device_code,
    unknown_refresh_token,
    unknown_subject_token,
    used_refresh_token,
    wrong_secret,
)
from tests.providers.under_test import (
    UnderTest,
    check_walks_every_workload,
    init_writes_a_scenario_that_works,
    load_by_mutual_tls_is_good,
    run_equals_the_server_s_own_log,
)

pytestmark = pytest.mark.provider

ACTOR = ("--actor", "actor", "--actor-auth", "post", "--actor-proof", "OIDC_PROVIDER_ACTOR_SECRET")
CALLBACK = "http://localhost:4000/callback"
STALE, REFUSED = Outcome.STALE_READ, Outcome.REFUSED


def test_init_writes_a_scenario_that_works(oidc_provider_server: UnderTest) -> None:
    """The first refresh token is had by the pages: login, consent, code."""
    init_writes_a_scenario_that_works(oidc_provider_server, "--refresh-by", "code", "--redirect-uri", CALLBACK, *ACTOR)


def test_check_walks_every_workload(oidc_provider_server: UnderTest) -> None:
    """Login pages with consent, JWTs that verify, opaque tokens that are introspected, exchange and revocation."""
    check_walks_every_workload(oidc_provider_server)


def test_every_request_is_a_row_and_a_line_of_the_server_s_log(oidc_provider_server: UnderTest) -> None:
    run_equals_the_server_s_own_log(oidc_provider_server)


def test_clients_that_show_a_certificate_get_their_tokens_under_load(oidc_provider_server: UnderTest) -> None:
    """One by the subject that an authority vouches for, one by the key itself (RFC 8705 sections 2.1 and 2.2)."""
    load_by_mutual_tls_is_good(oidc_provider_server, "mtls", "self_signed")


@pytest.mark.parametrize(
    ("situation", "expected", "status", "said"),
    [
        # One text for all of them, on purpose: a reused refresh token cannot be told from one not seen yet.
        (unknown_refresh_token, STALE, 400, "invalid_grant grant request is invalid"),
        (used_refresh_token("rotating"), STALE, 400, "invalid_grant grant request is invalid"),
        (refresh_token_of_another_client, STALE, 400, "invalid_grant grant request is invalid"),
        (unknown_subject_token, STALE, 400, "invalid_request subject token not found"),
        (foreign_subject_token, REFUSED, 400, "invalid_request this client does not take"),
        (unknown_device_code("subject"), STALE, 400, "invalid_grant grant request is invalid"),
        (unknown_access_token, STALE, 401, "invalid_token invalid token provided"),
        (scope_beyond("profile"), REFUSED, 400, "invalid_scope requested scope is not allowed"),
        (wrong_secret(AuthMethod.BASIC), REFUSED, 401, "invalid_client client authentication failed"),
        (wrong_secret(AuthMethod.POST), REFUSED, 401, "invalid_client client authentication failed"),
        (by_assertion(AuthMethod.CLIENT_SECRET_JWT), Outcome.OK, 200, ""),
        (by_assertion(AuthMethod.CLIENT_SECRET_JWT, wrong=WRONG_SECRET), REFUSED, 401, "invalid_client"),
        (by_assertion(AuthMethod.PRIVATE_KEY_JWT), Outcome.OK, 200, ""),
        (by_assertion(AuthMethod.PRIVATE_KEY_JWT, wrong=WRONG_KEY), REFUSED, 401, "invalid_client"),
        (by_certificate("mtls"), Outcome.OK, 200, ""),
        (by_certificate("mtls", shown="other"), REFUSED, 401, "invalid_client client authentication failed"),
        (by_certificate("mtls", shown=""), REFUSED, 401, "invalid_client client authentication failed"),
        (by_certificate("self_signed"), Outcome.OK, 200, ""),
        (by_certificate("self_signed", shown="other"), REFUSED, 401, "invalid_client client authentication failed"),
        (unknown_client, REFUSED, 401, "invalid_client client authentication failed"),
    ],
)
def test_the_generic_profile_says_what_its_refusals_come_to(
    oidc_provider_server: UnderTest, situation: Situation, expected: Outcome, status: int, said: str
) -> None:
    """It has no database that could be killed, and a client is disabled by removing it."""
    asked = situation(Caller(oidc_provider_server))
    assert (asked.outcome, asked.status) == (expected, status), asked.detail
    assert said in asked.detail
