"""``iam-loadtest users``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iam_loadtest.cli.options import counted, scenario_argument
from iam_loadtest.oidc.redact import printable

if TYPE_CHECKING:
    from iam_loadtest.runner.directory import Directory
    from iam_loadtest.scenario.model import Scenario

_PROVIDERS = ("indigo-iam", "keycloak")
_SHOWN = 10


@click.group("users")
def users() -> None:
    """Make and remove the users, clients and sessions that a load test needs, at INDIGO IAM or Keycloak.

    Everything that is made carries a marker, and `users clean` removes what carries it, and nothing else. Each command
    may be called again where it was interrupted: it goes on.
    """


def _admin_options(function: Any) -> Any:
    for option in (
        click.option("--ca-bundle", help="PEM file of further certificate authorities."),
        click.option(
            "--provider", type=click.Choice(_PROVIDERS), help="Whose admin API.  [default: seen from discovery]"
        ),
        click.option("--marker", default="loadtest", show_default=True, help="What tells these from all others."),
        click.option(
            "--admin-token",
            required=True,
            metavar="NAME|file:PATH",
            help="Where the admin API's access token is: a variable, or a file.",
        ),
        click.argument("issuer"),
    ):
        function = option(function)
    return function


@users.command(short_help="Make users and clients.")
@_admin_options
@click.option("--count", type=click.IntRange(1, 1_000_000), help="How many numbered users.")
@click.option("--pattern", help="Their names; {n} is the number.  [default: loadtest_{n}]")
@click.option("--from-file", type=click.Path(path_type=Path), help="CSV file with the column username instead.")
@click.option(
    "--users-file",
    type=click.Path(path_type=Path),
    default=Path("users.csv"),
    show_default=True,
    help="Where names and passwords are written: for a scenario's users.file, and for a next call.",
)
@click.option(
    "--clients-from", type=click.Path(path_type=Path), help="CSV file: client_id, auth, grants, scope, redirect_uris."
)
@click.option(
    "--clients-file",
    type=click.Path(path_type=Path),
    default=Path("clients.csv"),
    show_default=True,
    help="Where clients and their secrets are written.",
)
def make(
    count: int | None,
    pattern: str | None,
    from_file: Path | None,
    users_file: Path,
    clients_from: Path | None,
    clients_file: Path,
    **admin: Any,
) -> None:
    """Make users, and clients, at ISSUER. Passwords and secrets are new, and written before they are used."""
    from iam_loadtest.runner import provision  # noqa: PLC0415  not needed for --help

    if from_file is None and count is None and clients_from is None:
        raise click.UsageError("nothing to make: give --count, --from-file or --clients-from.")
    if from_file is not None and count is not None:
        raise click.UsageError("--count and --from-file say two things; give one of them.")
    if pattern is not None and "{n}" not in pattern:
        raise click.UsageError("--pattern must hold {n}, which stands for the user's number.")
    directory = _directory(**admin)
    if clients_from is not None:
        clients = provision.clients_of(clients_from, clients_file)
        made = provision.make_clients(directory, clients, clients_file, _say)
        click.echo(f"{counted(made, 'client')} made, {len(clients) - made} were there: {clients_file}")
    if from_file is not None or count is not None:
        wanted = (
            provision.users_of(from_file, users_file)
            if from_file is not None
            else provision.wanted_users(users_file, count or 1, pattern)
        )
        made = provision.make_users(directory, wanted, _say)
        click.echo(f"{counted(made, 'user')} made, {len(wanted) - made} were there: {users_file}")


@users.command(short_help="Remove what carries the marker.")
@_admin_options
@click.option("--dry-run", is_flag=True, help="Only say what carries the marker.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def clean(dry_run: bool, yes: bool, **admin: Any) -> None:
    """Remove every user and client at ISSUER that carries the marker, with their sessions and tokens."""
    from iam_loadtest.runner import provision  # noqa: PLC0415  not needed for --help

    directory = _directory(**admin)
    marked_users, marked_clients = directory.marked_users(), directory.marked_clients()
    found = f"{counted(len(marked_users), 'user')} and {counted(len(marked_clients), 'client')}"
    click.echo(f"{found} at {admin['issuer']} carry the marker {admin['marker']!r}.")
    names = [one.name for one in (*marked_users, *marked_clients)]
    for name in names[:_SHOWN]:
        click.echo(f"  {printable(name)}")
    if len(names) > _SHOWN:
        click.echo(f"  and {len(names) - _SHOWN} more")
    if dry_run or not (marked_users or marked_clients):
        return
    if not yes and not _confirmed("Remove them?"):
        click.echo("Nothing was removed.")
        return
    provision.remove(directory, marked_users, marked_clients, _say)
    click.echo(f"{found} removed.")


def _confirmed(question: str) -> bool:
    from iam_loadtest.errors import UserError  # noqa: PLC0415  not needed for --help

    try:
        return click.confirm(question)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise UserError("nothing was removed: nobody can be asked; --yes removes without asking.") from None


def _session_options(function: Any) -> Any:
    for option in (
        click.option(
            "--tokens-file",
            type=click.Path(path_type=Path),
            default=Path("tokens.csv"),
            show_default=True,
            help="Where the refresh tokens are, for a scenario's target.refresh_tokens.",
        ),
        click.option("--topology", help="Where.  [default: the first]"),
        click.option(
            "--workload", help="Whose steps before its first refresh are taken.  [default: the first that has one]"
        ),
        scenario_argument(),
    ):
        function = option(function)
    return function


@users.command(short_help="Log users in and keep their refresh tokens.")
@_session_options
def sessions(scenario: Path, workload: str | None, topology: str | None, tokens_file: Path) -> None:
    """Log every user of SCENARIO in once, and keep the refresh tokens for steps with request: pre_issued."""
    from iam_loadtest.runner.pre_issue import pre_issue  # noqa: PLC0415  not needed for --help

    where = _session_place(scenario, workload, topology)
    made = pre_issue(*where, scenario.parent, tokens_file, _counting("made"))
    click.echo(f"{counted(made, 'session')} made: {tokens_file}")


@users.command("end-sessions", short_help="Revoke the tokens that sessions has kept.")
@_session_options
def end_sessions(scenario: Path, workload: str | None, topology: str | None, tokens_file: Path) -> None:
    """Revoke the refresh tokens that `users sessions` has had for SCENARIO, and remove their file."""
    from iam_loadtest.runner.pre_issue import end_sessions as end_all  # noqa: PLC0415  not needed for --help

    where = _session_place(scenario, workload, topology)
    ended = end_all(*where, scenario.parent, tokens_file, _counting("ended"))
    click.echo(f"{counted(ended, 'session')} ended; {tokens_file} is removed.")


def _session_place(path: Path, workload: str | None, topology: str | None) -> tuple[Scenario, str, str, str]:
    """The scenario, a topology whose sessions last, its issuer, and the workload; raises UserError."""
    from iam_loadtest.errors import UserError  # noqa: PLC0415  not needed for --help
    from iam_loadtest.flow.need import require_what_is_needed  # noqa: PLC0415  not needed for --help
    from iam_loadtest.runner.pre_issue import first_refreshing  # noqa: PLC0415  not needed for --help
    from iam_loadtest.scenario.load_file import load_scenario  # noqa: PLC0415  not needed for --help
    from iam_loadtest.scenario.topology import UrlTopology  # noqa: PLC0415  not needed for --help

    noun = load_scenario(path)
    require_what_is_needed(noun, str(path), path.parent, but_tokens=True)
    name = topology or next(iter(noun.topologies))
    where = noun.topologies.get(name)
    if not isinstance(where, UrlTopology):
        raise UserError(f"--topology {name}: must be one with provider: url, whose sessions last.")
    chosen = workload or first_refreshing(noun)
    if chosen not in noun.workloads:
        raise UserError(f"--workload {chosen}: must be one of: {', '.join(noun.workloads)}.")
    return noun, name, where.issuer, chosen


def _counting(what: str) -> Callable[[int, int], None]:
    def say(done: int, total: int) -> None:
        if done % 100 == 0 or done == total:
            _say(f"{done} of {total} sessions {what}")

    return say


def _say(text: str) -> None:
    """Progress stands beside the result."""
    click.echo(text, err=True)


def _directory(issuer: str, admin_token: str, marker: str, provider: str | None, ca_bundle: str | None) -> Directory:
    from iam_loadtest.errors import UserError  # noqa: PLC0415  not needed for --help
    from iam_loadtest.runner.admin import checked_url, open_directory  # noqa: PLC0415  not needed for --help
    from iam_loadtest.scenario.exposure import goes_in_clear  # noqa: PLC0415  not needed for --help

    if not marker.isascii() or not marker.replace("-", "").replace("_", "").isalnum():
        raise UserError(f"--marker {marker!r}: must be letters, digits, - and _.")
    if goes_in_clear(checked_url(issuer)):
        _say(f"Warning: {issuer} is http: the admin token, passwords and secrets cross the network in clear.")
    return open_directory(issuer, admin_token, marker, provider, ca_bundle)
