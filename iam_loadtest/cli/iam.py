"""``iam-loadtest iam``: run the built-in IAM."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from iam_loadtest.embedded.settings import DEFAULT_HOST, DEFAULT_PORT, DEFAULT_USERS, Settings
from iam_loadtest.oidc.loopback import is_loopback

if TYPE_CHECKING:
    from iam_loadtest.embedded.serve import Listening

_PASSWORD = re.compile(r"://[^/@\s]*:(?!\$\{)[^/@\s]+@")
_ON_OFF = click.Choice(["on", "off"])


@click.command("iam", context_settings={"show_default": True})
@click.option(
    "--host", default=DEFAULT_HOST, help="Address to listen on; other than loopback only for closed networks."
)
@click.option("--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, help="Port; 0 takes a free one.")
@click.option(
    "--issuer",
    default="",
    show_default=False,
    help="Issuer URL, where a balancer stands in front. [default: host and port]",
)
@click.option(
    "--database",
    default="",
    show_default=False,
    envvar="IAM_LOADTEST_DATABASE_URL",
    show_envvar=True,
    help="Path of a SQLite file, or mysql://user:${PASSWORD}@host:port/name?pool=50&timeout=30&read=host:port;"
    " ${NAME} is taken from the environment. [default: a private SQLite file, removed at the end]",
)
@click.option(
    "--sessions",
    default="",
    show_default=False,
    envvar="IAM_LOADTEST_SESSIONS_URL",
    show_envvar=True,
    help="Web sessions in redis://host:port/0 or sentinel://host:port,host:port/service. [default: the database]",
)
@click.option("--workers", type=click.IntRange(1, 256), default=1, help="Frontend processes behind the one port.")
@click.option("--first-frontend", type=click.IntRange(1), default=1, help="Number of the first frontend in X-Backend.")
@click.option("--users", type=click.IntRange(1), default=DEFAULT_USERS, help="Test users: test_100 and on.")
@click.option("--algorithm", type=click.Choice(["RS256", "ES256"]), default="RS256", help="Signature of the tokens.")
@click.option("--store-access-tokens", type=_ON_OFF, default="on", help="Keep access tokens in the database.")
@click.option("--clear-on-refresh", type=_ON_OFF, default="on", help="A refresh deletes the older access tokens.")
@click.option("--refresh-tokens", type=click.Choice(["reuse", "rotate"]), default="reuse", help="After a refresh.")
@click.option("--access-token-lifetime", type=click.IntRange(1), default=3600, help="Seconds.")
@click.option("--pool-size", type=click.IntRange(1), default=50, help="Database connections per worker (MariaDB).")
@click.option("--pool-timeout", type=click.FloatRange(0.001), default=30.0, help="Seconds until a 500 for want of one.")
@click.option(
    "--extra-statements", type=click.IntRange(0), default=0, help="More SELECTs per request, as upstream has."
)
@click.option("--retry-deadlocks", type=click.IntRange(0), default=0, help="Run a grant again after a deadlock.")
@click.option("--error-style", type=click.Choice(["indigo", "rfc"]), default="indigo", help="Whose errors to answer.")
@click.option("--keep-alive", type=click.IntRange(1), default=75, help="Seconds an idle connection stays open.")
@click.option("--request-log", default="", show_default=False, help="Append a JSON line per request to this file.")
@click.option(
    "--ready-file", default="", show_default=False, help="Written once all workers answer: issuer, pid, port as JSON."
)
def iam(**options: Any) -> None:
    """Run the built-in IAM: a stand-in for INDIGO IAM, for tests only.

    It needs nothing but this package. Its clients, users and passwords are public (docs/built-in-iam.md): never give it
    real identities, and never let it be reached from outside.
    """
    import logging  # noqa: PLC0415 - the front door stays quick to start

    from iam_loadtest.embedded.serve import serve  # noqa: PLC0415 - heavy: the whole server

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    click.echo(
        "Built-in IAM: a stand-in for tests, with public passwords. Do not use it for real identities.", err=True
    )
    if not is_loopback(options["host"]):
        click.echo(f"Warning: --host {options['host']} lets other machines reach it.", err=True)
    for name in _passwords_in_sight(options):
        click.echo(
            f"Warning: --{name} holds a password, which the process list shows; write ${{NAME}} there.", err=True
        )
    serve(_settings(options), _announce)


def _passwords_in_sight(options: dict[str, Any]) -> list[str]:
    """Options of the command line whose URL has a password written out."""
    source = click.get_current_context().get_parameter_source
    given = (name for name in ("database", "sessions") if source(name) is ParameterSource.COMMANDLINE)
    return [name for name in given if _PASSWORD.search(options[name])]


def _settings(options: dict[str, Any]) -> Settings:
    return Settings(
        store_access_tokens=options.pop("store_access_tokens") == "on",
        clear_access_tokens_on_refresh=options.pop("clear_on_refresh") == "on",
        reuse_refresh_tokens=options.pop("refresh_tokens") == "reuse",
        access_token_lifetime_s=options.pop("access_token_lifetime"),
        keep_alive_s=options.pop("keep_alive"),
        pool_timeout_s=options.pop("pool_timeout"),
        **options,
    )


def _announce(listening: Listening) -> None:
    click.echo(f"Ready: {listening.issuer} (pid {listening.pid}); Ctrl-C stops it.", err=True)


if __name__ == "__main__":
    iam()
