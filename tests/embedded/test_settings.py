"""The settings that change what a grant does, each on an IAM of its own."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import jwt
import pytest

from tests.embedded.server import ACTOR, CRED, SUBJECT, Browser, Iam, good, running_iam
from tests.embedded.test_browser import PUBLIC, decide, poll, redeem, start_device, walk

OFF = ["--store-access-tokens", "off"]


@pytest.fixture(scope="module")
def rotating(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iam]:
    directory = tmp_path_factory.mktemp("rotating")
    options = ["--refresh-tokens", "rotate", "--clear-on-refresh", "off", "--workers", "2", "--algorithm", "ES256"]
    with running_iam(
        directory, *options, "--extra-statements", "3", "--database", str(directory / "iam.sqlite")
    ) as running:
        yield running


@pytest.fixture(scope="module")
def unstored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iam]:
    directory = tmp_path_factory.mktemp("unstored")
    options = [*OFF, "--users", "6000", "--access-token-lifetime", "77"]
    with running_iam(directory, *options, "--database", str(directory / "iam.sqlite")) as running:
        yield running


def rows(iam: Iam, table: str) -> int:
    with closing(sqlite3.connect(iam.directory / "iam.sqlite")) as connection:
        count: int = connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
        return count


def test_rotation_gives_a_new_refresh_token_and_ends_the_old_one(rotating: Iam) -> None:
    first = rotating.password()
    second = good(rotating.refresh(first["refresh_token"]))
    assert second["refresh_token"] != first["refresh_token"]
    assert rotating.refresh(first["refresh_token"]).status_code == 401
    assert rotating.refresh(second["refresh_token"]).status_code == 200


def test_of_many_refreshes_with_one_rotating_token_exactly_one_succeeds(rotating: Iam) -> None:
    value = rotating.password()["refresh_token"]
    with ThreadPoolExecutor(12) as pool:
        statuses = sorted(pool.map(lambda _: rotating.refresh(value).status_code, range(12)))
    assert statuses == [200] + [401] * 11


def test_the_id_of_a_rotated_refresh_token_is_never_given_out_again(rotating: Iam) -> None:
    """A request that read the old token before it was rotated would take the new one for it."""
    value = rotating.password()["refresh_token"]
    seen = set()
    for _ in range(3):
        seen.add(newest_refresh_token_id(rotating))
        value = good(rotating.refresh(value))["refresh_token"]
    assert len(seen | {newest_refresh_token_id(rotating)}) == 4


def newest_refresh_token_id(iam: Iam) -> int:
    with closing(sqlite3.connect(iam.directory / "iam.sqlite")) as connection:
        newest: int = connection.execute("SELECT MAX(id) FROM refresh_token").fetchone()[0]
        return newest


def test_where_nothing_is_cleared_the_older_access_token_lives_on(rotating: Iam) -> None:
    first = rotating.password()
    good(rotating.refresh(first["refresh_token"]))
    assert rotating.is_active(first["access_token"])


def test_es256_tokens_verify_with_the_published_key(rotating: Iam) -> None:
    token = rotating.client_credentials()["access_token"]
    keys = jwt.PyJWKSet.from_dict(rotating.get("jwk").json())
    assert jwt.get_unverified_header(token)["alg"] == "ES256"
    assert (
        jwt.decode(token, keys[jwt.get_unverified_header(token)["kid"]], algorithms=["ES256"])["sub"] == "client-cred"
    )
    discovery = rotating.get(".well-known/openid-configuration").json()
    assert discovery["id_token_signing_alg_values_supported"] == ["ES256"]


def test_unstored_tokens_leave_no_rows_yet_work_everywhere(unstored: Iam) -> None:
    """As INDIGO IAM from 1.14 with iam.access_token.store_on_database off."""
    before = rows(unstored, "authentication_holder")
    token = unstored.client_credentials()["access_token"]
    assert rows(unstored, "access_token") == 0
    assert rows(unstored, "authentication_holder") == before
    assert unstored.is_active(token)
    answer = unstored.password()
    assert good(unstored.get("userinfo", headers={"Authorization": f"Bearer {answer['access_token']}"}))["name"]
    assert good(unstored.exchange(answer["access_token"]))["id_token"]
    assert good(unstored.exchange(token))["access_token"]
    assert unstored.is_active(answer["access_token"])
    good(unstored.refresh(answer["refresh_token"]))
    assert unstored.is_active(answer["access_token"])


def test_a_revoked_unstored_token_is_refused(unstored: Iam) -> None:
    token = unstored.password()["access_token"]
    for _ in range(2):
        assert unstored.post("revoke", {"token": token, **SUBJECT}).status_code == 200
    assert rows(unstored, "revoked_access_token") == 1
    assert not unstored.is_active(token)
    assert unstored.exchange(token).json()["error"] == "invalid_token"
    assert unstored.get("userinfo", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_an_unstored_token_with_a_forged_signature_is_refused(unstored: Iam) -> None:
    head, payload, signature = unstored.client_credentials()["access_token"].split(".")
    forged = f"{head}.{payload}.{signature[::-1]}"
    assert not unstored.is_active(forged)
    assert unstored.exchange(forged).status_code == 401
    assert unstored.post("revoke", {"token": forged, **ACTOR}).status_code == 200
    unsigned = jwt.encode(
        jwt.decode(f"{head}.{payload}.{signature}", options={"verify_signature": False}), None, "none"
    )
    assert not unstored.is_active(unsigned)


def test_codes_work_without_stored_tokens(unstored: Iam) -> None:
    code = walk(Browser(unstored), PUBLIC, "test_120")["code"]
    assert good(redeem(unstored, code))["refresh_token"]
    assert redeem(unstored, code).status_code == 400
    started, browser = start_device(unstored), Browser(unstored)
    browser.login("test_121")
    decide(browser, started["user_code"], "true")
    assert good(poll(unstored, started))["access_token"]


def test_an_access_token_lives_as_long_as_is_set(unstored: Iam) -> None:
    answer = unstored.client_credentials()
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    assert (answer["expires_in"], claims["exp"] - claims["iat"]) == (77, 77)


def test_an_expired_token_is_as_good_as_none(iam: Iam) -> None:
    answer = iam.password("test_160")
    a_second_ago, stored_as = int(time.time()) - 1, sha256(answer["access_token"].encode()).hexdigest()
    assert iam.is_active(answer["access_token"])
    with closing(sqlite3.connect(iam.directory / "iam.sqlite", isolation_level=None, timeout=60)) as connection:
        update = "UPDATE access_token SET expiration = ? WHERE token_value_hash = ?"
        assert connection.execute(update, (a_second_ago, stored_as)).rowcount == 1
    assert not iam.is_active(answer["access_token"])
    assert iam.exchange(answer["access_token"]).json()["error"] == "invalid_token"
    assert iam.refresh(answer["refresh_token"]).status_code == 200


def test_more_users_are_seeded_in_bulk_under_the_same_pattern(unstored: Iam) -> None:
    assert unstored.password("test_6099")["access_token"]
    refused = unstored.token(grant_type="password", username="test_6100", password="password", **SUBJECT)
    assert refused.status_code == 400
    assert rows(unstored, "account") == 6000


def test_an_issuer_can_be_given_for_frontends_behind_a_balancer(tmp_path: Path) -> None:
    options = ["--issuer", "https://iam.example.org", "--first-frontend", "3"]
    with running_iam(tmp_path, *options) as iam:
        assert iam.issuer == "https://iam.example.org/"
        local = Iam(f"http://127.0.0.1:{iam.port}/", iam.port, iam.process, tmp_path)
        document = local.get(".well-known/openid-configuration")
        assert document.json()["token_endpoint"] == "https://iam.example.org/token"
        assert document.headers["x-backend"] == "frontend-3"
        assert "secure" in local.get("login").headers["set-cookie"].lower()


def test_frontends_started_apart_share_one_database(iam: Iam, tmp_path: Path) -> None:
    """Keys, clients, users and tokens are in the database; a frontend has no state of its own."""
    database = str(iam.directory / "iam.sqlite")
    with running_iam(tmp_path, "--database", database, "--issuer", iam.issuer, "--first-frontend", "3") as running:
        other = Iam(f"http://127.0.0.1:{running.port}/", running.port, running.process, tmp_path)
        assert other.get("jwk").json() == iam.get("jwk").json()
        issued = iam.password()
        refreshed = good(other.refresh(issued["refresh_token"]))
        assert good(iam.exchange(refreshed["access_token"]))["access_token"]
        assert not iam.is_active(issued["access_token"])
        with ThreadPoolExecutor(8) as pool:
            answers = list(
                pool.map(lambda n: (iam, other)[n % 2].token(CRED, grant_type="client_credentials"), range(60))
            )
        assert {answer.status_code for answer in answers} == {200}
