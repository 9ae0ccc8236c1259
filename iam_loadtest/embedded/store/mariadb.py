"""MariaDB and MySQL through asyncmy: statements outside transactions on the replica, transactions on the primary.

Nothing is tried again unless the settings say so: a deadlock or a certification failure is what is to be seen.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from iam_loadtest.embedded.settings import Settings
from iam_loadtest.embedded.store import (
    DatabaseError,
    MakeTransaction,
    Parameters,
    PoolTimeoutError,
    Result,
    T,
    Transaction,
    ping,
)
from iam_loadtest.embedded.store.url import Address, MariaDbUrl, parse_mariadb_url
from iam_loadtest.errors import UserError

try:
    from asyncmy.connection import Connection
    from asyncmy.errors import Error as DriverError
except ImportError as missing:
    raise UserError(
        "--database: a mysql:// URL needs the driver asyncmy; install it with: pip install 'iam-loadtest[mysql]'"
    ) from missing

DEADLOCKS: Final = frozenset({1213, 1205})
_CONNECTION_LOST: Final = 2013
_BATCH: Final = 1000
_AUTO_INCREMENT: Final = "BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY"
_TABLE_OPTIONS: Final = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"


class MariaDbStore:
    """A Store on a MariaDB, a Galera cluster's node, or a primary with a replica to read from."""

    schema_words: Mapping[str, str] = MappingProxyType(
        {
            "LASTING_ID": _AUTO_INCREMENT,
            "ROW_ID": _AUTO_INCREMENT,
            "TABLE_OPTIONS": _TABLE_OPTIONS,
            "CHILD_OPTIONS": _TABLE_OPTIONS,
            "WHERE refresh_token_id IS NOT NULL": "",
        }
    )

    def __init__(self, settings: Settings) -> None:
        url = parse_mariadb_url(settings.database)
        self._retries = settings.retry_deadlocks
        self._primary = _Pool(url, url.primary, settings)
        self._replica = _Pool(url, url.read, settings) if url.read else self._primary

    async def read(self, make: MakeTransaction[T]) -> T:
        async with self._replica.connection() as connection:
            return await _run(connection, make())

    async def write(self, make: MakeTransaction[T]) -> T:
        for _ in range(self._retries):
            try:
                return await self._transact(make)
            except DatabaseError as error:
                if error.number not in DEADLOCKS:
                    raise
        return await self._transact(make)

    async def insert_many(self, sql: str, rows: Sequence[Parameters]) -> None:
        async with self._primary.connection() as connection, connection.cursor() as cursor:
            await cursor.execute("BEGIN")
            for start in range(0, len(rows), _BATCH):
                await cursor.executemany(_dialect(sql), rows[start : start + _BATCH])
            await cursor.execute("COMMIT")

    async def ping(self) -> None:
        for pool in {self._primary, self._replica}:
            async with pool.connection() as connection:
                await _run(connection, ping())

    async def close(self) -> None:
        await self._primary.close()
        await self._replica.close()

    async def _transact(self, make: MakeTransaction[T]) -> T:
        async with self._primary.connection() as connection:
            await _execute(connection, "BEGIN", ())
            try:
                result = await _run(connection, make())
                await _execute(connection, "COMMIT", ())
            except BaseException:  # a cancelled request rolls back as well; it is raised again
                if connection.connected:
                    with suppress(DriverError):
                        await _execute(connection, "ROLLBACK", ())
                raise
            return result


class _Pool:
    """A bounded set of connections; who waits longer than the timeout gets a PoolTimeoutError, as from Hikari."""

    def __init__(self, url: MariaDbUrl, address: Address, settings: Settings) -> None:
        self._url = url
        self._address = address
        self._size = url.pool_size or settings.pool_size
        self._pool_timeout_s = settings.pool_timeout_s
        self._answer_timeout_s = url.timeout_s or settings.pool_timeout_s
        self._idle: list[Connection] = []
        self._open = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for as long as the block runs; the driver's errors leave it as DatabaseError."""
        await self._take_place()
        connection: Connection | None = None
        try:
            connection = self._idle.pop() if self._idle else await self._connect()
            yield connection
        except DriverError as error:
            raise _translated(error) from error
        except (OSError, TimeoutError) as error:
            raise DatabaseError(_CONNECTION_LOST, f"connection lost ({type(error).__name__})") from error
        finally:
            self._give_back(connection)

    async def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            with suppress(DriverError, OSError):
                await self._idle.pop().ensure_closed()

    async def _take_place(self) -> None:
        if self._open < self._size:
            self._open += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._pool_timeout_s):
                await turn
        except (TimeoutError, asyncio.CancelledError) as error:
            if turn.done() and not turn.cancelled():
                self._give_back(None)
            if isinstance(error, TimeoutError):
                raise PoolTimeoutError(self._pool_timeout_s) from None
            raise

    def _give_back(self, connection: Connection | None) -> None:
        if connection is not None and connection.connected:
            self._idle.append(connection)
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._open -= 1

    async def _connect(self) -> Connection:
        url = self._url
        where: dict[str, Any] = {"host": self._address.host, "port": self._address.port}
        if url.unix_socket and self._address == url.primary:
            where = {"unix_socket": url.unix_socket}
        connection = Connection(  # type: ignore[no-untyped-call]  # asyncmy's stub is incomplete
            user=url.user,
            password=url.password,
            database=url.database,
            autocommit=True,
            charset="utf8mb4",
            connect_timeout=max(1, int(self._answer_timeout_s)),
            read_timeout=self._answer_timeout_s,
            **where,
        )
        await connection.connect()
        return connection


async def _run(connection: Connection, transaction: Transaction[T]) -> T:
    try:
        sql, parameters = next(transaction)
        while True:
            answer = await _execute(connection, sql, parameters)
            sql, parameters = transaction.send(answer)
    except StopIteration as stop:
        result: T = stop.value
        return result


async def _execute(connection: Connection, sql: str, parameters: Parameters) -> Result:
    cursor = connection.cursor()
    await cursor.execute(_dialect(sql), parameters)
    rows = await cursor.fetchall() if cursor.description else ()
    return Result(rows, cursor.lastrowid or 0, int(str(cursor.rowcount)))


@lru_cache(maxsize=512)
def _dialect(sql: str) -> str:
    """Our statements hold no question mark or percent sign but as parameters; lists are joined by a space."""
    return sql.replace("?", "%s").replace(", ' ')", " SEPARATOR ' ')")


def _translated(error: Exception) -> DatabaseError:
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    text = str(error.args[1]) if len(error.args) > 1 else type(error).__name__
    return DatabaseError(number, text)
