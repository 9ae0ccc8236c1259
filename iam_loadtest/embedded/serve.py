"""The parent process: prepares the database, forks the frontends, accepts connections for them, restarts the dead."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import resource
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from iam_loadtest.embedded.handover import READY, channel_pair, give
from iam_loadtest.embedded.metrics import Board
from iam_loadtest.embedded.private_database import private_database
from iam_loadtest.embedded.seed import prepare
from iam_loadtest.embedded.sessions import SessionStoreError, open_sessions
from iam_loadtest.embedded.settings import Settings, check_issuer, issuer_of
from iam_loadtest.embedded.store import DatabaseError, Store, open_store
from iam_loadtest.embedded.store.url import check_kind, expand, is_mariadb
from iam_loadtest.embedded.worker import run_worker
from iam_loadtest.errors import UserError

logger = logging.getLogger("iam_loadtest.embedded")

_BACKLOG = 4096
_STOP_S = 2.5
_PREPARE_ATTEMPTS = 10
_QUICK_DEATHS = 5
_QUICK_S = 2.0


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the IAM answers, told once all workers are ready."""

    issuer: str
    host: str
    port: int
    pid: int


def serve(settings: Settings, on_ready: Callable[[Listening], None]) -> None:
    """Run the IAM until SIGTERM or SIGINT; UserError where a setting cannot be used."""
    _allow_many_connections()
    if settings.issuer:
        check_issuer(settings.issuer)
    _check_writable("--request-log", settings.request_log)
    _check_writable("--ready-file", settings.ready_file)
    given = _database(settings)
    settings = replace(settings, sessions=expand(settings.sessions, os.environ))
    with _listener(settings) as listener, private_database(given) as database:
        port = listener.getsockname()[1]
        issuer = settings.issuer or issuer_of(settings.host, port)
        resolved = replace(settings, port=port, database=database, issuer=issuer.rstrip("/") + "/")
        asyncio.run(_prepare(resolved))
        listening = Listening(resolved.issuer, settings.host, port, os.getpid())
        _Parent(resolved, listener).run(lambda: _tell_ready(resolved, listening, on_ready))


def _database(settings: Settings) -> str:
    """The database as given, its secrets filled in; UserError where it is neither a MariaDB nor a file with a place."""
    given = expand(settings.database, os.environ)
    check_kind(given)
    if not is_mariadb(given):
        _check_writable("--database", given)
    return given


