"""The same IAM on a real MariaDB, and what its failures look like to a client."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from tests.embedded.backends import PASSWORD, Maria, Session, maria_template, sql
from tests.embedded.server import CRED, SUBJECT, Browser, Iam, good, running_iam, wait_for
from tests.embedded.test_browser import PUBLIC, decide, poll, redeem, start_device, walk

ENV = {"DBPW": PASSWORD}


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    with maria_template() as directory:
        yield directory


@pytest.fixture(scope="module")
def maria(template: Path) -> Iterator[Maria]:
    server = Maria(template)
    server.start()
    yield server
    server.remove()


@pytest.fixture(scope="module")
def on_maria(maria: Maria, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iam]:
    options = ["--database", maria.url("?pool=5&timeout=5"), "--workers", "2", "--users", "1500"]
    with running_iam(tmp_path_factory.mktemp("on-maria"), *options, env=ENV) as running:
        yield running


def count(maria: Maria, table: str) -> int:
    number: int = sql(maria, f"SELECT COUNT(*) FROM {table}")[0][0]
    return number


def forget_last_use(maria: Maria, client_id: str) -> None:
    """So that the client's next grant changes its row of last use, as after midnight."""
    sql(
        maria,
        "UPDATE client_last_used u JOIN client c ON c.id = u.client_id SET u.last_used = '1970-01-01'"
        f" WHERE c.client_id = '{client_id}'",
    )


def test_every_grant_works(on_maria: Iam) -> None:
    access = on_maria.client_credentials()["access_token"]
    issued = on_maria.password("test_1599")
    refreshed = good(on_maria.refresh(issued["refresh_token"]))
    assert not on_maria.is_active(issued["access_token"])
    assert good(on_maria.exchange(refreshed["access_token"], "openid profile offline_access"))["refresh_token"]
    assert good(on_maria.exchange(access))["access_token"]
    assert on_maria.post("revoke", {"token": refreshed["access_token"], **SUBJECT}).status_code == 200
    assert not on_maria.is_active(refreshed["access_token"])
    assert on_maria.refresh("unknown").json()["error"] == "invalid_token"


def test_the_browser_and_device_flows_work(on_maria: Iam) -> None:
    code = walk(Browser(on_maria), PUBLIC, "test_120", remember="until-revoked")["code"]
    assert good(redeem(on_maria, code))["refresh_token"]
    started, browser = start_device(on_maria), Browser(on_maria)
    browser.login("test_121")
    decide(browser, started["user_code"], "true")
    assert good(poll(on_maria, started))["access_token"]


def test_one_grant_leaves_the_rows_that_upstream_leaves(on_maria: Iam, maria: Maria) -> None:
    """A password grant with three scopes: one holder with its collections, two tokens, three token scopes."""
    tables = {
        "saved_user_auth": 1,
        "saved_user_auth_authority": 1,
        "authentication_holder": 1,
        "authentication_holder_scope": 3,
        "authentication_holder_authority": 1,
        "authentication_holder_request_parameter": 4,
        "access_token": 1,
        "token_scope": 3,
        "refresh_token": 1,
    }
    before = {table: count(maria, table) for table in tables}
    on_maria.password("test_122")
    assert {table: count(maria, table) - before[table] for table in tables} == tables
    stored = {row[0] for row in sql(maria, "SELECT DISTINCT param FROM authentication_holder_request_parameter")}
    assert not stored & {"password", "client_secret", "code_verifier", "subject_token"}


def test_names_are_compared_exactly(on_maria: Iam) -> None:
    assert on_maria.token(("CLIENT-CRED", "secret"), grant_type="client_credentials").status_code == 401


def test_concurrent_refreshes_on_one_database_do_not_conflict(on_maria: Iam) -> None:
    values = [on_maria.password(f"test_{200 + n}")["refresh_token"] for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(lambda n: on_maria.refresh(values[n % 6]).status_code, range(60)))
    assert set(statuses) == {200}


def test_concurrent_logins_on_one_database_do_not_conflict(on_maria: Iam) -> None:
    """Twelve users whose codes are redeemed at once: no deadlock, though every one deletes its code."""
    codes = [walk(Browser(on_maria), PUBLIC, f"test_{300 + n}")["code"] for n in range(12)]
    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(lambda code: redeem(on_maria, code).status_code, codes))
    assert statuses == [200] * 12


def waits(maria: Maria) -> bool:
    """Whether a grant is waiting for the row of its client's last use (innodb_trx would show it too, but is cached)."""
    waiting = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'UPDATE client_last_used%'"
    return bool(sql(maria, waiting, user="root", password="")[0][0])


class InTheWay:
    """A transaction that makes the refresh of a token deadlock, and wins because it has changed more rows."""

    def __init__(self, maria: Maria, access_token: str) -> None:
        forget_last_use(maria, SUBJECT["client_id"])
        self.maria = maria
        self.session = Session(maria)
        found = self.session.run(
            f"SELECT id FROM access_token WHERE token_value_hash = '{sha256(access_token.encode()).hexdigest()}'"
        )
        self.access_id = found[0][0]
        self.session.run("BEGIN")
        self.session.run("UPDATE account SET given_name = CONCAT(given_name, '.')")
        self.session.run("SELECT * FROM client_last_used FOR UPDATE")

    def close_the_circle(self) -> None:
        """Ask for what the refresh has; it then waits for us, we for it."""
        try:
            wait_for(lambda: waits(self.maria), "the refresh waits for us")
            self.session.run(f"SELECT * FROM access_token WHERE id = {self.access_id} FOR UPDATE")
        finally:
            self.session.close()


