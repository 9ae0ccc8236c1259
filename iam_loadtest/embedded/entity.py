"""The rows as the rest of the IAM sees them.

Values that every grant makes are named tuples: a frozen dataclass sets each of its fields by a call, which takes seven
times as long.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

C = TypeVar("C", bound=type)
OFFLINE_ACCESS = "offline_access"
_ACCOUNT_NAMESPACE = uuid.UUID("5b4f4c7e-6b1b-5d5a-9a3e-1d2f7a8c9b00")


def token_hash(value: str) -> str:
    """The hash under which a token, code or session id is found."""
    return hashlib.sha256(value.encode()).hexdigest()


def secret_hash(owner: str, secret: str) -> str:
    """The stored form of a client's secret or a user's password.

    SHA-256 on purpose: upstream's bcrypt would make every password grant a measurement of bcrypt. Its place is a test
    server whose passwords are public.
    """
    return hashlib.sha256(f"{owner}:{secret}".encode()).hexdigest()


def account_uuid(username: str) -> str:
    """The user's ``sub``: the same on every frontend and after every fresh start."""
    return str(uuid.uuid5(_ACCOUNT_NAMESPACE, username))


def hides(*names: str) -> Callable[[C], C]:
    """Leave these fields of a named tuple out of its repr: they are secrets."""

    def shown(value: Any) -> str:
        fields = ", ".join(f"{name}={getattr(value, name)!r}" for name in value._fields if name not in names)
        return f"{type(value).__name__}({fields})"

    def decorate(named_tuple: C) -> C:
        type.__setattr__(named_tuple, "__repr__", shown)
        return named_tuple

    return decorate


@hides("secret_hash", "hmac_secret", "jwks")
class Client(NamedTuple):
    """A registered client. ``auth_method`` is basic, post, none, private_key_jwt or client_secret_jwt."""

    id: int
    client_id: str
    name: str
    secret_hash: str | None
    hmac_secret: str | None
    jwks: str | None
    auth_method: str
    allow_introspection: bool
    require_pkce: bool
    active: bool
    last_used: str
    scopes: frozenset[str]
    grant_types: frozenset[str]
    redirect_uris: frozenset[str]

    @property
    def allows_refresh(self) -> bool:
        return "refresh_token" in self.grant_types


@hides("password_hash")
class Account(NamedTuple):
    """A user."""

    uuid: str
    username: str
    given_name: str
    family_name: str
    email: str
    password_hash: str

    @property
    def name(self) -> str:
        return f"{self.given_name} {self.family_name}"


@hides("parameters")
class Holder(NamedTuple):
    """Who authenticated, for which client, with which request: upstream's authentication holder.

    ``account`` is None where there is no user, or the user named is not there any more.
    """

    id: int
    client_id: str
    username: str | None
    redirect_uri: str | None
    scopes: frozenset[str]
    parameters: dict[str, str]
    account: Account | None


@hides("value")
class StoredRefreshToken(NamedTuple):
    """A refresh token as found; ``client_id`` is the client's name, not its row."""

    id: int
    value: str
    expiration: int | None
    client_id: str
    holder: Holder


class StoredAccessToken(NamedTuple):
    """An access token as found; ``client_id`` is the client's name, not its row."""

    id: int
    expiration: int
    client_id: str


class SubjectToken(NamedTuple):
    """A stored access token that is to be exchanged: which client it was issued to, and for which user."""

    expiration: int
    client_id: str
    client_scopes: frozenset[str]
    username: str | None
    account: Account | None
