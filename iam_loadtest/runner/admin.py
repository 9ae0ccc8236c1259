"""Which admin API an issuer has, opened with a token by reference."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from iam_loadtest.errors import UserError
from iam_loadtest.oidc.recognise import recognise
from iam_loadtest.runner.directory import AdminApi, Directory, IndigoIam, Keycloak
from iam_loadtest.runner.failure import TrialFailedError
from iam_loadtest.runner.preflight import Preflight
from iam_loadtest.scenario.fields import Url
from iam_loadtest.scenario.problem import show
from iam_loadtest.scenario.secret import FILE_PREFIX, NOT_WHERE, SecretRef, says_where
from iam_loadtest.scenario.target import Target

_REALM: Final = "/realms/"


def open_directory(
    issuer: str, admin_token: str, marker: str, provider: str | None = None, ca_bundle: str | None = None
) -> Directory:
    """The users and clients of an issuer; ``admin_token`` is a variable's name, or ``file:PATH``.

    The issuer's discovery document is looked at first, so that the token goes to nobody whose document is not in order.
    Raises UserError.
    """
    target = Target(ca_bundle=ca_bundle)
    found = _recognised(checked_url(issuer), target, provider)
    token = _reference(admin_token).resolve(Path())
    kind: type[Keycloak | IndigoIam] = Keycloak if found == "keycloak" else IndigoIam
    return kind(AdminApi(_base(issuer, found), token, target, Path(), kind.RIGHTS), marker)


def checked_url(issuer: str) -> str:
    """The issuer as given; raises UserError where it is no URL."""
    try:
        return TypeAdapter(Url).validate_python(issuer)
    except ValidationError as error:
        raise UserError(f"{show(issuer)} {error.errors()[0]['ctx']['error']}.") from error


def _recognised(issuer: str, target: Target, provider: str | None) -> str:
    try:
        with Preflight(issuer, target, Path()) as preflight:
            product = recognise(preflight.discover())
    except TrialFailedError as error:
        raise UserError(str(error)) from error
    if provider is None and product == "generic":
        raise UserError(f"{issuer}: is neither INDIGO IAM nor Keycloak by its endpoints; --provider says which.")
    return provider or product


def _base(issuer: str, provider: str) -> str:
    """Keycloak's API of a realm stands below /admin/realms/ on the same server."""
    issuer = checked_url(issuer).rstrip("/")
    if provider != "keycloak":
        return issuer
    before, found, realm = issuer.rpartition(_REALM)
    if not found or "/" in realm or not urlsplit(before).netloc:
        raise UserError(f"{issuer}: is no realm of Keycloak; write its issuer, such as https://host/realms/NAME.")
    return f"{before}/admin{_REALM}{realm}"


def _reference(admin_token: str) -> SecretRef:
    if not says_where(admin_token):
        raise UserError(f"--admin-token {NOT_WHERE}")
    if admin_token.startswith(FILE_PREFIX):
        return SecretRef(file=admin_token.removeprefix(FILE_PREFIX))
    return SecretRef(env=admin_token)
