"""SQLite: reads on the event loop's own connection (WAL readers never wait), writes in one dedicated thread.

A write transaction crosses into the thread once, as a whole. Processes that share the file queue for a lock file rather
than poll SQLite's busy handler, whose growing sleeps would show up as latency that no database has.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from iam_loadtest.embedded.settings import Settings
from iam_loadtest.embedded.store import (
    DatabaseError,
    MakeTransaction,
    Parameters,
    PoolTimeoutError,
    Result,
    T,
    Transaction,
)

Work = Callable[[sqlite3.Connection], Any]
_NO_ROWS: Sequence[tuple[Any, ...]] = ()


class _Job:
    """One piece of work for the writer thread, and the future that waits for it."""

    __slots__ = ("deadline", "error", "future", "result", "work")

    def __init__(self, work: Work, future: asyncio.Future[Any], deadline: float) -> None:
        self.work = work
        self.future = future
        self.deadline = deadline
        self.result: Any = None
        self.error: BaseException | None = None


class SqliteStore:
    """A Store on one SQLite file."""

    auto_id = "INTEGER PRIMARY KEY"
    table_options = ""

    def __init__(self, settings: Settings) -> None:
        self._path = settings.database
        self._timeout_s = settings.pool_timeout_s
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._done: deque[_Job] = deque()
        self._waiting: deque[_Job] = deque()
        self._wake_scheduled = False
        _make_private_file(self._path)
        self._lock_fd = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._reader = self._open_reader()
        self._thread = threading.Thread(target=self._serve_jobs, name="sqlite-writer", daemon=True)
        self._thread.start()
        self._sweeper = self._loop.call_later(1.0, self._fail_overdue)

    async def read(self, make: MakeTransaction[T]) -> T:
        try:
            return _run(self._reader, make())
        except sqlite3.Error as error:
            raise _translated(error) from error

    async def write(self, make: MakeTransaction[T]) -> T:
        result: T = await self._submit(lambda connection: self._transact(connection, make))
        return result

    async def insert_many(self, sql: str, rows: Sequence[Parameters]) -> None:
        def insert(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(sql, rows)
            connection.execute("COMMIT")

        await self._submit(insert)

    async def close(self) -> None:
        self._sweeper.cancel()
        self._jobs.put(None)
        while self._thread.is_alive():
            await asyncio.sleep(0.005)
        self._deliver()
        self._reader.close()
        os.close(self._lock_fd)

    def _open_reader(self) -> sqlite3.Connection:
        """The first connection also turns the file to WAL, which no other process may do at the same moment."""
        fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
        try:
            return _connect(self._path, self._timeout_s)
        except sqlite3.Error as error:
            raise _translated(error) from error
        finally:
            fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    def _submit(self, work: Work) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        job = _Job(work, future, time.monotonic() + self._timeout_s)
        self._waiting.append(job)
        self._jobs.put(job)
        return future

    def _serve_jobs(self) -> None:
        connection = _connect(self._path, self._timeout_s)
        while (job := self._jobs.get()) is not None:
            self._run_job(connection, job)
            self._done.append(job)
            if not self._wake_scheduled:
                self._wake_scheduled = True
                self._loop.call_soon_threadsafe(self._deliver)
        connection.close()

    def _run_job(self, connection: sqlite3.Connection, job: _Job) -> None:
        if time.monotonic() > job.deadline:
            job.error = PoolTimeoutError(self._timeout_s)
            return
        fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
        try:
            job.result = job.work(connection)
        except sqlite3.Error as error:
            job.error = _translated(error)
        except BaseException as error:  # noqa: BLE001 - delivered to the waiting request, which raises it
            job.error = error
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    def _transact(self, connection: sqlite3.Connection, make: MakeTransaction[T]) -> T:
        connection.execute("BEGIN IMMEDIATE")
        result = _run(connection, make())
        connection.execute("COMMIT")
        return result

    def _deliver(self) -> None:
        """Runs on the event loop: hand finished jobs to their futures."""
        self._wake_scheduled = False
        while self._done:
            job = self._done.popleft()
            while self._waiting and self._waiting[0].future.done():
                self._waiting.popleft()
            if job.future.done():
                continue
            if job.error is None:
                job.future.set_result(job.result)
            else:
                job.future.set_exception(job.error)

    def _fail_overdue(self) -> None:
        now = time.monotonic()
        while self._waiting and (self._waiting[0].future.done() or self._waiting[0].deadline < now):
            job = self._waiting.popleft()
            if not job.future.done():
                job.future.set_exception(PoolTimeoutError(self._timeout_s))
        self._sweeper = self._loop.call_later(1.0, self._fail_overdue)


def _make_private_file(path: str) -> None:
    """The file holds signing keys: it is readable by its owner only."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _connect(path: str, timeout_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=timeout_s, isolation_level=None, cached_statements=512)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA cache_size=-16000")
    return connection


def _run(connection: sqlite3.Connection, transaction: Transaction[T]) -> T:
    execute = connection.execute
    try:
        sql, parameters = next(transaction)
        while True:
            cursor = execute(sql, parameters)
            rows = cursor.fetchall() if cursor.description else _NO_ROWS
            sql, parameters = transaction.send(Result(rows, cursor.lastrowid or 0, cursor.rowcount))
    except StopIteration as stop:
        result: T = stop.value
        return result


def _translated(error: sqlite3.Error) -> DatabaseError:
    return DatabaseError(getattr(error, "sqlite_errorcode", 0) or 0, str(error))
