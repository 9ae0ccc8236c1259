"""Writes: what each grant leaves in the database, row for row what INDIGO IAM leaves there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from iam_loadtest.embedded.entity import Client, hides, token_hash
from iam_loadtest.embedded.store import Transaction

_SOURCE = "org.springframework.security.authentication.UsernamePasswordAuthenticationToken"
_KEPT_PARAMETERS = frozenset(
    {
        "grant_type", "scope", "client_id", "username", "audience", "resource", "redirect_uri", "response_type",
        "state", "subject", "nonce", "code_challenge", "code_challenge_method", "subject_token_type",
        "requested_token_type",
    }
)  # fmt: skip


@hides("parameters")
class NewHolder(NamedTuple):
    """An authentication holder to be stored; parameters that are secrets or tokens are dropped."""

    client_id: str
    username: str | None
    scopes: frozenset[str]
    parameters: Mapping[str, str]
    redirect_uri: str | None = None


@hides("value")
class NewAccessToken(NamedTuple):
    """An access token to be stored."""

    value: str
    expiration: int
    client_row: int
    scopes: frozenset[str]


@hides("value")
class NewRefreshToken(NamedTuple):
    """A refresh token to be stored."""

    value: str
    expiration: int
    client_row: int


def insert_holder(holder: NewHolder) -> Transaction[int]:
    """Store who authenticated; gives the holder's id."""
    user_auth_id = None
    if holder.username is not None:
        user_auth_id = yield from _insert_user_auth(holder.username)
    inserted = yield (
        "INSERT INTO authentication_holder (client_id, user_auth_id, approved, redirect_uri) VALUES (?, ?, 1, ?)",
        (holder.client_id, user_auth_id, holder.redirect_uri),
    )
    yield from _insert_values("authentication_holder_scope (owner_id, scope)", inserted.last_id, holder.scopes)
    authority = "ROLE_CLIENT" if holder.username is None else "ROLE_USER"
    yield from _insert_values("authentication_holder_authority (owner_id, authority)", inserted.last_id, [authority])
    yield from _insert_parameters(inserted.last_id, holder.parameters)
    return inserted.last_id


def insert_access_token(token: NewAccessToken, holder_id: int, refresh_id: int | None) -> Transaction[None]:
    """Store an access token and its scopes."""
    inserted = yield (
        "INSERT INTO access_token (token_value_hash, token_value, token_type, expiration, refresh_token_id, client_id,"
        " auth_holder_id) VALUES (?, ?, 'Bearer', ?, ?, ?, ?)",
        (token_hash(token.value), token.value, token.expiration, refresh_id, token.client_row, holder_id),
    )
    yield from _insert_values("token_scope (owner_id, scope)", inserted.last_id, token.scopes)


def insert_refresh_token(token: NewRefreshToken, holder_id: int) -> Transaction[int]:
    """Store a refresh token; gives its id."""
    inserted = yield (
        "INSERT INTO refresh_token (token_value_hash, token_value, expiration, client_id, auth_holder_id)"
        " VALUES (?, ?, ?, ?, ?)",
        (token_hash(token.value), token.value, token.expiration, token.client_row, holder_id),
    )
    return inserted.last_id


def clear_access_tokens(refresh_id: int) -> Transaction[None]:
    """Delete the access tokens of a refresh token one by one, as upstream does: these are what collides on Galera."""
    found = yield "SELECT id FROM access_token WHERE refresh_token_id = ?", (refresh_id,)
    for (access_id,) in found.rows:
        yield from delete_access_token(access_id)


def delete_access_token(access_id: int) -> Transaction[None]:
    """Delete an access token and its scopes."""
    yield "DELETE FROM token_scope WHERE owner_id = ?", (access_id,)
    yield "DELETE FROM access_token WHERE id = ?", (access_id,)


def delete_refresh_token(refresh_id: int) -> Transaction[bool]:
    """Delete a refresh token; False where somebody else was first."""
    deleted = yield "DELETE FROM refresh_token WHERE id = ?", (refresh_id,)
    return deleted.affected == 1


def mark_client_used(client: Client, today: str) -> Transaction[None]:
    """Note the day of last use: one change of the client's row a day, by whoever comes first."""
    if client.last_used < today:
        yield (
            "UPDATE client_last_used SET last_used = ? WHERE client_id = ? AND last_used < ?",
            (today, client.id, today),
        )


def _insert_user_auth(username: str) -> Transaction[int]:
    inserted = yield (
        "INSERT INTO saved_user_auth (name, authenticated, source_class) VALUES (?, 1, ?)",
        (username, _SOURCE),
    )
    yield from _insert_values("saved_user_auth_authority (owner_id, authority)", inserted.last_id, ["ROLE_USER"])
    return inserted.last_id


def _insert_parameters(holder_id: int, parameters: Mapping[str, str]) -> Transaction[None]:
    values: list[int | str] = []
    for name, value in parameters.items():
        if name in _KEPT_PARAMETERS and value:
            values += (holder_id, name, value[:2048])
    if values:
        target = "authentication_holder_request_parameter (owner_id, param, val)"
        yield _insertion(target, "(?, ?, ?)", len(values) // 3), tuple(values)


def _insert_values(target: str, owner_id: int, values: Iterable[str]) -> Transaction[None]:
    parameters: list[int | str] = []
    for value in sorted(values):
        parameters += (owner_id, value)
    if parameters:
        yield _insertion(target, "(?, ?)", len(parameters) // 2), tuple(parameters)


@lru_cache(maxsize=256)
def _insertion(target: str, row: str, count: int) -> str:
    return f"INSERT INTO {target} VALUES {', '.join([row] * count)}"  # noqa: S608 - our tables and question marks
