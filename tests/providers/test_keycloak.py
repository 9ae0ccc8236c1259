"""Keycloak on MariaDB under its shipped scenario, and what its refusals come to."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from iam_loadtest.oidc.client_auth import AuthMethod
from iam_loadtest.oidc.grant import Grant
from iam_loadtest.oidc.token_response import Tokens
from iam_loadtest.results.outcome import Outcome
from tests.providers.caller import (
    WRONG_KEY,
    WRONG_SECRET,
    Asked,
    Caller,
    Situation,
    by_assertion,
    foreign_subject_token,
    refresh_token_of_another_client,
    scope_beyond,
    unknown_access_token,
    unknown_client,
    unknown_refresh_token,
    unknown_subject_token,
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

ACTOR = ("--actor", "actor", "--actor-auth", "post", "--actor-proof", "KEYCLOAK_ACTOR_SECRET")
STALE, REFUSED, BROKEN = Outcome.STALE_READ, Outcome.REFUSED, Outcome.SERVER_ERROR


class Admin:
    """Keycloak's admin API, by a service account of the realm's own."""

    def __init__(self, under_test: UnderTest) -> None:
        issuer = under_test.running.issuer
        self._base = issuer.replace("/realms/", "/admin/realms/")
        secret = under_test.running.admin["KEYCLOAK_MANAGER_SECRET"]
        form = {"grant_type": "client_credentials", "client_id": "manager", "client_secret": secret}
        answer = requests.post(f"{issuer}/protocol/openid-connect/token", data=form, timeout=60).json()
        self.token: str = answer["access_token"]
        self._headers = {"Authorization": f"Bearer {self.token}"}

    def call(self, method: str, path: str, document: object = None) -> Any:
        answer = requests.request(method, self._base + path, headers=self._headers, json=document, timeout=60)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    @contextmanager
    def realm_with(self, **settings: object) -> Iterator[None]:
        before = self.call("GET", "")
        self.call("PUT", "", settings)
        yield
        self.call("PUT", "", {name: before[name] for name in settings})

    @contextmanager
    def client_disabled(self, client_id: str) -> Iterator[None]:
        (found,) = self.call("GET", f"/clients?clientId={client_id}")
        self.call("PUT", f"/clients/{found['id']}", {"clientId": client_id, "enabled": False})
        yield
        self.call("PUT", f"/clients/{found['id']}", {"clientId": client_id, "enabled": True})


def reused_where_each_is_good_for_one_use(caller: Caller) -> Asked:
    with Admin(caller.under_test).realm_with(revokeRefreshToken=True):
        return used_refresh_token("subject")(caller)


def of_a_disabled_client(caller: Caller) -> Asked:
    with Admin(caller.under_test).client_disabled("access"):
        return caller.ask(Grant.CLIENT_CREDENTIALS, caller.client("access"))


def without_openid(caller: Caller) -> Asked:
    return caller.userinfo(caller.tokens("access").access_token)


def of_an_ended_session(caller: Caller) -> Tokens:
    """Tokens as a node sees them that does not know their session: well signed, and of no use."""
    tokens = caller.tokens("refresh")
    claims = json.loads(urlsafe_b64decode(tokens.access_token.split(".")[1] + "=="))
    Admin(caller.under_test).call("DELETE", f"/sessions/{claims['sid']}")
    return tokens


def refresh_without_session(caller: Caller) -> Asked:
    held = of_an_ended_session(caller).refresh_token
    return caller.ask(Grant.REFRESH_TOKEN, caller.client("subject"), refresh_token=str(held))


def exchange_without_session(caller: Caller) -> Asked:
    held = of_an_ended_session(caller).access_token
    return caller.ask(Grant.TOKEN_EXCHANGE, caller.client("actor"), subject_token=held, scope="openid")


def userinfo_without_session(caller: Caller) -> Asked:
    return caller.userinfo(of_an_ended_session(caller).access_token)


def test_init_writes_a_scenario_that_works(keycloak_server: UnderTest) -> None:
    """Keycloak is recognised; the first refresh token is had by password."""
    init_writes_a_scenario_that_works(keycloak_server, "--refresh-by", "password", *ACTOR)


def test_check_walks_every_workload(keycloak_server: UnderTest) -> None:
    """The three token workloads, introspection, userinfo, revocation and the login pages; tokens verify."""
    check_walks_every_workload(keycloak_server)


def test_every_request_is_a_row_and_a_line_of_the_server_s_log(keycloak_server: UnderTest) -> None:
    """A cold server takes seconds for a password on a machine that runs other tests."""
    run_equals_the_server_s_own_log(keycloak_server, users=2, duration="10s")


@pytest.mark.parametrize(
    ("situation", "expected", "status", "said"),
    [
        # Refresh tokens are signed: one that never was is told from one whose session is not known.
        (unknown_refresh_token, REFUSED, 400, "invalid_grant Invalid refresh token"),
        (refresh_without_session, STALE, 400, "invalid_grant Session not active"),
        (reused_where_each_is_good_for_one_use, REFUSED, 400, "Maximum allowed refresh token reuse exceeded"),
        (refresh_token_of_another_client, REFUSED, 400, "Token client and authorized client don't match"),
        (unknown_subject_token, STALE, 400, "invalid_request Invalid token"),
        (exchange_without_session, STALE, 400, "invalid_request Invalid token"),
        (foreign_subject_token, REFUSED, 403, "access_denied Client is not within the token audience"),
        (unknown_access_token, STALE, 401, "401 without an OAuth error"),
        (userinfo_without_session, STALE, 401, "401 without an OAuth error"),
        (without_openid, REFUSED, 403, "403 without an OAuth error"),
        (scope_beyond("not-a-scope"), REFUSED, 400, "invalid_scope Invalid scopes"),
        (wrong_secret(AuthMethod.BASIC), REFUSED, 401, "unauthorized_client Invalid client"),
        (wrong_secret(AuthMethod.POST), REFUSED, 401, "unauthorized_client Invalid client"),
        (by_assertion(AuthMethod.CLIENT_SECRET_JWT), Outcome.OK, 200, ""),
        (
            by_assertion(AuthMethod.CLIENT_SECRET_JWT, wrong=WRONG_SECRET),
            REFUSED,
            400,
            "unauthorized_client Client authent",
        ),
        (by_assertion(AuthMethod.PRIVATE_KEY_JWT), Outcome.OK, 200, ""),
        (
            by_assertion(AuthMethod.PRIVATE_KEY_JWT, wrong=WRONG_KEY),
            REFUSED,
            400,
            "invalid_client Client authentication",
        ),
        (unknown_client, REFUSED, 401, "invalid_client Invalid client"),
        (of_a_disabled_client, REFUSED, 401, "invalid_client Invalid client"),
    ],
)
def test_the_profile_says_what_its_refusals_come_to(
    keycloak_server: UnderTest, situation: Situation, expected: Outcome, status: int, said: str
) -> None:
    asked = situation(Caller(keycloak_server))
    assert (asked.outcome, asked.status) == (expected, status), asked.detail
    assert said in asked.detail


def test_users_are_made_and_removed_by_their_marker(keycloak_server: UnderTest) -> None:
    """Three users who can log in; afterwards they are gone, and those of the realm are not."""
    admin, issuer = Admin(keycloak_server), keycloak_server.running.issuer
    options = ("--admin-token", "ADMIN_TOKEN", "--marker", "live-test")
    made = keycloak_server.call("users", "make", issuer, *options, "--count", 3, ADMIN_TOKEN=admin.token)
    assert made.returncode == 0, made.stdout + made.stderr
    assert len(admin.call("GET", "/users?username=loadtest_")) == 3
    users = {"file": str(keycloak_server.directory / "users.csv")}
    scenario = keycloak_server.write_scenario("made", users=users, trials_of=["refresh"])
    checked = keycloak_server.call("check", scenario)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    cleaned = keycloak_server.call("users", "clean", issuer, *options, "--yes", ADMIN_TOKEN=admin.token)
    assert cleaned.returncode == 0, cleaned.stdout + cleaned.stderr
    assert admin.call("GET", "/users?username=loadtest_") == []
    assert len(admin.call("GET", "/users?username=test_100&exact=true")) == 1


def test_a_killed_database_is_a_server_error(keycloak_server: UnderTest) -> None:
    """Last, since the database does not come back. What caches hold may still be answered; a new session is not."""
    caller = Caller(keycloak_server)
    assert keycloak_server.running.kill_database is not None
    keycloak_server.running.kill_database()
    password = keycloak_server.running.environ["KEYCLOAK_USERS_PASSWORD"]
    asked = caller.ask(Grant.PASSWORD, caller.client("subject"), username="test_123", password=password, scope="openid")
    assert (asked.outcome, asked.status) == (BROKEN, 500), asked.detail
    assert "unknown_error" in asked.detail
