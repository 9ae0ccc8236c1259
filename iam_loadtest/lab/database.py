"""Start the databases of a lab and wait until they serve as what the topology asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from iam_loadtest.lab.config import (
    DatabaseFiles,
    GaleraMember,
    Setting,
    galera_settings,
    gvwstate,
    my_cnf,
    replication_settings,
)
from iam_loadtest.lab.plan import DATABASE_PORT, Host, LabPlan, Role
from iam_loadtest.lab.process import Server, await_all, start
from iam_loadtest.lab.program import require_galera, require_program, search_path
from iam_loadtest.lab.seed import DATABASE, DATABASE_PASSWORD, DATABASE_USER, copy_seed, seed, server_user
from iam_loadtest.lab.sql import query, status_of
from iam_loadtest.lab.state_transfer import write_transfer_script
from iam_loadtest.scenario.topology import LabTopology

_READY_WITHIN_S = 60.0


def start_databases(
    topology: LabTopology, plan: LabPlan, base: Path, frontend_flags: Sequence[str] | None
) -> list[Server]:
    """Every database server of the plan, ready; none where the frontends share a file.

    The directories for their data are there already, empty.
    """
    hosts = plan.of(Role.DATABASE)
    if not hosts:
        return []
    kind = topology.database.kind
    template = seed("galera" if kind == "galera" else "plain", frontend_flags, base / "logs")
    for host in hosts:
        copy_seed(template, files_of(base, host).data)
    if kind == "galera":
        write_transfer_script(base)
        for host, view in zip(hosts, gvwstate(len(hosts)), strict=True):
            (files_of(base, host).data / "gvwstate.dat").write_text(view, encoding="ascii")
    servers = [_start(base, host, _settings(kind, host, hosts) | topology.database.settings) for host in hosts]
    _await_ready(kind, base, hosts, servers)
    return servers


def database_url(topology: LabTopology, plan: LabPlan, base: Path, frontend: Host) -> str:
    """What a frontend is told of its database: its own cluster's server; with replication the primary and a replica."""
    if topology.database.kind == "sqlite":
        return str(base / "iam.sqlite")
    writes = plan.of(Role.DATABASE)[0] if topology.database.kind == "replication" else plan.database_of(frontend)
    url = f"mysql://{DATABASE_USER}:{DATABASE_PASSWORD}@{writes.address}:{DATABASE_PORT}/{DATABASE}"
    reads = plan.replica_of(frontend)
    if topology.database.kind == "replication" and topology.database.reads == "local" and reads != writes:
        return f"{url}?read={reads.address}:{DATABASE_PORT}"
    return url


def files_of(base: Path, host: Host) -> DatabaseFiles:
    """Where a database host keeps what."""
    directory = base / host.name
    return DatabaseFiles(directory / "data", directory, directory / "s.sock", base / "logs" / f"{host.name}.log")


def serves_again(kind: str, socket: Path) -> bool:
    """Whether a server that was started again has its place: in the cluster with all it missed, or simply there.

    A replica goes on by itself from where it was.
    """
    if kind == "galera":
        return status_of(socket, "wsrep_local_state_comment").get("wsrep_local_state_comment") == "Synced"
    return query(socket, "SELECT 1") is not None


def _settings(kind: str, host: Host, hosts: Sequence[Host]) -> dict[str, Setting]:
    if kind == "galera":
        others = tuple(other.address for other in hosts if other != host)
        return galera_settings(GaleraMember(host.name, host.address, others, host.cluster - 1, require_galera()))
    return replication_settings(hosts.index(host) + 1) if kind == "replication" else {}


def _start(base: Path, host: Host, settings: Mapping[str, Setting]) -> Server:
    files = files_of(base, host)
    option_file = files.temporary / "my.cnf"
    option_file.write_text(my_cnf(files, host.address, settings), encoding="utf-8")
    command = [require_program("mariadbd"), f"--defaults-file={option_file}", *server_user()]
    return start(host.name, command, files.log, network=host.name, environ={"PATH": f"{base}:{search_path()}"})


def _await_ready(kind: str, base: Path, hosts: Sequence[Host], servers: Sequence[Server]) -> None:
    sockets = {host.name: files_of(base, host).socket for host in hosts}
    if kind == "galera":
        _await(lambda socket: _is_synced(socket, str(len(hosts))), sockets, servers)
        return
    _await(lambda socket: query(socket, "SELECT 1") is not None, sockets, servers)
    if kind == "replication":
        del sockets[hosts[0].name]
        _replicate(hosts[0], list(sockets.values()))
        _await(_follows, sockets, servers)


def _await(is_ready: Callable[[Path], bool], sockets: Mapping[str, Path], servers: Sequence[Server]) -> None:
    await_all({name: partial(is_ready, socket) for name, socket in sockets.items()}, servers, _READY_WITHIN_S)


def _is_synced(socket: Path, members: str) -> bool:
    status = status_of(socket, "wsrep_local_state_comment", "wsrep_cluster_size", "wsrep_ready")
    return (status.get("wsrep_local_state_comment"), status.get("wsrep_cluster_size")) == ("Synced", members)


def _replicate(primary: Host, replicas: Sequence[Path]) -> None:
    """All servers began as copies of one, so a replica reads the primary's log from its beginning."""
    for socket in replicas:
        query(
            socket,
            f"CHANGE MASTER TO MASTER_HOST='{primary.address}', MASTER_PORT={DATABASE_PORT}, MASTER_USER='repl',"
            " MASTER_PASSWORD='repl', MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1",
            "START SLAVE",
        )


def _follows(socket: Path) -> bool:
    """Whether both threads of a replica run: it is connected, and applies what it gets."""
    status = status_of(socket, "Slaves_running", "Slave_running")
    return status.get("Slaves_running") == "1" or status.get("Slave_running") == "ON"
