"""Reads: each is a part of a transaction, to be joined by ``yield from``."""

from __future__ import annotations

from typing import Any

from iam_loadtest.embedded.entity import (
    Account,
    Client,
    Holder,
    StoredAccessToken,
    StoredRefreshToken,
    SubjectToken,
    token_hash,
)
from iam_loadtest.embedded.store import Transaction

_CLIENT = """SELECT c.id, c.client_id, c.client_name, c.secret_hash, c.hmac_secret, c.jwks, c.auth_method,
 c.allow_introspection, c.require_pkce, c.active, u.last_used,
 (SELECT group_concat(scope, ' ') FROM client_scope WHERE owner_id = c.id),
 (SELECT group_concat(grant_type, ' ') FROM client_grant_type WHERE owner_id = c.id),
 (SELECT group_concat(redirect_uri, ' ') FROM client_redirect_uri WHERE owner_id = c.id)
 FROM client c LEFT JOIN client_last_used u ON u.client_id = c.id WHERE c.client_id = ?"""
_ACCOUNT_COLUMNS = "u.uuid, u.username, u.given_name, u.family_name, u.email, u.password_hash"
_ACCOUNT = f"SELECT {_ACCOUNT_COLUMNS} FROM account u"  # noqa: S608 - columns of our own
_HOLDER_COLUMNS = """h.id, h.client_id, s.name, h.redirect_uri,
 (SELECT group_concat(scope, ' ') FROM authentication_holder_scope WHERE owner_id = h.id)"""
_USER = """LEFT JOIN saved_user_auth s ON s.id = h.user_auth_id
 LEFT JOIN account u ON u.username = s.name AND u.active = 1"""
_HOLDER = f"""SELECT {_HOLDER_COLUMNS}, {_ACCOUNT_COLUMNS}
 FROM authentication_holder h {_USER} WHERE h.id = ?"""  # noqa: S608 - as above
_PARAMETERS = "SELECT param, val FROM authentication_holder_request_parameter WHERE owner_id = ?"
_REFRESH = f"""SELECT r.id, r.token_value, r.expiration, c.client_id, {_HOLDER_COLUMNS}, {_ACCOUNT_COLUMNS}
 FROM refresh_token r JOIN client c ON c.id = r.client_id JOIN authentication_holder h ON h.id = r.auth_holder_id
 {_USER} WHERE r.token_value_hash = ?"""  # noqa: S608 - as above
_ACCESS = """SELECT a.id, a.expiration, c.client_id
 FROM access_token a JOIN client c ON c.id = a.client_id WHERE a.token_value_hash = ?"""
_SUBJECT = f"""SELECT a.expiration, c.client_id,
 (SELECT group_concat(scope, ' ') FROM client_scope WHERE owner_id = c.id), s.name, {_ACCOUNT_COLUMNS}
 FROM access_token a JOIN client c ON c.id = a.client_id JOIN authentication_holder h ON h.id = a.auth_holder_id
 {_USER} WHERE a.token_value_hash = ?"""  # noqa: S608 - as above


def extra_statements(count: int) -> Transaction[None]:
    """As many round trips to the database, for a frontend as talkative as the original."""
    for number in range(count):
        yield "SELECT ?", (number,)


def load_client(client_id: str) -> Transaction[Client | None]:
    """The client of exactly this name (MariaDB may compare without case), with its collections."""
    found = yield _CLIENT, (client_id,)
    if not found.rows or found.rows[0][1] != client_id:
        return None
    row = found.rows[0]
    flags = (bool(row[7]), bool(row[8]), bool(row[9]), row[10] or "")
    collections = (_names(row[11]), _names(row[12]), _names(row[13]))
    return Client(row[0], row[1], row[2], row[3], row[4], row[5], row[6], *flags, *collections)


def load_account(username: str) -> Transaction[Account | None]:
    """The active user of this name."""
    found = yield f"{_ACCOUNT} WHERE u.username = ? AND u.active = 1", (username,)
    return Account(*found.rows[0]) if found.rows and found.rows[0][1] == username else None


def load_account_by_uuid(uuid: str) -> Transaction[Account | None]:
    """The active user with this ``sub``."""
    found = yield f"{_ACCOUNT} WHERE u.uuid = ? AND u.active = 1", (uuid,)
    return Account(*found.rows[0]) if found.rows else None


def find_refresh_token(value: str) -> Transaction[StoredRefreshToken | None]:
    """The refresh token with this value, expired or not, and who authenticated for it."""
    found = yield _REFRESH, (token_hash(value),)
    if not found.rows:
        return None
    row = found.rows[0]
    return StoredRefreshToken(row[0], row[1], row[2], row[3], (yield from _holder(row[4:])))


def find_access_token(value: str) -> Transaction[StoredAccessToken | None]:
    """The stored access token with this value, expired or not."""
    found = yield _ACCESS, (token_hash(value),)
    return StoredAccessToken(*found.rows[0]) if found.rows else None


def find_subject_token(value: str) -> Transaction[SubjectToken | None]:
    """The stored access token with this value, expired or not, and whom it is about."""
    found = yield _SUBJECT, (token_hash(value),)
    if not found.rows:
        return None
    expiration, client_id, scopes, username, *account = found.rows[0]
    return SubjectToken(expiration, client_id, _names(scopes), username, _account(account))


def load_holder(holder_id: int) -> Transaction[Holder]:
    """The authentication holder of a code; it is there as long as what refers to it."""
    found = yield _HOLDER, (holder_id,)
    return (yield from _holder(found.rows[0]))


def is_revoked(value: str) -> Transaction[bool]:
    """Whether an access token that was never stored has been revoked."""
    found = yield "SELECT 1 FROM revoked_access_token WHERE token_value_hash = ?", (token_hash(value),)
    return bool(found.rows)


def _holder(row: tuple[Any, ...]) -> Transaction[Holder]:
    """The holder of a row of its columns and those of its account."""
    holder_id, client_id, username, redirect_uri, scopes, *account = row
    found = yield _PARAMETERS, (holder_id,)
    return Holder(holder_id, client_id, username, redirect_uri, _names(scopes), dict(found.rows), _account(account))


def _account(columns: list[Any]) -> Account | None:
    """None where the outer join found no active user."""
    return Account(*columns) if columns[0] is not None else None


def _names(joined: str | None) -> frozenset[str]:
    return frozenset(joined.split(" ")) if joined else frozenset()
