"""The store: transactions are generators of plain SQL, so that they are written once and run on either database.

A transaction yields ``(sql, parameters)`` and is sent the Result; what it returns is what the caller gets. Parameters
are ``?``. A transaction may be run again from its start (deadlock retries), so a store is given the function that makes
it, not the generator.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from iam_loadtest.embedded.settings import Settings
from iam_loadtest.embedded.store.url import is_mariadb

Parameters = tuple[Any, ...]
Statement = tuple[str, Parameters]
T = TypeVar("T")


class Result(NamedTuple):
    """Rows of a SELECT; the new id and the number of rows of a change."""

    rows: Sequence[tuple[Any, ...]]
    last_id: int
    affected: int


Transaction = Generator[Statement, Result, T]
MakeTransaction = Callable[[], Transaction[T]]


class DatabaseError(Exception):
    """The database refused or could not be reached: ``number`` is its own error number (1213 is a deadlock)."""

    unreachable: Final = frozenset({1044, 1045, 1049, 2002, 2003, 2005, 2006, 2013})

    def __init__(self, number: int, message: str) -> None:
        super().__init__(f"database error {number}: {message}")
        self.number = number


class PoolTimeoutError(DatabaseError):
    """No connection became free within the pool's timeout."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__(0, f"connection is not available, request timed out after {timeout_s:g} s")


def ping() -> Transaction[None]:
    """A statement that any database answers."""
    yield "SELECT 1", ()


class Store(Protocol):
    """One database as one frontend process sees it."""

    schema_words: Mapping[str, str]

    async def read(self, make: MakeTransaction[T]) -> T:
        """Run statements outside a transaction, each seeing what is committed (on the replica, where there is one)."""
        ...

    async def write(self, make: MakeTransaction[T]) -> T:
        """Run all statements in one transaction: committed when the generator returns, rolled back when it raises."""
        ...

    async def insert_many(self, sql: str, rows: Sequence[Parameters]) -> None:
        """Insert rows in bulk in one transaction; ``sql`` holds one group of parameters."""
        ...

    async def ping(self) -> None:
        """Ask every server there is for an answer; DatabaseError where one gives none."""
        ...

    async def close(self) -> None:
        """Give every connection back; waits for running transactions."""
        ...


async def open_store(settings: Settings) -> Store:
    """Connect to the database of the settings: a ``mysql://`` URL, or else the path of a SQLite file."""
    if is_mariadb(settings.database):
        from iam_loadtest.embedded.store.mariadb import MariaDbStore  # noqa: PLC0415 - an optional dependency

        return MariaDbStore(settings)
    from iam_loadtest.embedded.store.sqlite import SqliteStore  # noqa: PLC0415 - only where it is used

    return SqliteStore(settings)
