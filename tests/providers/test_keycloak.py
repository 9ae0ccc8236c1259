"""Keycloak on MariaDB under its shipped scenario, and what its refusals come to."""

from __future__ import annotations

import csv
import json
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
import yaml

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
    SCENARIOS,
    UnderTest,
    check_walks_every_workload,
    init_writes_a_scenario_that_works,
    load_by_mutual_tls_is_good,
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


def test_a_client_that_shows_a_certificate_gets_its_tokens_under_load(keycloak_server: UnderTest) -> None:
    load_by_mutual_tls_is_good(keycloak_server, "mtls")


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
        (unknown_device_code("device"), STALE, 400, "invalid_grant Device code not valid"),
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
        (by_certificate("mtls"), Outcome.OK, 200, ""),
        (by_certificate("mtls", shown=""), REFUSED, 401, "invalid_client Invalid client"),
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


def test_a_wrong_secret_is_said_to_be_one(keycloak_server: UnderTest) -> None:
    """Keycloak calls the client unauthorized, as it does one that may not use the grant."""
    scenario = keycloak_server.write_scenario("wrong", trials_of=["access"])
    checked = keycloak_server.call("check", scenario, KEYCLOAK_ACCESS_SECRET=WRONG_SECRET)
    assert checked.returncode == 1
    assert "401 unauthorized_client" in checked.stdout
    assert "its secret is another one, or it is disabled" in checked.stdout
    assert WRONG_SECRET not in checked.stdout + checked.stderr


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


def test_clients_are_made_and_removed_by_their_marker(keycloak_server: UnderTest) -> None:
    """Their secrets are those of the file, and their grants those that were asked for; then they are gone."""
    admin, issuer = Admin(keycloak_server), keycloak_server.running.issuer
    options = ("--admin-token", "ADMIN_TOKEN", "--marker", "live-clients")
    wanted = "client_id,auth,grants,scope,redirect_uris\nlt-subject,post,password refresh_token device_code,openid,\n"
    (keycloak_server.directory / "wanted.csv").write_text(wanted + "lt-access,basic,client_credentials,,\n")
    made = keycloak_server.call(
        "users", "make", issuer, *options, "--clients-from", "wanted.csv", ADMIN_TOKEN=admin.token
    )
    assert made.returncode == 0, made.stdout + made.stderr
    with (keycloak_server.directory / "clients.csv").open(newline="") as file:
        secret = {row["client_id"]: row["secret"] for row in csv.DictReader(file)}
    access = {"id": "lt-access", "auth": "basic", "secret": "${LT_ACCESS}"}
    subject = {"id": "lt-subject", "auth": "post", "secret": "${LT_SUBJECT}"}
    by_role = {"access": access, "web": access, "actor": access, "subject": subject, "device": subject}
    clients = {role: dict(client) for role, client in by_role.items()}  # one dict each: YAML's aliases are refused
    trials = ["access", "refresh", "device"]
    scenario = keycloak_server.write_scenario("clients", clients=clients, trials_of=trials)
    environ = {"LT_ACCESS": secret["lt-access"], "LT_SUBJECT": secret["lt-subject"]}
    checked = keycloak_server.call("check", scenario, **environ)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    cleaned = keycloak_server.call("users", "clean", issuer, *options, "--yes", ADMIN_TOKEN=admin.token)
    assert cleaned.returncode == 0, cleaned.stdout + cleaned.stderr
    assert admin.call("GET", "/clients?clientId=lt-subject") == []


def test_an_admin_without_rights_is_told_which_are_needed(keycloak_server: UnderTest) -> None:
    token = Caller(keycloak_server).tokens("access").access_token
    options = ("--admin-token", "T", "--count", 1, "--users-file", "nobody.csv")
    refused = keycloak_server.call("users", "make", keycloak_server.running.issuer, *options, T=token)
    assert refused.returncode == 1
    assert "status 403: the admin token may not do that; it needs the roles manage-users" in refused.stderr


def test_sessions_are_had_for_each_user_begin_chains_and_end(keycloak_server: UnderTest) -> None:
    """One scenario has them by password and takes them from the file; none is good for anything once it was revoked."""
    shipped = yaml.safe_load((SCENARIOS / "keycloak.yaml").read_text(encoding="utf-8"))
    scenario = keycloak_server.write_scenario(
        "sessions",
        target={**shipped["target"], "refresh_tokens": "tokens.csv"},
        users={**shipped["users"], "first": 100, "last": 102},
        steps={**shipped["steps"], "take": {"request": "pre_issued"}},
        workloads={
            "refresh": ["issue_for_user", "refresh"],
            "go_on": {"prime": ["take"], "steps": ["refresh", "exchange"]},
        },
        trials_of=["go_on"],
    )
    for expected in ("3 sessions made", "0 sessions made"):
        made = keycloak_server.call("users", "sessions", scenario)
        assert (made.returncode, made.stdout) == (0, f"{expected}: tokens.csv\n"), made.stderr
    checked = keycloak_server.call("check", scenario)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tokens = (keycloak_server.directory / "tokens.csv").read_text(encoding="utf-8")
    ended = keycloak_server.call("users", "end-sessions", scenario)
    assert (ended.returncode, ended.stdout) == (0, "3 sessions ended; tokens.csv is removed.\n"), ended.stderr
    held = list(csv.DictReader(tokens.splitlines()))[1]["refresh_token"]
    caller = Caller(keycloak_server)
    asked = caller.ask(Grant.REFRESH_TOKEN, caller.client("subject"), refresh_token=held)
    assert (asked.outcome, asked.status) == (STALE, 400), asked.detail


def test_a_killed_database_is_a_server_error(keycloak_server: UnderTest) -> None:
    """Last, since the database does not come back. What caches hold may still be answered; a new session is not."""
    caller = Caller(keycloak_server)
    held = caller.tokens("refresh")
    assert keycloak_server.running.kill_database is not None
    keycloak_server.running.kill_database()
    password = keycloak_server.running.environ["KEYCLOAK_USERS_PASSWORD"]
    subject, actor = caller.client("subject"), caller.client("actor")
    login = caller.ask(Grant.PASSWORD, subject, username="test_123", password=password, scope="openid")
    refresh = caller.ask(Grant.REFRESH_TOKEN, subject, refresh_token=str(held.refresh_token))
    exchange = caller.ask(Grant.TOKEN_EXCHANGE, actor, subject_token=held.access_token, scope="openid")
    assert (login.outcome, login.status) == (BROKEN, 500), login
    assert "unknown_error" in login.detail
    assert {refresh.outcome, exchange.outcome} <= {Outcome.OK, BROKEN}, (refresh, exchange)
