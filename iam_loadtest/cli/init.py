"""``iam-loadtest init``."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iam_loadtest.cli import EXIT_CANNOT
from iam_loadtest.cli.hint import shell_command

if TYPE_CHECKING:
    from iam_loadtest.oidc.discovery import Endpoints
    from iam_loadtest.scenario.first_scenario import Answers, ClientAnswer
    from iam_loadtest.scenario.target import Target

_METHODS = ("basic", "post", "none", "client_secret_jwt", "private_key_jwt", "tls_client_auth")
_REFRESH_BY = ("password", "code", "device", "exchange", "file", "none")
_ROLES = {
    "access": "the client that gets tokens for itself (client_credentials)",
    "subject": "the client of the users' tokens",
    "actor": "the client that exchanges tokens",
}
_NONE = "none"


def _client_options(function: Any) -> Any:
    for role, what in reversed(_ROLES.items()):
        function = click.option(
            f"--{role}-proof",
            metavar="NAME|file:PATH",
            help=f"Where the secret or key of --{role} is: a variable or a file.",
        )(function)
        function = click.option(f"--{role}-auth", type=click.Choice(_METHODS), help=f"How --{role} proves itself.")(
            function
        )
        function = click.option(f"--{role}", metavar="CLIENT_ID", help=f"Id of {what}; none leaves its workloads out.")(
            function
        )
    return function


@click.command()
@click.argument("issuer")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("scenario.yaml"),
    show_default=True,
    help="The file to write.",
)
@click.option("--force", is_flag=True, help="Overwrite the file where it is there.")
@click.option("--ask/--no-ask", default=None, help="Ask what no option says.  [default: where there is a terminal]")
@_client_options
@click.option("--refresh-by", type=click.Choice(_REFRESH_BY), help="How a user's first refresh token is had.")
@click.option("--scope", help="Scope of the first token; must lead to a refresh token.")
@click.option("--redirect-uri", help="With --refresh-by code: one that the subject client is registered for.")
@click.option("--users-file", help="CSV file with the columns username and password.")
@click.option("--users-pattern", help="Names of numbered users, such as test_{n}.")
@click.option("--users-first", type=click.IntRange(0), default=1, show_default=True, help="Number of the first one.")
@click.option("--users-last", type=click.IntRange(1), default=100, show_default=True, help="Number of the last one.")
@click.option("--users-password", metavar="NAME|file:PATH", help="Where the password of all of them is.")
@click.option("--tokens-file", help="With --refresh-by file: refresh tokens, one a line or as CSV.")
@click.option("--ca-bundle", help="PEM file of further certificate authorities.")
@click.option("--client-certificate", help="PEM file shown to the IAM, for tls_client_auth.")
@click.option("--client-key", help="PEM file of its key.")
def init(issuer: str, output: Path, force: bool, ask: bool | None, **options: Any) -> None:
    """Write a first scenario for ISSUER, and check it.

    Reads the discovery document and asks what that does not say, or takes it from options. Secrets are never asked for:
    the file refers to variables, and to files as seen from its own directory. Exit code 1 where the check fails; the
    file stays.
    """
    from iam_loadtest.runner.admin import checked_url  # noqa: PLC0415  not needed for --help

    issuer = checked_url(issuer)
    _refuse_unfit_output(output, force)
    endpoints = _discover(issuer, output.parent, options)
    asking = _Asking(options, sys.stdin.isatty() if ask is None else ask)
    answers = _answers(endpoints, asking)
    _write(output, answers)
    if not (asking.is_allowed or options["access"] or options["refresh_by"]):
        click.echo(f"{output}: no workload asks for tokens; --access and --refresh-by add some.", err=True)
    _check(output)


def _refuse_unfit_output(output: Path, force: bool) -> None:
    """Before anybody is asked for answers that could not be written."""
    from iam_loadtest.errors import UserError  # noqa: PLC0415  not needed for --help

    if output.exists() and not force:
        raise UserError(f"{output}: is there already; name another --output, or overwrite it with --force.")
    if not output.parent.is_dir():
        raise UserError(f"{output}: there is no directory {output.parent}; make it, or name another --output.")
    if not os.access(output if output.exists() else output.parent, os.W_OK):
        raise UserError(f"{output}: may not be written by this user; name another --output.")


@dataclass(frozen=True)
class _Asking:
    """Answers from options, else from the terminal, else the default."""

    options: dict[str, Any]
    is_allowed: bool

    def get(self, name: str, question: str, default: str, choices: tuple[str, ...] | None = None) -> str:
        """The answer of one question; raises UsageError where there is neither answer nor default."""
        given = self.options.get(name)
        if given is not None:
            return str(given)
        if self.is_allowed:
            kind = click.Choice(choices) if choices else None
            return str(click.prompt(question, default=default or None, type=kind)).strip()
        if not default:
            raise click.UsageError(f"--{name.replace('_', '-')} is needed: {question}.")
        return default

    def where(self, name: str, question: str, default: str) -> str:
        """Where a secret is; at the terminal it is asked again where the answer may be the secret itself."""
        given = self.options.get(name)
        if given is None and self.is_allowed:
            return str(click.prompt(question, default=default, value_proc=partial(_reference, name)))
        return _reference(name, default if given is None else str(given))


def _reference(name: str, text: str) -> str:
    from iam_loadtest.scenario.secret import NOT_WHERE, says_where  # noqa: PLC0415  not needed for --help

    if not says_where(text.strip()):
        raise click.UsageError(f"--{name.replace('_', '-')} {NOT_WHERE}")
    return text.strip()


def _discover(issuer: str, directory: Path, options: dict[str, Any]) -> Endpoints:
    from iam_loadtest.errors import UserError  # noqa: PLC0415  not needed for --help
    from iam_loadtest.oidc.recognise import recognise  # noqa: PLC0415  not needed for --help
    from iam_loadtest.runner.failure import TrialFailedError  # noqa: PLC0415  not needed for --help
    from iam_loadtest.runner.preflight import Preflight  # noqa: PLC0415  not needed for --help

    try:
        with Preflight(issuer, _target(options, directory), directory) as preflight:
            endpoints = preflight.discover()
    except TrialFailedError as error:
        raise UserError(str(error)) from error
    click.echo(f"{endpoints.issuer}: {recognise(endpoints)}")
    click.echo(f"  client authentication: {', '.join(endpoints.auth_methods) or 'not said'}")
    click.echo(f"  grants: {', '.join(endpoints.grants) or 'not said'}")
    return endpoints


def _target(options: dict[str, Any], directory: Path) -> Target:
    from iam_loadtest.scenario.certificate import check_certificates  # noqa: PLC0415  not needed for --help
    from iam_loadtest.scenario.target import Target  # noqa: PLC0415  not needed for --help

    keys = {key: options[key] for key in ("ca_bundle", "client_certificate", "client_key") if options[key]}
    target = Target.model_validate(keys)
    check_certificates(target, directory)
    return target


def _answers(endpoints: Endpoints, asking: _Asking) -> Answers:
    from iam_loadtest.oidc.recognise import recognise  # noqa: PLC0415  not needed for --help
    from iam_loadtest.scenario.first_scenario import Answers  # noqa: PLC0415  not needed for --help

    product = recognise(endpoints)
    access = _client("access", endpoints, asking)
    certificates: dict[str, Any] = {
        key: asking.options[key] or "" for key in ("ca_bundle", "client_certificate", "client_key")
    }
    refresh_by: Any = asking.get("refresh_by", "How is a user's first refresh token had", _NONE, _REFRESH_BY)
    if refresh_by == "exchange" and access is None:
        raise click.UsageError("--access is needed with --refresh-by exchange: its token is what is exchanged.")
    needs_subject, needs_actor = refresh_by in {"password", "code", "device", "file"}, refresh_by == "exchange"
    scope = "openid" if product == "keycloak" else "openid offline_access"
    return Answers(
        name=_name(endpoints.issuer),
        issuer=endpoints.issuer,
        profile=product,
        access=access,
        subject=_client("subject", endpoints, asking, is_needed=True) if needs_subject else None,
        actor=_client("actor", endpoints, asking, is_needed=needs_actor)
        if refresh_by != _NONE and (needs_actor or _offers_exchange(endpoints))
        else None,
        refresh_by=refresh_by,
        scope=asking.get("scope", "Scope that leads to a refresh token", scope) if refresh_by != _NONE else scope,
        **_more(refresh_by, asking),
        **certificates,
    )


def _more(refresh_by: str, asking: _Asking) -> dict[str, Any]:
    """What a way to the first refresh token needs beside its client."""
    more: dict[str, Any] = {}
    if refresh_by == "code":
        more["redirect_uri"] = asking.get("redirect_uri", "Redirect URI that the client is registered for", "")
    if refresh_by == "file":
        more["tokens_file"] = asking.get("tokens_file", "File of refresh tokens", "tokens.csv")
    if refresh_by in {"password", "code", "device"}:
        more |= _users(asking)
    return more


def _users(asking: _Asking) -> dict[str, Any]:
    if asking.options["users_pattern"] is None and asking.options["users_password"] is None:
        return {"users_file": asking.get("users_file", "CSV file with the columns username and password", "users.csv")}
    return {
        "users_pattern": asking.get("users_pattern", "Names of numbered users", "test_{n}"),
        "users_first": asking.options["users_first"],
        "users_last": asking.options["users_last"],
        "users_password": asking.where("users_password", "Variable or file:PATH of their password", "USERS_PASSWORD"),
    }


def _client(role: str, endpoints: Endpoints, asking: _Asking, is_needed: bool = False) -> ClientAnswer | None:
    from iam_loadtest.oidc.client_auth import AuthMethod  # noqa: PLC0415  not needed for --help
    from iam_loadtest.scenario.first_scenario import ClientAnswer  # noqa: PLC0415  not needed for --help

    name = asking.get(role, f"Id of {_ROLES[role]}", "" if is_needed else _NONE)
    if name == _NONE:
        return None
    auth = AuthMethod(asking.get(f"{role}_auth", f"How does {name} prove itself", _method(endpoints), _METHODS))
    if not auth.has_secret and auth is not AuthMethod.PRIVATE_KEY_JWT:
        return ClientAnswer(name, auth)
    default = f"file:{role}.pem" if auth is AuthMethod.PRIVATE_KEY_JWT else f"{role.upper()}_SECRET"
    proof = asking.where(f"{role}_proof", f"Variable or file:PATH of what {name} proves itself by", default)
    return ClientAnswer(name, auth, proof)


def _method(endpoints: Endpoints) -> str:
    """The first method that the IAM offers."""
    registered = {
        "client_secret_basic": "basic",
        "client_secret_post": "post",
        "self_signed_tls_client_auth": "tls_client_auth",
    }
    offered = [registered.get(name, name) for name in endpoints.auth_methods]
    return next((name for name in _METHODS if name in offered), "basic")


def _offers_exchange(endpoints: Endpoints) -> bool:
    return not endpoints.grants or any(grant.endswith(":token-exchange") for grant in endpoints.grants)


def _name(issuer: str) -> str:
    """The host's name as a scenario's: at most 40 letters, digits and dashes."""
    host = re.sub(r"^https?://", "", issuer).partition("/")[0].partition(":")[0]
    return re.sub(r"[^A-Za-z0-9-]+", "-", host).strip("-")[:40] or "my-iam"


def _write(output: Path, answers: Answers) -> None:
    from iam_loadtest.errors import UserError  # noqa: PLC0415  not needed for --help
    from iam_loadtest.scenario.first_scenario import first_scenario  # noqa: PLC0415  not needed for --help

    try:
        output.write_text(first_scenario(answers), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{output}: cannot be written: {error.strerror}; name another --output.") from error
    click.echo(f"Written: {output}")


def _check(output: Path) -> None:
    from iam_loadtest.cli.check import check_scenario  # noqa: PLC0415  not needed for --help
    from iam_loadtest.errors import UserError  # noqa: PLC0415  not needed for --help

    try:
        is_good = check_scenario(output)
    except UserError as error:
        click.echo(str(error), err=True)
        is_good = False
    if is_good:
        click.echo(f"All good. Next: {shell_command('run', output)}")
        return
    click.echo(f"Correct that, then: {shell_command('check', output)}", err=True)
    sys.exit(EXIT_CANNOT)
