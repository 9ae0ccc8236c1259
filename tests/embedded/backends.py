"""Private database and session servers for tests, each in a directory of its own, on loopback."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.server import wait_for

PASSWORD = "pw-for-a-test"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


def _in_memory() -> str | None:
    """Where databases are kept if there is room: a new one waits for a disk hundreds of times."""
    memory = Path("/dev/shm")
    return str(memory) if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 500 * 2**20 else None


class Maria:
    """A private mariadbd with a database and a user named iam."""

    def __init__(self, template: Path) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="iam-maria-", dir=_in_memory()))
        shutil.copytree(template, self.directory / "data")
        self.port = free_port()
        self.socket = self.directory / "s"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = [
            f"--datadir={self.directory}/data", f"--socket={self.socket}", f"--port={self.port}",
            f"--pid-file={self.directory}/pid", "--bind-address=127.0.0.1", "--innodb-buffer-pool-size=24M",
            "--innodb-log-file-size=16M", "--innodb-flush-log-at-trx-commit=2", "--performance-schema=OFF",
            "--skip-name-resolve", "--innodb-lock-wait-timeout=4", *_as_root(),
        ]  # fmt: skip
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(["mariadbd", "--no-defaults", *options], stdout=log, stderr=log)
        wait_for(lambda: answers(self.port), "mariadbd answers", 90)

    def url(self, options: str = "") -> str:
        return f"mysql://iam:${{DBPW}}@127.0.0.1:{self.port}/iam{options}"

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait(30)

    def remove(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(30)
        shutil.rmtree(self.directory, ignore_errors=True)


def _as_root() -> list[str]:
    return ["--user=root"] if os.getuid() == 0 else []


@contextmanager
def maria_template() -> Iterator[Path]:
    """A data directory that holds the user iam; skips the test where there is no MariaDB."""
    if not (shutil.which("mariadbd") and shutil.which("mariadb-install-db")):
        pytest.skip("no mariadbd here: install Debian's mariadb-server-core")
    pytest.importorskip("asyncmy", reason="no asyncmy here: pip install 'iam-loadtest[mysql]'")
    directory = Path(tempfile.mkdtemp(prefix="iam-maria-template-", dir=_in_memory()))
    command = [
        "mariadb-install-db", "--no-defaults", f"--datadir={directory}/data", "--skip-test-db",
        "--auth-root-authentication-method=normal", "--innodb-log-file-size=16M", *_as_root(),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    maria = Maria(directory / "data")
    maria.start()
    for statement in (
        "CREATE DATABASE iam",
        f"CREATE USER iam@'%' IDENTIFIED BY '{PASSWORD}'",
        "GRANT ALL ON iam.* TO iam@'%'",
        f"CREATE USER iam@'localhost' IDENTIFIED BY '{PASSWORD}'",
        "GRANT ALL ON iam.* TO iam@'localhost'",
    ):
        sql(maria, statement, user="root", password="", database=None)
    maria.signal(signal.SIGTERM)
    assert maria.process is not None
    maria.process.wait(60)
    try:
        yield maria.directory / "data"
    finally:
        maria.remove()
        shutil.rmtree(directory, ignore_errors=True)


class Session:
    """A database connection that a test holds open to be in the way."""

    def __init__(self, maria: Maria, user: str = "iam", password: str = PASSWORD, database: str | None = "iam") -> None:
        from asyncmy.connection import Connection  # noqa: PLC0415 - optional: absent, its tests are skipped

        self._loop = asyncio.new_event_loop()
        options = {"user": user, "password": password, "database": database, "autocommit": True}
        asyncio.set_event_loop(self._loop)
        self._connection = Connection(unix_socket=str(maria.socket), **options)
        self._loop.run_until_complete(self._connection.connect())

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        async def execute() -> list[tuple[Any, ...]]:
            cursor = self._connection.cursor()
            await cursor.execute(statement)
            return list(await cursor.fetchall()) if cursor.description else []

        return self._loop.run_until_complete(execute())

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        with suppress(Exception):
            self._loop.run_until_complete(self._connection.ensure_closed())
        self._loop.close()


def sql(maria: Maria, statement: str, **login: Any) -> list[tuple[Any, ...]]:
    """Run one statement."""
    with Session(maria, **login) as session:
        return session.run(statement)


@contextmanager
def redis_server(directory: Path, *lines: str, sentinel: bool = False) -> Iterator[int]:
    """A private Redis or Sentinel; Debian's redis-tools has the server under another name."""
    program = shutil.which("redis-server") or shutil.which("redis-check-rdb")
    if program is None:
        pytest.skip("no redis-server here: install Debian's redis-tools")
    pytest.importorskip("redis", reason="no redis client here: pip install 'iam-loadtest[redis]'")
    directory.mkdir(parents=True)
    port = free_port()
    config = directory / "redis.conf"
    common = [f"port {port}", "bind 127.0.0.1", f"dir {directory}", 'save ""'] if not sentinel else []
    sentinel_lines = [f"port {port}", "bind 127.0.0.1", f"dir {directory}"] if sentinel else []
    config.write_text("\n".join([*common, *sentinel_lines, *lines]) + "\n")
    name = "redis-sentinel" if sentinel else "redis-server"
    with (directory / "log").open("ab") as log:
        process = subprocess.Popen([name, str(config)], executable=program, stdout=log, stderr=log)
    try:
        wait_for(lambda: answers(port), f"{name} answers")
        yield port
    finally:
        process.kill()
        process.wait(30)
