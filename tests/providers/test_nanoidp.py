"""nanoidp under its shipped scenario, and what its refusals come to."""

from __future__ import annotations

import pytest

from iam_loadtest.oidc.client_auth import AuthMethod
from iam_loadtest.results.outcome import Outcome
from tests.providers.caller import (
    Caller,
    Situation,
    refresh_token_of_another_client,
    scope_beyond,
    unknown_access_token,
    unknown_client,
    unknown_device_code,
    unknown_refresh_token,
    used_refresh_token,
    wrong_secret,
)
from tests.providers.under_test import (
    UnderTest,
    check_walks_every_workload,
    init_writes_a_scenario_that_works,
    run_equals_the_server_s_own_log,
)

pytestmark = pytest.mark.provider

STALE, REFUSED = Outcome.STALE_READ, Outcome.REFUSED


def test_init_writes_a_scenario_that_works(nanoidp_server: UnderTest) -> None:
    """Without an actor, since it has no token exchange."""
    init_writes_a_scenario_that_works(nanoidp_server, "--refresh-by", "password", "--actor", "none")


def test_check_walks_every_workload(nanoidp_server: UnderTest) -> None:
    """Service and user tokens, rotation, introspection, userinfo, revocation; there is no token exchange."""
    check_walks_every_workload(nanoidp_server)


def test_every_request_is_a_row_and_a_line_of_the_server_s_log(nanoidp_server: UnderTest) -> None:
    """It signs some twenty tokens a second on a machine of its own, and a few where other tests run."""
    run_equals_the_server_s_own_log(nanoidp_server, users=2, duration="8s")


@pytest.mark.parametrize(
    ("situation", "expected", "status", "said"),
    [
        (unknown_refresh_token, STALE, 400, "invalid_grant Refresh token is invalid"),
        (used_refresh_token("subject"), REFUSED, 400, "invalid_grant Refresh token has been revoked"),
        (refresh_token_of_another_client, REFUSED, 400, "invalid_grant Refresh token was not issued to this client"),
        (unknown_device_code("subject"), STALE, 400, "invalid_grant"),
        (unknown_access_token, STALE, 401, "invalid_token Token validation failed"),
        (scope_beyond("profile"), REFUSED, 400, "invalid_scope Requested scope is not allowed"),
        (wrong_secret(AuthMethod.BASIC), REFUSED, 401, "invalid_client Invalid client credentials"),
        (wrong_secret(AuthMethod.POST), REFUSED, 400, "invalid_client This client authenticates with HTTP Basic"),
        (unknown_client, REFUSED, 401, "invalid_client Invalid client credentials"),
    ],
)
def test_the_generic_profile_says_what_its_refusals_come_to(
    nanoidp_server: UnderTest, situation: Situation, expected: Outcome, status: int, said: str
) -> None:
    """It has no database that could be killed, and a client is disabled by removing it."""
    asked = situation(Caller(nanoidp_server))
    assert (asked.outcome, asked.status) == (expected, status), asked.detail
    assert said in asked.detail
