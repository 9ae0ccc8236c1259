"""A MariaDB of a provider's own: a data directory, loopback only, a random password."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from providers.missing import ProviderError, require_program
from providers.process import await_that, free_port, plain_environ, run, running_process

_READY_WITHIN_S = 60.0


@dataclass(frozen=True)
class Maria:
    """A running server with one database and one user, both called by the provider's name."""

    name: str
    port: int
    password: str = field(repr=False)
    process: subprocess.Popen[bytes] = field(repr=False)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


@contextmanager
def running_mariadb(name: str, directory: Path, seed: Path | None = None) -> Iterator[Maria]:
    """A server below ``directory`` with a database for a provider; its data begin as a copy of ``seed``, if given."""
    directory.mkdir()
    if seed is None:
        run([require_program("mariadb-install-db"), "--no-defaults", *_install_options(directory)], directory)
    else:
        run(["cp", "-a", "--sparse=always", "--reflink=auto", seed, directory / "data"], directory)
    port, password = free_port(), secrets.token_hex(16)
    log = directory / "mariadbd.log"
    with running_process([require_program("mariadbd"), "--no-defaults", *_options(directory, port)], log) as process:
        await_that(lambda: _sql(directory, "SELECT 1"), "its socket answers", process, log, _READY_WITHIN_S)
        for statement in account_statements(name, password):
            if not _sql(directory, statement):
                raise ProviderError(f"{log.name}: the accounts of the database cannot be made.")
        yield Maria(name, port, password, process)


def _install_options(directory: Path) -> list[str]:
    return [
        f"--datadir={directory}/data",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--skip-name-resolve",
        *_as_root(),
    ]


def _options(directory: Path, port: int) -> list[str]:
    return [
        f"--datadir={directory}/data",
        f"--socket={directory}/s.sock",
        f"--pid-file={directory}/mariadbd.pid",
        "--bind-address=127.0.0.1",
        f"--port={port}",
        "--skip-name-resolve",
        "--character-set-server=utf8mb4",
        "--transaction-isolation=READ-COMMITTED",
        "--innodb-buffer-pool-size=256M",
        *_as_root(),
    ]


def account_statements(name: str, password: str) -> tuple[str, ...]:
    """Root is left to the socket file, which is in a directory of this user alone; the port is everybody's."""
    user = f"{name}@'127.0.0.1'"
    return (
        "DELETE FROM mysql.global_priv WHERE User = 'root' AND Host <> 'localhost'",
        "FLUSH PRIVILEGES",
        f"CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4",
        f"CREATE OR REPLACE USER {user} IDENTIFIED BY '{password}'",
        f"GRANT ALL ON {name}.* TO {user}",
    )


def _sql(directory: Path, statement: str) -> bool:
    """Whether a statement was carried out; it goes in by standard input, so no password is in the process list."""
    command = [require_program("mariadb"), "--no-defaults", f"--socket={directory}/s.sock", "--user=root"]
    done = subprocess.run(
        command, input=statement, text=True, capture_output=True, env=plain_environ(), check=False, timeout=30
    )
    return done.returncode == 0


def _as_root() -> list[str]:
    """mariadbd refuses to run as root unless it is told that this is meant."""
    return ["--user=root"] if os.geteuid() == 0 else []


def version() -> str:
    """What the server says of its version: a data directory is good for that one."""
    command = [require_program("mariadbd"), "--no-defaults", "--version"]
    return subprocess.run(command, capture_output=True, text=True, env=plain_environ(), check=True).stdout
