"""The SQLite store: whole transactions, waiting without standing still, a write-ahead log that starts over."""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from iam_loadtest.embedded.seed import prepare
from iam_loadtest.embedded.settings import Settings
from iam_loadtest.embedded.store import (
    DatabaseError,
    MakeTransaction,
    PoolTimeoutError,
    Store,
    T,
    Transaction,
    open_store,
)
from tests.embedded.server import CRED, Iam, good, running_iam


def with_store(path: Path, act: Callable[[Store], Awaitable[None]], **changed: object) -> None:
    """Run the coroutine function on a prepared store in this process."""

    async def run() -> None:
        settings = Settings(database=str(path / "iam.sqlite"), users=3, **changed)  # type: ignore[arg-type]
        store = await open_store(settings)
        try:
            await prepare(store, settings)
            await act(store)
        finally:
            await store.close()

    asyncio.run(run())


def insert(name: str) -> Transaction[None]:
    yield "INSERT INTO meta (name, value) VALUES (?, 'x')", (name,)


def count(name: str) -> Transaction[int]:
    found = yield "SELECT COUNT(*) FROM meta WHERE name = ?", (name,)
    number: int = found.rows[0][0]
    return number


def test_a_frontend_that_starts_beside_others_only_asks(tmp_path: Path) -> None:
    """On Galera each CREATE TABLE, even of a table that is there, holds up the commits of all members."""
    asked: list[str] = []

    async def act(store: Store) -> None:
        settings = Settings(database=str(tmp_path / "iam.sqlite"), users=3)
        await prepare(_Listening(store, asked), settings)

    with_store(tmp_path, act)
    assert asked
    assert all(sql.startswith("SELECT ") for sql in asked)


class _Listening:
    """A store that writes down the statements it is given."""

    def __init__(self, store: Store, asked: list[str]) -> None:
        self._store = store
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def write(self, make: MakeTransaction[T]) -> T:
        return await self._store.write(lambda: self._heard(make()))

    def _heard(self, transaction: Transaction[T]) -> Transaction[T]:
        statement = next(transaction)
        while True:
            self._asked.append(statement[0])
            answer = yield statement
            try:
                statement = transaction.send(answer)
            except StopIteration as stop:
                result: T = stop.value
                return result


def test_a_transaction_that_raises_leaves_nothing_behind(tmp_path: Path) -> None:
    def refuse() -> Transaction[None]:
        yield from insert("half")
        raise ValueError("refused")

    async def act(store: Store) -> None:
        with pytest.raises(ValueError, match="refused"):
            await store.write(refuse)
        assert await store.read(lambda: count("half")) == 0
        await store.write(lambda: insert("whole"))
        assert await store.read(lambda: count("whole")) == 1

    with_store(tmp_path, act)


def test_the_databases_own_error_comes_with_its_number(tmp_path: Path) -> None:
    async def act(store: Store) -> None:
        await store.write(lambda: insert("once"))
        with pytest.raises(DatabaseError) as caught:
            await store.write(lambda: insert("once"))
        assert caught.value.number == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
        with pytest.raises(DatabaseError):
            await store.read(lambda: (yield "SELECT nonsense", ()))  # type: ignore[arg-type,return-value]

    with_store(tmp_path, act)


