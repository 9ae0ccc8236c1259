"""SQLite: every transaction runs on the event loop's own connection; a thread does what has to wait.

A transaction takes about 100 us, and handing it to a thread and back as much again, so it stays here. Processes that
share the file queue for a lock file rather than poll SQLite's busy handler, whose growing sleeps would show up as
latency that no database has: where the lock is taken the thread waits for it, and the loop then runs all that has
queued, each in a transaction of its own. Checkpoints, which wait for the disk, are the thread's too.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from queue import SimpleQueue
from types import MappingProxyType
from typing import Any, Final, cast

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

Work = Callable[[sqlite3.Connection], T]
_NO_ROWS: Final[Sequence[tuple[Any, ...]]] = ()
_result: Final = cast(Callable[[tuple[Sequence[tuple[Any, ...]], int, int]], Result], partial(tuple.__new__, Result))
_WRITES_PER_CHECKPOINT: Final = 1000
_WRITES_PER_LOCK: Final = 16


class _Queued:
    """A write that waits for the lock file."""

    __slots__ = ("deadline", "future", "make")

    def __init__(self, make: MakeTransaction[Any], future: asyncio.Future[Any], deadline: float) -> None:
        self.make = make
        self.future = future
        self.deadline = deadline


class SqliteStore:
    """A Store on one SQLite file."""

    schema_words: Mapping[str, str] = MappingProxyType(
        {
            "LASTING_ID": "INTEGER PRIMARY KEY AUTOINCREMENT",
            "ROW_ID": "INTEGER PRIMARY KEY",
            "TABLE_OPTIONS": "",
            "CHILD_OPTIONS": "WITHOUT ROWID",
        }
    )

    def __init__(self, settings: Settings) -> None:
        self._path = settings.database
        self._timeout_s = settings.pool_timeout_s
        self._loop = asyncio.get_running_loop()
        self._queue: deque[_Queued] = deque()
        self._lock_awaited = False
        self._writes = 0
        _make_private_file(self._path)
        self._lock_fd = _open_lock(self._path)
        self._thread_lock_fd = _open_lock(self._path)
        self._connection = self._open_first()
        self._thread = _Waiter(self._path, self._timeout_s)
        self._sweeper = self._loop.call_later(1.0, self._fail_overdue)

    async def read(self, make: MakeTransaction[T]) -> T:
        try:
            return _run(self._connection.cursor(), make())
        except sqlite3.Error as error:
            if not _is_busy(error):
                raise _translated(error) from error
        return await self._in_thread(lambda connection: _run(connection.cursor(), make()))

    async def write(self, make: MakeTransaction[T]) -> T:
        self._count_write()
        if self._lock_awaited or not _try_lock(self._lock_fd):
            return await self._when_locked(make)
        try:
            return _transact(self._connection, make)
        except sqlite3.Error as error:
            if not _is_busy(error):
                raise _translated(error) from error
        finally:
            fcntl.flock(self._lock_fd, fcntl.LOCK_UN)
        return await self._in_thread(lambda connection: _transact(connection, make))

    async def insert_many(self, sql: str, rows: Sequence[Parameters]) -> None:
        def insert(connection: sqlite3.Connection) -> None:
            with _FileLock(self._thread_lock_fd):
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(sql, rows)
                connection.execute("COMMIT")

        await self._in_thread(insert)

    async def ping(self) -> None:
        await self.read(ping)

    async def close(self) -> None:
        self._sweeper.cancel()
        await self._thread.stop()
        self._connection.close()
        os.close(self._lock_fd)
        os.close(self._thread_lock_fd)

    def _open_first(self) -> sqlite3.Connection:
        """The first connection also turns the file to WAL, which no other process may do at the same moment."""
        try:
            with _FileLock(self._lock_fd):
                _connect(self._path, self._timeout_s).close()
                return _connect(self._path, 0.0)
        except sqlite3.Error as error:
            raise _translated(error) from error

    async def _in_thread(self, work: Work[T]) -> T:
        """Work that has to wait for another program, which knows nothing of our lock file."""
        try:
            return await self._thread.submit(work)
        except sqlite3.Error as error:
            raise _translated(error) from error

    def _when_locked(self, make: MakeTransaction[T]) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.append(_Queued(make, future, time.monotonic() + self._timeout_s))
        self._await_lock()
        return future

    def _await_lock(self) -> None:
        if not self._lock_awaited:
            self._lock_awaited = True
            waiting = self._thread.submit(lambda _: fcntl.flock(self._lock_fd, fcntl.LOCK_EX))
            waiting.add_done_callback(self._run_queue)

    def _run_queue(self, _taken: asyncio.Future[None]) -> None:
        """The lock is ours: run what has queued, but not for long, because others wait for it as well."""
        self._lock_awaited = False
        for _ in range(min(len(self._queue), _WRITES_PER_LOCK)):
            queued = self._queue.popleft()
            if not queued.future.done():
                self._run_queued(queued)
        fcntl.flock(self._lock_fd, fcntl.LOCK_UN)
        if self._queue:
            self._await_lock()

    def _run_queued(self, queued: _Queued) -> None:
        try:
            queued.future.set_result(_transact(self._connection, queued.make))
        except sqlite3.Error as error:
            queued.future.set_exception(_translated(error))
        except Exception as error:  # a refusal: the waiting request raises it
            queued.future.set_exception(error)

    def _count_write(self) -> None:
        self._writes += 1
        if self._writes % _WRITES_PER_CHECKPOINT == 0:
            self._thread.submit(self._checkpoint)

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        """Copy most of the WAL while others write, then the rest while they wait, so that it starts over."""
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        with _FileLock(self._thread_lock_fd):
            connection.execute("PRAGMA wal_checkpoint(RESTART)")

    def _fail_overdue(self) -> None:
        now = time.monotonic()
        while self._queue and self._queue[0].deadline < now:
            queued = self._queue.popleft()
            if not queued.future.done():
                queued.future.set_exception(PoolTimeoutError(self._timeout_s))
        self._sweeper = self._loop.call_later(min(1.0, self._timeout_s), self._fail_overdue)


class _Waiter:
    """A thread with a connection of its own, for work that may block."""

    def __init__(self, path: str, timeout_s: float) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[tuple[Work[Any], asyncio.Future[Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="sqlite", daemon=True)
        self._thread.start()

    def submit(self, work: Work[T]) -> asyncio.Future[T]:
        """The future of the work's result; an error is raised from it."""
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put((work, future))
        return future

    async def stop(self) -> None:
        """End the thread; one that is stuck behind a stopped process is left to die with ours."""
        self._jobs.put(None)
        until = time.monotonic() + 1.0
        while self._thread.is_alive() and time.monotonic() < until:
            await asyncio.sleep(0.005)

    def _serve(self) -> None:
        connection = _connect(self._path, self._timeout_s)
        while (job := self._jobs.get()) is not None:
            work, future = job
            try:
                result, error = work(connection), None
            except Exception as raised:  # raised again from the future
                result, error = None, raised
            self._loop.call_soon_threadsafe(_settle, future, result, error)
        connection.close()


