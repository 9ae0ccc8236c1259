"""What every endpoint works with: the settings, the database, the keys, the sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from iam_loadtest.embedded.client_auth import Credentials, authenticate
from iam_loadtest.embedded.entity import Client
from iam_loadtest.embedded.problem import GRANT_NOT_ALLOWED, INVALID_REQUEST, OAuthError
from iam_loadtest.embedded.query import extra_statements, load_client
from iam_loadtest.embedded.sessions import Sessions
from iam_loadtest.embedded.settings import Settings
from iam_loadtest.embedded.store import Store, Transaction
from iam_loadtest.embedded.tokens import Signer

_MAX_FIELDS = 100


@dataclass(frozen=True, slots=True)
class Iam:
    """One frontend."""

    settings: Settings
    store: Store
    signer: Signer
    sessions: Sessions

    @property
    def issuer(self) -> str:
        return self.settings.issuer

    def url(self, path: str) -> str:
        """The public address of one of our paths; the issuer ends in a slash, the path starts without."""
        return self.settings.issuer + path


@dataclass(slots=True)
class ClientRequest:
    """A request that a client makes for itself. ``client_loaded`` tells a database error before it from one after."""

    form: Mapping[str, str] = field(repr=False)
    audience: tuple[str, ...]
    credentials: Credentials
    client_loaded: bool = False

    def need(self, name: str) -> str:
        """A form field that must be there."""
        value = self.form.get(name, "")
        if not value:
            raise OAuthError(INVALID_REQUEST, f"Missing parameter: {name}")
        return value


def parse_form(body: bytes) -> tuple[dict[str, str], tuple[str, ...]]:
    """The fields of a form, the first of each name, and all audiences; OAuthError where it is not a form."""
    try:
        parts = body.decode().split("&")
    except UnicodeDecodeError as error:
        raise OAuthError(INVALID_REQUEST, "The body is not a form") from error
    if len(parts) > _MAX_FIELDS:
        raise OAuthError(INVALID_REQUEST, "The body is not a form")
    fields: dict[str, str] = {}
    audience: tuple[str, ...] = ()
    for part in parts:
        if part:
            encoded_name, _, encoded_value = part.partition("=")
            name, value = _decoded(encoded_name), _decoded(encoded_value)
            fields.setdefault(name, value)
            if name == "audience":
                audience += tuple(value.split())
    return fields, audience


def _decoded(text: str) -> str:
    """Most names and values need no decoding, and parse_qsl takes its time to find that out."""
    return unquote_plus(text) if "%" in text or "+" in text else text


def authenticated_client(iam: Iam, request: ClientRequest, grant_type: str | None) -> Transaction[Client]:
    """Load and authenticate the client, and check that it may use this grant; OAuthError otherwise."""
    yield from extra_statements(iam.settings.extra_statements)
    found = yield from load_client(request.credentials.client_id)
    request.client_loaded = True
    client = authenticate(found, request.credentials, iam.issuer)
    if grant_type is not None and grant_type not in client.grant_types:
        raise OAuthError(GRANT_NOT_ALLOWED, f"Unauthorized grant type: {grant_type}")
    return client


TokenAnswer = dict[str, Any]
