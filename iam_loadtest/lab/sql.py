"""Ask a database server of the lab over its socket file, which is reached from every network."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from iam_loadtest.errors import UserError

_TIMEOUT_S = 5
Rows = tuple[tuple[Any, ...], ...]


def query(socket: Path, *statements: str) -> Rows | None:
    """The rows of the last statement, as root; None where the server does not answer.

    Raises UserError where it refuses a statement.
    """
    return asyncio.run(_query(socket, statements))


def status_of(socket: Path, *names: str) -> dict[str, str]:
    """Some of the server's status variables; those that it does not tell are left out."""
    listed = ", ".join(f"'{name}'" for name in names)
    rows = query(socket, f"SHOW GLOBAL STATUS WHERE Variable_name IN ({listed})")
    return {str(name): str(value) for name, value in rows or ()}


async def _query(socket: Path, statements: tuple[str, ...]) -> Rows | None:
    connection_type, driver_error, lost = _driver()
    try:
        connection = connection_type(
            unix_socket=str(socket), user="root", password="", autocommit=True, connect_timeout=_TIMEOUT_S
        )
        await connection.connect()
    except (lost, OSError, TimeoutError):
        return None
    rows: Rows = ()
    try:
        cursor = connection.cursor()
        for statement in statements:
            await cursor.execute(statement)
            rows = tuple(await cursor.fetchall()) if cursor.description else ()
    except lost:
        return None
    except driver_error as error:
        raise UserError(f"the lab's database refused a statement: {error}") from error
    finally:
        connection.close()
    return rows


def _driver() -> tuple[Any, type[Exception], type[Exception]]:
    try:
        from asyncmy.connection import Connection  # noqa: PLC0415  an extra that only the lab's databases need
        from asyncmy.errors import Error, OperationalError  # noqa: PLC0415
    except ImportError as missing:
        raise UserError(
            "the lab's databases need the driver asyncmy; install it with: pip install 'iam-loadtest[mysql]'"
        ) from missing
    return Connection, Error, OperationalError
