"""What MariaDB servers say of themselves, each over one kept connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from iam_loadtest.lab.observer.servers import Values
from iam_loadtest.results.server_file import DATABASE_COLUMNS, GALERA_COLUMNS

_TIMEOUT_S = 1
_LATENCY = "wsrep_evs_repl_latency"
_GTID = "_gtid"
"""Not a column: where the server's log ends, or how far a replica has come."""


class Database:
    """One server as the observer asks it; after a failure it is asked over a new connection."""

    def __init__(self, socket: str, kind: str, is_replica: bool) -> None:
        self._socket = socket
        self._is_replica = is_replica
        self._kind = kind
        self._connection: Any = None
        names = [*DATABASE_COLUMNS.values(), *(GALERA_COLUMNS if kind == "galera" else ())]
        listed = ", ".join(f"'{name}'" for name in names)
        self._status = f"SHOW GLOBAL STATUS WHERE Variable_name IN ({listed})"

    async def ask(self) -> Values:
        """Its columns; raises what the driver raises where it does not answer."""
        if self._connection is None:
            self._connection = await _connected(self._socket)
        told = {str(name): str(value) for name, value in (await self._rows(self._status))[0]}
        found: dict[str, object] = {column: told.get(name, "") for column, name in DATABASE_COLUMNS.items()}
        if self._kind == "galera":
            found |= {name: told.get(name, "") for name in GALERA_COLUMNS} | {_LATENCY: mean_latency(told)}
        if self._kind == "replication":
            found |= await self._replication()
        return found

    def forget(self) -> None:
        """Leave a connection whose answer did not come."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    async def _replication(self) -> Values:
        variable = "gtid_slave_pos" if self._is_replica else "gtid_binlog_pos"
        ((position,),), _ = await self._rows(f"SELECT @@{variable}")
        if not self._is_replica:
            return {_GTID: position}
        rows, names = await self._rows("SHOW SLAVE STATUS")
        behind = dict(zip(names, rows[0], strict=True)).get("Seconds_Behind_Master") if rows else None
        return {_GTID: position, "replica_behind_s": behind}

    async def _rows(self, statement: str) -> tuple[Sequence[Sequence[Any]], Sequence[str]]:
        cursor = self._connection.cursor()
        await cursor.execute(statement)
        return await cursor.fetchall(), [column[0] for column in cursor.description]


async def _connected(socket: str) -> Any:
    from asyncmy.connection import Connection  # noqa: PLC0415  an extra that only databases need

    connection: Any = Connection(  # type: ignore[no-untyped-call]  # the driver has no types
        unix_socket=socket, user="root", password="", autocommit=True, connect_timeout=_TIMEOUT_S
    )
    await connection.connect()
    return connection


def mean_latency(told: Mapping[str, str]) -> str:
    """Seconds that a message takes to all members and back, of Galera's min/mean/max/deviation/number."""
    parts = told.get(_LATENCY, "").split("/")
    return parts[1] if len(parts) == 5 and parts[4] not in ("", "0") else ""


def with_lag(found: Mapping[str, Values]) -> dict[str, Values]:
    """The databases' columns with how many transactions each replica is behind, where its primary answered too.

    Positions are asked for at about the same time, so a small lag is also what passes between two questions.
    """
    positions = {node: transactions(str(values[_GTID])) for node, values in found.items() if _GTID in values}
    ends = [positions[node] for node in positions if "replica_behind_s" not in found[node]]
    lagging: dict[str, Values] = {}
    for node, values in found.items():
        own = {name: value for name, value in values.items() if name != _GTID}
        if "replica_behind_s" in own and ends and ends[0] is not None and positions[node] is not None:
            own["replica_gtid_lag"] = max(ends[0] - (positions[node] or 0), 0)
        lagging[node] = own
    return lagging


def transactions(gtid: str) -> int | None:
    """The number of the last transaction in a position such as ``0-1-4711``; None where there is none."""
    last = gtid.rpartition(",")[2].rpartition("-")[2]
    return int(last) if last.isdigit() else None