def refresh_into_deadlock(iam: Iam, maria: Maria) -> tuple[int, dict[str, object]]:
    issued = iam.password("test_130")
    in_the_way = InTheWay(maria, issued["access_token"])
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(iam.refresh, issued["refresh_token"])
        in_the_way.close_the_circle()
        response = future.result()
    return response.status_code, response.json()


def test_a_deadlock_is_a_500_with_the_databases_number_and_is_not_tried_again(on_maria: Iam, maria: Maria) -> None:
    status, body = refresh_into_deadlock(on_maria, maria)
    assert (status, body["error"], body["db_errno"]) == (500, "server_error", 1213)
    assert "1213" in str(body["error_description"])
    assert 'iam_database_errors_total{errno="1213"} 1' in on_maria.get("metrics").text


def test_a_deadlock_is_tried_again_where_the_settings_say_so(maria: Maria, on_maria: Iam, tmp_path: Path) -> None:
    options = ["--database", maria.url(), "--retry-deadlocks", "2"]
    with running_iam(tmp_path, *options, env=ENV) as patient:
        status, body = refresh_into_deadlock(patient, maria)
    assert (status, "access_token" in body) == (200, True)


def test_a_lock_wait_timeout_is_a_500_with_1205_and_a_full_pool_a_500_of_its_own(
    maria: Maria, on_maria: Iam, tmp_path: Path
) -> None:
    with running_iam(
        tmp_path, "--database", maria.url("?pool=1&timeout=5"), "--pool-timeout", "0.3", env=ENV
    ) as narrow:
        forget_last_use(maria, CRED[0])
        with Session(maria) as holder, ThreadPoolExecutor(1) as pool:
            holder.run("BEGIN")
            holder.run("SELECT * FROM client_last_used FOR UPDATE")
            first = pool.submit(narrow.token, CRED, grant_type="client_credentials")
            wait_for(lambda: waits(maria), "the first holds the only connection")
            beside = Iam(narrow.issuer, narrow.port, narrow.process, tmp_path)
            second = beside.token(CRED, grant_type="client_credentials")
            locked = first.result()
    assert (second.status_code, second.json()["error"]) == (500, "server_error")
    assert "request timed out after 0.3 s" in second.json()["error_description"]
    assert (locked.status_code, locked.json()["db_errno"]) == (500, 1205)


def test_a_row_that_the_replica_does_not_have_yet_is_a_401(template: Path, maria: Maria, tmp_path: Path) -> None:
    """The read= server here never catches up: what was just issued is not found, users and clients are."""
    replica = Maria(template)
    replica.start()
    try:
        with running_iam(tmp_path / "prepare", "--database", replica.url(), env=ENV):
            pass
        behind = maria.url(f"?read=127.0.0.1:{replica.port}")
        with running_iam(tmp_path / "behind", "--database", behind, env=ENV) as iam:
            issued = iam.password("test_131")
            refreshed = iam.refresh(issued["refresh_token"])
            exchanged = iam.exchange(issued["access_token"])
    finally:
        replica.remove()
    assert (refreshed.status_code, refreshed.json()["error"]) == (401, "invalid_token")
    assert (exchanged.status_code, exchanged.json()["error"]) == (401, "invalid_token")
    assert "was not found" in exchanged.json()["error_description"]


def test_a_unix_socket_will_do(maria: Maria, on_maria: Iam, tmp_path: Path) -> None:
    url = f"mysql://iam:${{DBPW}}@localhost:1/iam?unix_socket={maria.socket}"
    with running_iam(tmp_path, env=ENV | {"IAM_LOADTEST_DATABASE_URL": url}) as iam:
        assert iam.client_credentials()["access_token"]


def test_a_database_that_stops_dies_and_comes_back(template: Path, tmp_path: Path) -> None:
    """Before the client is known upstream answers 401, which the facts warn of; the number tells what it was."""
    own = Maria(template)
    own.start()
    try:
        with running_iam(tmp_path, "--database", own.url("?timeout=1"), env=ENV) as iam:
            iam.client_credentials()
            own.signal(signal.SIGSTOP)
            frozen = iam.token(CRED, grant_type="client_credentials")
            assert (frozen.status_code, frozen.json()["db_errno"]) == (401, 2013)
            own.signal(signal.SIGCONT)
            own.signal(signal.SIGKILL)
            iam.token(CRED, grant_type="client_credentials")
            dead = iam.token(CRED, grant_type="client_credentials")
            assert (dead.status_code, dead.json()["error"], dead.json()["db_errno"]) == (401, "unauthorized", 2003)
            assert (iam.get("health").status_code, iam.get("health").json()["status"]) == (503, "DOWN")
            own.start()
            wait_for(lambda: iam.get("health").status_code == 200, "the IAM has recovered by itself")
            assert iam.client_credentials()["access_token"]
    finally:
        own.remove()
