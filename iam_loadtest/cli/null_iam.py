"""``iam-loadtest null-iam``."""

from __future__ import annotations

from pathlib import Path

import click

from iam_loadtest.oidc.loopback import is_loopback

DEFAULT_PORT = 8491


@click.command("null-iam", context_settings={"show_default": True})
@click.option("--host", default="127.0.0.1", help="Address to listen on; other than loopback only for closed networks.")
@click.option("--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, help="Port; 0 takes a free one.")
@click.option(
    "--delay-schedule",
    metavar="SPEC|FILE",
    help="Hold token answers back: delays with weights and a stall, such as 20ms, or 10ms*80,200ms*20,"
    " or 1ms,stall 3s every 30s; or a file with one term a line.",
)
@click.option(
    "--request-log",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write arrival and answer of each token request to this file, in microseconds of the monotonic clock.",
)
@click.option(
    "--tls",
    "certificate_file",
    metavar="CERTIFICATE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Serve TLS with a fresh self-signed certificate, written to this file for clients to trust.",
)
@click.option(
    "--busy-poll",
    is_flag=True,
    help="Never sleep, and take a core: a client on this machine does not pay for waking the server then.",
)
@click.option(
    "--ready-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Written once it answers: issuer, pid, port as JSON.",
)
def null_iam(
    host: str,
    port: int,
    delay_schedule: str | None,
    request_log: Path | None,
    certificate_file: Path | None,
    busy_poll: bool,
    ready_file: Path | None,
) -> None:
    """Run the null token server: one fixed answer to every token request, as fast as one core can.

    It shows what a load generator itself can do. It checks no client, no user and no password: never use it as an IAM.
    """
    from iam_loadtest.embedded.delay_schedule import delay_schedule as schedule_of  # noqa: PLC0415  not for --help
    from iam_loadtest.embedded.null_iam import NullSettings, serve  # noqa: PLC0415  not needed for --help

    if not is_loopback(host):
        click.echo(f"Warning: --host {host} lets other machines reach it.", err=True)
    schedule = schedule_of(delay_schedule) if delay_schedule else None
    settings = NullSettings(host, port, schedule, request_log, ready_file, certificate_file, busy_poll)
    serve(settings, lambda issuer: click.echo(f"Ready: {issuer}; Ctrl-C stops it.", err=True))
