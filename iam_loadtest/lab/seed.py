"""Data directories of databases that the frontends have prepared already: made once, kept, and copied for each lab."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import iam_loadtest
from iam_loadtest.errors import UserError
from iam_loadtest.lab import config
from iam_loadtest.lab.config import DatabaseFiles, GaleraMember, Setting, galera_settings, my_cnf
from iam_loadtest.lab.process import Server, await_all, last_words, run, start
from iam_loadtest.lab.program import require_galera, require_program
from iam_loadtest.lab.sql import query

SeedKind = Literal["plain", "galera"]
DATABASE = "iam"
DATABASE_USER = "iam"
DATABASE_PASSWORD = "iam"  # noqa: S105  of servers that exist in the lab's own network only
_WITHIN_S = 60.0
_KEPT = 6
"""Prepared directories of 10 to 50 MiB each."""
_LOOPBACK = "127.0.0.1"
_TRACES_OF_A_CLUSTER = ("gvwstate.dat", "galera.cache")


def seed(kind: SeedKind, frontend_flags: Sequence[str] | None, logs: Path) -> Path:
    """The data directory to copy, made where it is not there yet.

    It holds schema, clients, users and signing key, so that frontends find everything there; nothing but an empty
    database where ``frontend_flags`` is None. It is kept in the cache under a name that changes with the database's
    version, the frontends' flags, the built-in IAM and how the lab configures a server.
    """
    cache = _cache_directory()
    ready = cache / f"{kind}-{_fingerprint(frontend_flags)}"
    with _only_one_at_a_time(cache):
        if not ready.exists():
            scratch = logs.parent / "seed"
            scratch.mkdir()
            _keep(_make(kind, frontend_flags, scratch, logs), ready)
            shutil.rmtree(scratch)
        os.utime(ready)
        prune(cache, ready)
    return ready


def copy_seed(source: Path, data: Path) -> None:
    """A data directory of one's own, holes kept as holes; it may be there already, empty."""
    run(["cp", "-aT", "--sparse=always", "--reflink=auto", source, data])


def server_user() -> list[str]:
    """mariadbd refuses to run as root unless it is told that this is meant; in a user namespace root is the caller."""
    return ["--user=root"] if os.geteuid() == 0 else []


def _cache_directory() -> Path:
    given = os.environ.get("IAM_LOADTEST_CACHE")
    base = Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "iam-loadtest"
    directory = base / "lab"
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UserError(
            f"{directory}: cannot be made ({error.strerror}); set IAM_LOADTEST_CACHE to a directory of yours"
        ) from error
    return directory


def _fingerprint(frontend_flags: Sequence[str] | None) -> str:
    digest = hashlib.sha256(run([require_program("mariadbd"), "--no-defaults", "--version"]).encode())
    for module in (__file__, config.__file__):
        digest.update(Path(module).read_bytes())
    if frontend_flags is None:
        return "empty-" + digest.hexdigest()[:16]
    digest.update("\0".join(frontend_flags).encode())
    package = Path(iam_loadtest.__file__).parent / "embedded"
    for path in sorted([*package.rglob("*.py"), *package.rglob("*.sql")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def _only_one_at_a_time(cache: Path) -> Iterator[None]:
    with (cache / "lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _keep(made: Path, ready: Path) -> None:
    """Put a finished directory into the cache under its name at once, so that half of one is never taken."""
    unfinished = ready.with_name(ready.name + ".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        copy_seed(made, unfinished)
    except UserError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise UserError(
            f"{ready.parent}: the prepared database cannot be kept there; free some space, or set IAM_LOADTEST_CACHE to"
            f" another directory ({error})"
        ) from error
    unfinished.rename(ready)


def prune(cache: Path, ready: Path) -> None:
    """Remove what has not been copied for long: each change of the built-in IAM leaves directories behind."""
    others = (path for path in cache.iterdir() if path.is_dir() and path != ready)
    longest_unused_first = sorted(others, key=lambda path: path.stat().st_mtime)
    for path in longest_unused_first[: -(_KEPT - 1)]:
        shutil.rmtree(path, ignore_errors=True)


def _make(kind: SeedKind, frontend_flags: Sequence[str] | None, scratch: Path, logs: Path) -> Path:
    files = DatabaseFiles(scratch / "data", scratch, scratch / "s.sock", logs / f"seed-{kind}.log")
    settings = _galera_alone() if kind == "galera" else {}
    _install(files.data)
    server = _start(files, settings, logs)
    try:
        await_all({f"seed-{kind}": lambda: query(files.socket, "SELECT 1") is not None}, [server], _WITHIN_S)
        if query(files.socket, *_accounts()) is None:
            raise UserError(f"the database to be copied broke off: {last_words(files.log)}")
        if frontend_flags is not None:
            _prepare(files.socket, frontend_flags, scratch, logs)
    finally:
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(_WITHIN_S)
    for name in _TRACES_OF_A_CLUSTER:
        (files.data / name).unlink(missing_ok=True)
    return files.data


def _install(data: Path) -> None:
    run(
        [
            require_program("mariadb-install-db"),
            "--no-defaults",
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
            "--innodb-log-file-size=16M",
            "--innodb-buffer-pool-size=32M",
            *server_user(),
        ]
    )


def _start(files: DatabaseFiles, settings: Mapping[str, Setting], logs: Path) -> Server:
    option_file = files.temporary / "my.cnf"
    option_file.write_text(my_cnf(files, _LOOPBACK, settings), encoding="utf-8")
    command = [require_program("mariadbd"), f"--defaults-file={option_file}", *server_user()]
    new_cluster = ["--wsrep-new-cluster"] if "wsrep_on" in settings else []
    return start("seed", [*command, *new_cluster], logs / "seed-output.log")


def _galera_alone() -> dict[str, Setting]:
    return galera_settings(GaleraMember("seed", _LOOPBACK, (), 0, require_galera()))


def _accounts() -> Sequence[str]:
    """The frontends' account has every right in its database and none on the server: replicas refuse its writes.

    The server's own character set would be latin1, whatever the distribution's my.cnf says, which is not read.
    """
    return (
        f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4",
        f"CREATE USER {DATABASE_USER}@'%' IDENTIFIED BY '{DATABASE_PASSWORD}'",
        f"GRANT ALL ON {DATABASE}.* TO {DATABASE_USER}@'%'",
        "CREATE USER repl@'%' IDENTIFIED BY 'repl'",
        "GRANT REPLICATION SLAVE ON *.* TO repl@'%'",
    )


def _prepare(socket: Path, frontend_flags: Sequence[str], scratch: Path, logs: Path) -> None:
    """Let one frontend make the tables and fill them."""
    ready = scratch / "ready.json"
    url = f"mysql://{DATABASE_USER}:{DATABASE_PASSWORD}@localhost/{DATABASE}?unix_socket={socket}"
    command = [sys.executable, "-m", "iam_loadtest", "iam", "--port", "0", "--ready-file", str(ready), *frontend_flags]
    environ = {"IAM_LOADTEST_DATABASE_URL": url}
    frontend = start("seed-frontend", command, logs / "seed-frontend.log", environ=environ)
    try:
        await_all({"seed-frontend": ready.exists}, [frontend], _WITHIN_S)
    finally:
        frontend.process.terminate()
        frontend.process.wait(_WITHIN_S)
