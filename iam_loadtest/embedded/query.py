"""Reads: each is a part of a transaction, to be joined by ``yield from``."""

from __future__ import annotations

from iam_loadtest.embedded.entity import (
    Account,
    Client,
    Holder,
    StoredAccessToken,
    StoredRefreshToken,
    token_hash,
)
from iam_loadtest.embedded.store import Transaction

_CLIENT = """SELECT c.id, c.client_id, c.client_name, c.secret_hash, c.hmac_secret, c.jwks, c.auth_method,
 c.allow_introspection, c.require_pkce, c.active, u.last_used
 FROM client c LEFT JOIN client_last_used u ON u.client_id = c.id WHERE c.client_id = ?"""
_CLIENT_CHILDREN = """SELECT 's', scope FROM client_scope WHERE owner_id = ?
 UNION ALL SELECT 'g', grant_type FROM client_grant_type WHERE owner_id = ?
 UNION ALL SELECT 'r', redirect_uri FROM client_redirect_uri WHERE owner_id = ?"""
_ACCOUNT = "SELECT uuid, username, given_name, family_name, email, password_hash FROM account"
_REFRESH = """SELECT r.id, r.token_value, r.expiration, c.client_id, r.auth_holder_id
 FROM refresh_token r JOIN client c ON c.id = r.client_id WHERE r.token_value_hash = ?"""
_ACCESS = """SELECT a.id, a.token_value, a.expiration, c.client_id, a.auth_holder_id
 FROM access_token a JOIN client c ON c.id = a.client_id WHERE a.token_value_hash = ?"""
_HOLDER = """SELECT h.id, h.client_id, s.name, h.redirect_uri
 FROM authentication_holder h LEFT JOIN saved_user_auth s ON s.id = h.user_auth_id WHERE h.id = ?"""
_HOLDER_CHILDREN = """SELECT 's', scope, '' FROM authentication_holder_scope WHERE owner_id = ?
 UNION ALL SELECT 'p', param, val FROM authentication_holder_request_parameter WHERE owner_id = ?"""


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
    children = yield _CLIENT_CHILDREN, (row[0], row[0], row[0])
    kinds: dict[str, list[str]] = {"s": [], "g": [], "r": []}
    for kind, value in children.rows:
        kinds[kind].append(value)
    scopes, grants, uris = (frozenset(kinds[kind]) for kind in "sgr")
    flags = (bool(row[7]), bool(row[8]), bool(row[9]), row[10] or "")
    return Client(row[0], row[1], row[2], row[3], row[4], row[5], row[6], *flags, scopes, grants, uris)


def load_account(username: str) -> Transaction[Account | None]:
    """The active user of this name."""
    found = yield f"{_ACCOUNT} WHERE username = ? AND active = 1", (username,)
    return Account(*found.rows[0]) if found.rows and found.rows[0][1] == username else None


def load_account_by_uuid(uuid: str) -> Transaction[Account | None]:
    """The active user with this ``sub``."""
    found = yield f"{_ACCOUNT} WHERE uuid = ? AND active = 1", (uuid,)
    return Account(*found.rows[0]) if found.rows else None


def find_refresh_token(value: str) -> Transaction[StoredRefreshToken | None]:
    """The refresh token with this value, expired or not."""
    found = yield _REFRESH, (token_hash(value),)
    return StoredRefreshToken(*found.rows[0]) if found.rows else None


def find_access_token(value: str) -> Transaction[StoredAccessToken | None]:
    """The stored access token with this value, expired or not."""
    found = yield _ACCESS, (token_hash(value),)
    if not found.rows:
        return None
    scopes = yield "SELECT scope FROM token_scope WHERE owner_id = ?", (found.rows[0][0],)
    token_id, stored, expiration, client_id, holder_id = found.rows[0]
    names = frozenset(row[0] for row in scopes.rows)
    return StoredAccessToken(token_id, stored, expiration, client_id, holder_id, names)


def load_holder(holder_id: int) -> Transaction[Holder]:
    """The authentication holder of a token or code; it is there as long as what refers to it."""
    found = yield _HOLDER, (holder_id,)
    children = yield _HOLDER_CHILDREN, (holder_id, holder_id)
    scopes = frozenset(name for kind, name, _ in children.rows if kind == "s")
    parameters = {name: value for kind, name, value in children.rows if kind == "p"}
    row_id, client_id, username, redirect_uri = found.rows[0]
    return Holder(row_id, client_id, username, redirect_uri, scopes, parameters)


def is_revoked(value: str) -> Transaction[bool]:
    """Whether an access token that was never stored has been revoked."""
    found = yield "SELECT 1 FROM revoked_access_token WHERE token_value_hash = ?", (token_hash(value),)
    return bool(found.rows)
