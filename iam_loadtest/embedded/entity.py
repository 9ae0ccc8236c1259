"""The rows as the rest of the IAM sees them."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field

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


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client. ``auth_method`` is basic, post, none, private_key_jwt or client_secret_jwt."""

    id: int
    client_id: str
    name: str
    secret_hash: str | None = field(repr=False)
    hmac_secret: str | None = field(repr=False)
    jwks: str | None = field(repr=False)
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


@dataclass(frozen=True, slots=True)
class Account:
    """A user."""

    uuid: str
    username: str
    given_name: str
    family_name: str
    email: str
    password_hash: str = field(repr=False)

    @property
    def name(self) -> str:
        return f"{self.given_name} {self.family_name}"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who authenticated, for which client, with which request: upstream's authentication holder.

    ``account`` is None where there is no user, or the user named is not there any more.
    """

    id: int
    client_id: str
    username: str | None
    redirect_uri: str | None
    scopes: frozenset[str]
    parameters: dict[str, str] = field(repr=False)
    account: Account | None


@dataclass(frozen=True, slots=True)
class StoredRefreshToken:
    """A refresh token as found; ``client_id`` is the client's name, not its row."""

    id: int
    value: str = field(repr=False)
    expiration: int | None
    client_id: str
    holder: Holder


@dataclass(frozen=True, slots=True)
class StoredAccessToken:
    """An access token as found; ``client_id`` is the client's name, not its row."""

    id: int
    expiration: int
    client_id: str


@dataclass(frozen=True, slots=True)
class SubjectToken:
    """A stored access token that is to be exchanged: which client it was issued to, and for which user."""

    expiration: int
    client_id: str
    client_scopes: frozenset[str]
    username: str | None
    account: Account | None