def _allow_many_connections() -> None:
    """Each connection is an open file; the soft limit of 1024 is for programs that use select()."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _check_writable(option: str, path: str) -> None:
    """Found out before the start rather than by a worker at its first request."""
    directory = Path(path).parent
    if path and not (directory.is_dir() and os.access(directory, os.W_OK)):
        raise UserError(
            f"{option} {path}: {directory} is no directory that can be written to; make it, or name another"
        )


@contextlib.contextmanager
def _listener(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            listener.bind((settings.host, settings.port))
        except (OSError, UnicodeError) as error:
            raise UserError(_cannot_listen(settings, error)) from error
        listener.listen(_BACKLOG)
        listener.setblocking(False)
        yield listener


def _cannot_listen(settings: Settings, error: OSError | UnicodeError) -> str:
    """Blames the port where it is taken or forbidden, and the host for all else: unknown, or not of this machine."""
    if isinstance(error, OSError) and error.errno in {errno.EADDRINUSE, errno.EACCES}:
        return (
            f"--port {settings.port} on {settings.host} cannot be used ({error.strerror});"
            " stop what uses it, or choose another port (0 takes a free one)"
        )
    reason = error.strerror if isinstance(error, OSError) else "no host name"
    return f"--host {settings.host} cannot be listened on ({reason}); name an address of this machine, as 127.0.0.1"


async def _prepare(settings: Settings) -> None:
    """Make the database ready and see that the session store answers; UserError where either cannot be."""
    try:
        store = await open_store(settings)
    except (DatabaseError, OSError) as error:
        raise UserError(f"--database: cannot be opened: {error}") from error
    try:
        await _check_sessions(settings, store)
        await _prepare_database(settings, store)
    finally:
        await store.close()


async def _check_sessions(settings: Settings, store: Store) -> None:
    sessions = await open_sessions(settings, store)
    try:
        await sessions.ping()
    except SessionStoreError as error:
        raise UserError(f"--sessions: {error}; start it, or correct host, port and password in the URL") from error
    finally:
        await sessions.close()


async def _prepare_database(settings: Settings, store: Store) -> None:
    """Other frontends may be preparing the same database: every step is conditional, so a lost race is run again."""
    for attempt in range(1, _PREPARE_ATTEMPTS + 1):
        try:
            await prepare(store, settings)
            return
        except DatabaseError as error:
            if attempt == _PREPARE_ATTEMPTS or error.number in DatabaseError.unreachable:
                raise UserError(f"--database: cannot be prepared: {error}") from error
            await asyncio.sleep(0.05 * attempt)


def _tell_ready(settings: Settings, listening: Listening, on_ready: Callable[[Listening], None]) -> None:
    if settings.ready_file:
        path = Path(settings.ready_file)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(
            json.dumps({"issuer": listening.issuer, "pid": listening.pid, "port": listening.port}), encoding="utf-8"
        )
        temporary.replace(path)
    on_ready(listening)


class _Worker:
    """A forked frontend as its parent sees it."""

    def __init__(self, number: int, pid: int, channel: socket.socket) -> None:
        self.number = number
        self.pid = pid
        self.channel = channel
        self.started = time.monotonic()
        self.ready = False


class _Parent:
    """Accepts and gives away connections; single-threaded, so that forking is safe at any time."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        self._listener = listener
        self._board = Board(settings.workers, settings.first_frontend)
        self._parts = [self._board.part(number) for number in range(settings.workers)]
        self._workers: dict[int, _Worker] = {}
        self._selector = selectors.DefaultSelector()
        self._next = 0
        self._quick_deaths = 0
        self._stopping = False
        self._on_ready: Callable[[], None] | None = None
        self._wake_read, self._wake_write = socket.socketpair()

    def run(self, on_ready: Callable[[], None]) -> None:
        """Fork the workers and serve until a signal."""
        self._on_ready = on_ready
        self._catch_signals()
        for number in range(self._settings.workers):
            self._fork(number)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._on_wake)
        try:
            while not self._stopping:
                for key, _ in self._selector.select():
                    key.data()
        finally:
            self._stop()

    def _catch_signals(self) -> None:
        self._wake_write.setblocking(False)
        self._wake_read.setblocking(False)
        signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_stop_signal)

    def _on_stop_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _on_wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_read.recv(64)

    def _fork(self, number: int) -> None:
        ours, theirs = channel_pair()
        parent_pid = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._be_worker(number, theirs, ours, parent_pid)
        theirs.close()
        worker = _Worker(number, pid, ours)
        self._workers[number] = worker
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._on_channel(worker))

    def _be_worker(self, number: int, channel: socket.socket, ours: socket.socket, parent_pid: int) -> None:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for opened in (ours, self._listener, self._wake_read, self._wake_write, self._selector):
                opened.close()
            for sibling in self._workers.values():
                sibling.channel.close()
            run_worker(self._settings, self._board, number, channel, parent_pid)
            status = 0
        except Exception:  # the process ends here whatever it was, and its parent logs that it did
            logger.exception("%s failed", self._board.backend(number))
        finally:
            logging.shutdown()
            os._exit(status)

    def _on_channel(self, worker: _Worker) -> None:
        """A worker says that it is ready, or has closed its end because it is dying."""
        try:
            message = worker.channel.recv(64)
        except BlockingIOError:
            return
        except ConnectionResetError:
            message = b""
        if message == READY:
            worker.ready = True
            self._announce_when_all_ready()
        elif not message and not self._stopping:
            self._replace(worker)

    def _announce_when_all_ready(self) -> None:
        if self._on_ready is not None and all(worker.ready for worker in self._workers.values()):
            on_ready, self._on_ready = self._on_ready, None
            self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
            on_ready()

    def _replace(self, worker: _Worker) -> None:
        """Fork a successor for a dead worker; give up where workers die as fast as they are made."""
        self._selector.unregister(worker.channel)
        worker.channel.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker.pid, signal.SIGKILL)
        _, status = os.waitpid(worker.pid, 0)
        self._parts[worker.number].forget_connections()
        lived_s = time.monotonic() - worker.started
        self._quick_deaths = self._quick_deaths + 1 if lived_s < _QUICK_S else 0
        reason = f"{self._board.backend(worker.number)} died ({_how(status)})"
        if self._quick_deaths >= _QUICK_DEATHS:
            raise UserError(f"{reason} {_QUICK_DEATHS} times within {_QUICK_S:g} s of its start; see its log above")
        logger.warning("%s; it is started again", reason)
        self._fork(worker.number)

    def _accept(self) -> None:
        """Accept what is waiting, up to a bound so that signals and channels get their turn."""
        for _ in range(64):
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            for worker in self._by_load():
                if give(worker.channel, connection):
                    self._parts[worker.number].count_handed()
                    break
            else:
                connection.close()

    def _by_load(self) -> list[_Worker]:
        """Workers, the one with the fewest connections first; turns are taken among equals."""
        self._next = (self._next + 1) % self._settings.workers
        numbers = [(self._next + step) % self._settings.workers for step in range(self._settings.workers)]
        return [self._workers[number] for number in sorted(numbers, key=self._board.open_connections)]

    def _stop(self) -> None:
        """Ask, wait, then insist; nothing is left behind."""
        self._stopping = True
        self._listener.close()
        signal.set_wakeup_fd(-1)
        for worker in self._workers.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_S
        for worker in self._workers.values():
            _reap(worker.pid, deadline)
        if self._settings.ready_file:
            Path(self._settings.ready_file).unlink(missing_ok=True)


def _reap(pid: int, deadline: float) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return
            time.sleep(0.01)


def _how(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"exit code {os.WEXITSTATUS(status)}"