def _settle(future: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


class _FileLock:
    """Waits for the lock file; the kernel releases it should its holder die."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __enter__(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)


def _open_lock(path: str) -> int:
    return os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _transact(connection: sqlite3.Connection, make: MakeTransaction[T]) -> T:
    cursor = connection.cursor()
    try:
        cursor.execute("BEGIN IMMEDIATE")
        result = _run(cursor, make())
        cursor.execute("COMMIT")
        return result
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _make_private_file(path: str) -> None:
    """The file holds signing keys: it is readable by its owner only."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _connect(path: str, timeout_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=timeout_s, isolation_level=None, cached_statements=512)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=OFF")
    connection.execute("PRAGMA cache_size=-16000")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    return connection


def _run(cursor: sqlite3.Cursor, transaction: Transaction[T]) -> T:
    try:
        sql, parameters = next(transaction)
        while True:
            cursor.execute(sql, parameters)
            rows = cursor.fetchall() if cursor.description else _NO_ROWS
            sql, parameters = transaction.send(_result((rows, cursor.lastrowid or 0, cursor.rowcount)))
    except StopIteration as stop:
        result: T = stop.value
        return result


def _is_busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_BUSY


def _translated(error: sqlite3.Error) -> DatabaseError:
    return DatabaseError(getattr(error, "sqlite_errorcode", 0) or 0, str(error))