def test_writes_queue_for_the_lock_file_and_run_in_order(tmp_path: Path) -> None:
    async def act(store: Store) -> None:
        with (tmp_path / "iam.sqlite.lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            waiting = [asyncio.ensure_future(store.write(lambda n=n: insert(f"w{n}"))) for n in range(40)]  # type: ignore[misc]
            refused = asyncio.ensure_future(store.write(lambda: insert("w7")))
            await asyncio.sleep(0.05)
            assert not any(future.done() for future in waiting)
            assert await store.read(lambda: count("w0")) == 0
        await asyncio.gather(*waiting)
        with pytest.raises(DatabaseError):
            await refused
        assert await store.read(lambda: count("w39")) == 1

    with_store(tmp_path, act)


def test_who_waits_longer_than_the_timeout_is_told_so(tmp_path: Path) -> None:
    async def act(store: Store) -> None:
        with (tmp_path / "iam.sqlite.lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(PoolTimeoutError, match=r"timed out after 0\.2 s"):
                await store.write(lambda: insert("late"))
        await store.write(lambda: insert("after"))
        assert await store.read(lambda: count("late")) == 0

    with_store(tmp_path, act, pool_timeout_s=0.2)


def test_another_programs_transaction_is_waited_for_while_reads_go_on(tmp_path: Path) -> None:
    """A sqlite3 shell knows nothing of our lock file; SQLite's own lock still holds."""

    async def act(store: Store) -> None:
        with closing(sqlite3.connect(tmp_path / "iam.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            waiting = asyncio.ensure_future(store.write(lambda: insert("patient")))
            await asyncio.sleep(0.05)
            assert await store.read(lambda: count("patient")) == 0
            assert not waiting.done()
            other.execute("ROLLBACK")
            await waiting
            assert await store.read(lambda: count("patient")) == 1

    with_store(tmp_path, act)


def test_the_access_tokens_of_a_refresh_token_are_found_by_an_index_that_holds_no_others(tmp_path: Path) -> None:
    def plan() -> Transaction[str]:
        found = yield "EXPLAIN QUERY PLAN SELECT id FROM access_token WHERE refresh_token_id = ?", (1,)
        return str(found.rows[0][3])

    async def act(store: Store) -> None:
        assert "USING COVERING INDEX access_token_by_refresh_token" in await store.read(plan)

    with_store(tmp_path, act)


def test_the_write_ahead_log_starts_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """400 transactions write at least 800 pages; the log holds those since the last checkpoint only."""
    monkeypatch.setattr("iam_loadtest.embedded.store.sqlite._WRITES_PER_CHECKPOINT", 100)

    async def act(store: Store) -> None:
        for number in range(400):
            await store.write(lambda number=number: insert(f"n{number}"))  # type: ignore[misc]
            if number % 10 == 0:
                await asyncio.sleep(0.002)
        log = tmp_path / "iam.sqlite-wal"
        assert log.stat().st_size < 400 * 4096

    with_store(tmp_path, act)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iam]:
    directory = tmp_path_factory.mktemp("own")
    options = ["--database", str(directory / "iam.sqlite"), "--pool-timeout", "0.5"]
    with running_iam(directory, *options) as running:
        yield running


def test_a_grant_that_waits_too_long_is_a_500_while_the_frontend_goes_on(own: Iam) -> None:
    with (own.directory / "iam.sqlite.lock").open("r+") as lock, ThreadPoolExecutor(1) as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = pool.submit(own.token, CRED, grant_type="client_credentials")
        assert Iam(own.issuer, own.port, own.process, own.directory).get("health").status_code == 200
        response = waiting.result()
    assert (response.status_code, response.json()["error"]) == (500, "server_error")
    assert "timed out after 0.5 s" in response.json()["error_description"]
    assert good(own.token(CRED, grant_type="client_credentials"))["access_token"]


def test_a_password_grant_leaves_the_rows_that_upstream_leaves(own: Iam) -> None:
    """As in the test on MariaDB: one holder with its collections, two tokens, three token scopes."""
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

    def counts() -> dict[str, int]:
        with closing(sqlite3.connect(own.directory / "iam.sqlite")) as database:
            return {table: database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in tables}

    before = counts()
    issued = own.password("test_122")
    after = counts()
    assert {table: after[table] - before[table] for table in tables} == tables
    own.refresh(issued["refresh_token"])
    assert counts() == after


def test_passwords_and_secrets_are_stored_as_hashes(own: Iam) -> None:
    with closing(sqlite3.connect(own.directory / "iam.sqlite")) as database:
        client = database.execute("SELECT secret_hash FROM client WHERE client_id = 'client-cred'").fetchone()[0]
        account = database.execute("SELECT password_hash FROM account WHERE username = 'test_100'").fetchone()[0]
    assert len(client) == len(account) == 64
    assert "secret" not in client
    assert "password" not in account
