"""``iam-loadtest worker``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from iam_loadtest.cli.options import Duration

DEFAULT_PORT = 5557


class Master(click.ParamType[tuple[str, int]]):
    """HOST or HOST:PORT; an IPv6 address with a port stands in brackets."""

    name = "host[:port]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        host, _, port = value.rpartition(":") if _has_port(value) else (value, "", str(DEFAULT_PORT))
        host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        if not host or "[" in host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
            self.fail(f"{value!r}: must be HOST or HOST:PORT, such as 10.0.0.5:{DEFAULT_PORT}", param, ctx)
        return host, int(port)


@click.command()
@click.option(
    "--master", type=Master(), required=True, help=f"Where the master listens; port {DEFAULT_PORT} if left out."
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    required=True,
    metavar="URL",
    help="Origin that may be loaded and given secrets, such as https://iam.example.org; port * is any. Repeatable.",
)
@click.option(
    "--secret-env",
    "secret_variables",
    multiple=True,
    metavar="NAME",
    help="Variable that a scenario may refer to, or PREFIX*. No other reaches the worker process. Repeatable.",
)
@click.option(
    "--secrets-directory",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Where files of a scenario stand: secrets, users.csv, certificates. Without it none is read.",
)
@click.option("--insecure", is_flag=True, help="Let a scenario switch certificate checks off.")
@click.option("--processes", type=click.IntRange(1, 256), default=1, show_default=True, help="Workers on this host.")
@click.option(
    "--max-idle", type=Duration(positive=True), help="End when no master was there for so long.  [default: never]"
)
@click.option("--json-log", is_flag=True, help="Say what happens as JSON lines.")
def worker(
    master: tuple[str, int],
    targets: tuple[str, ...],
    secret_variables: tuple[str, ...],
    secrets_directory: Path | None,
    insecure: bool,
    processes: int,
    max_idle: float | None,
    json_log: bool,
) -> None:
    """Generate load for runs on another host, trial after trial, until Ctrl-C or SIGTERM.

    The other host runs `iam-loadtest run SCENARIO --workers-external N`. The scenario comes from there, secrets never
    do: they are read here, and sent to no other host than --target names.
    """
    from iam_loadtest.runner.worker_supervisor import WorkerSettings, serve_trials  # noqa: PLC0415  not for --help
    from iam_loadtest.scenario.worker_trust import WorkerTrust, parse_origin  # noqa: PLC0415  not needed for --help

    directory = str(secrets_directory.absolute()) if secrets_directory else None
    trust = WorkerTrust(tuple(parse_origin(target) for target in targets), directory, insecure)
    settings = WorkerSettings(*master, trust, secret_variables, processes, max_idle)
    serve_trials(settings, _JsonTeller(*master) if json_log else _Teller(*master))


class _Teller:
    """A line on standard error for each thing that happens."""

    def __init__(self, host: str, port: int) -> None:
        self._master = f"{host}:{port}"

    def waiting(self, why: str) -> None:
        """Nobody listens."""
        click.echo(f"Waiting for a master at {self._master} ({why}).", err=True)

    def started(self, pid: int) -> None:
        """Somebody does."""
        click.echo(f"A master listens at {self._master}; worker process {pid} serves it.", err=True)

    def ended(self, pid: int, exit_code: int) -> None:
        """How it ended."""
        click.echo(f"Worker process {pid} ended with exit code {exit_code}.", err=True)


class _JsonTeller(_Teller):
    """One JSON object a line on standard output, for machines."""

    def waiting(self, why: str) -> None:
        """Event ``worker_waiting``."""
        _emit("worker_waiting", master=self._master, why=why)

    def started(self, pid: int) -> None:
        """Event ``worker_started``."""
        _emit("worker_started", master=self._master, pid=pid)

    def ended(self, pid: int, exit_code: int) -> None:
        """Event ``worker_ended``."""
        _emit("worker_ended", master=self._master, pid=pid, exit_code=exit_code)


def _emit(event: str, **fields: object) -> None:
    from iam_loadtest.cli.monitor import emit  # noqa: PLC0415  loads what draws live lines

    emit(event, **fields)


def _has_port(value: str) -> bool:
    return value.count(":") == 1 or "]:" in value
