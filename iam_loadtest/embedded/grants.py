"""The grants of the token endpoint that need no browser; those with a browser are in code_grant.py and device.py."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, NamedTuple

from iam_loadtest.embedded.change import (
    clear_access_tokens,
    delete_refresh_token,
    insert_access_token,
    insert_refresh_token,
    mark_client_used,
)
from iam_loadtest.embedded.context import ClientRequest, Iam, TokenAnswer, authenticated_client
from iam_loadtest.embedded.entity import (
    OFFLINE_ACCESS,
    Account,
    Client,
    StoredRefreshToken,
    secret_hash,
)
from iam_loadtest.embedded.issue import (
    Grant,
    Signed,
    allowed_scopes,
    answer,
    issue,
    new_access_token,
    new_refresh_token,
    sign,
    today,
)
from iam_loadtest.embedded.problem import (
    CLIENT_OTHER,
    EXCHANGE_DENIED,
    INVALID_GRANT,
    INVALID_REQUEST,
    INVALID_SCOPE,
    OAuthError,
    unknown_refresh_token,
    unknown_subject_token,
)
from iam_loadtest.embedded.query import (
    find_refresh_token,
    find_subject_token,
    is_revoked,
    load_account,
    load_account_by_uuid,
    load_client,
)
from iam_loadtest.embedded.seed import CLIENT_GRANT, EXCHANGE_GRANT, PASSWORD_GRANT, REFRESH_GRANT
from iam_loadtest.embedded.store import Transaction
from iam_loadtest.embedded.tokens import AccessTokenClaims, claims_of_stored, now_s, opaque_token

JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"


async def client_credentials(iam: Iam, request: ClientRequest) -> TokenAnswer:
    """A token for the client itself; never a refresh token."""
    client = await iam.store.read(lambda: authenticated_client(iam, request, CLIENT_GRANT))
    scopes = allowed_scopes(client, request.form.get("scope", ""))
    return await issue(iam, Grant(client, scopes, None, request.form, request.audience, may_refresh=False))


async def password(iam: Iam, request: ClientRequest) -> TokenAnswer:
    """A token for a user whose password the client knows."""

    def read() -> Transaction[tuple[Client, Account | None]]:
        client = yield from authenticated_client(iam, request, PASSWORD_GRANT)
        return client, (yield from load_account(request.need("username")))

    client, account = await iam.store.read(read)
    if account is None or not password_matches(account, request.form.get("password", "")):
        raise OAuthError(INVALID_GRANT, "Bad credentials")
    scopes = allowed_scopes(client, request.form.get("scope", ""))
    return await issue(iam, Grant(client, scopes, account, request.form, request.audience))


def password_matches(account: Account, offered: str) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(account.password_hash, secret_hash(account.username, offered))


class _Refresh(NamedTuple):
    """What a refresh needs to know before it signs."""

    client: Client
    token: StoredRefreshToken


async def refresh_token(iam: Iam, request: ClientRequest) -> TokenAnswer:
    """A new access token for the old consent; the same refresh token again, or a new one where rotation is on."""
    found = await iam.store.read(lambda: _read_refresh(iam, request))
    holder = found.token.holder
    scopes = _narrowed(holder.scopes, request.form.get("scope", ""))
    signed = sign(iam, found.client, _refreshed_claims(found, scopes, request), holder.account, holder.parameters)
    value = found.token.value if iam.settings.reuse_refresh_tokens else opaque_token()
    if _refresh_writes(iam, found.client, signed):
        await iam.store.write(lambda: _store_refresh(iam, found, signed, scopes, value))
    return answer(iam, signed, scopes, value)


async def token_exchange(iam: Iam, request: ClientRequest) -> TokenAnswer:
    """RFC 8693: a token of one client becomes a token of another; the user stays the same."""
    actor, subject = await iam.store.read(lambda: _read_exchange(iam, request))
    scopes = frozenset(request.need("scope").split())
    _check_exchange(actor, subject, scopes)
    act: dict[str, Any] = {"sub": actor.client_id}
    if subject.act is not None:
        act["act"] = subject.act
    parameters = dict(request.form) if subject.account else {**request.form, "subject": subject.name}
    other_client = actor.client_id != subject.client_id
    grant = Grant(actor, scopes, subject.account, parameters, request.audience, subject.name, act, other_client)
    return await issue(iam, grant) | {"issued_token_type": JWT_TYPE}


def _read_refresh(iam: Iam, request: ClientRequest) -> Transaction[_Refresh]:
    client = yield from authenticated_client(iam, request, REFRESH_GRANT)
    value = request.need("refresh_token")
    token = yield from find_refresh_token(value)
    if token is None or (token.expiration is not None and token.expiration < now_s()):
        raise unknown_refresh_token(value)
    if token.client_id != client.client_id:
        raise OAuthError(CLIENT_OTHER, "Client does not own the presented refresh token")
    if token.holder.username and token.holder.account is None:
        raise OAuthError(INVALID_GRANT, "The user of this refresh token is not there")
    return _Refresh(client, token)


def _narrowed(granted: frozenset[str], wanted: str) -> frozenset[str]:
    asked = frozenset(wanted.split())
    if not asked <= granted:
        raise OAuthError(INVALID_SCOPE, "Up-scoping is not allowed.")
    return asked or granted


def _refreshed_claims(found: _Refresh, scopes: frozenset[str], request: ClientRequest) -> AccessTokenClaims:
    """As at first issue; an audience in the refresh request replaces the first one."""
    kept, account = found.token.holder.parameters, found.token.holder.account
    subject = account.uuid if account else kept.get("subject", found.client.client_id)
    audience = request.audience or tuple(kept.get("audience", "").split())
    act = {"sub": found.client.client_id} if kept.get("grant_type") == EXCHANGE_GRANT else None
    return AccessTokenClaims(subject, found.client.client_id, scopes, audience, act)


def _refresh_writes(iam: Iam, client: Client, signed: Signed) -> bool:
    settings = iam.settings
    changed = settings.store_access_tokens or not settings.reuse_refresh_tokens
    return changed or client.last_used < today(signed.now)


def _store_refresh(iam: Iam, found: _Refresh, signed: Signed, scopes: frozenset[str], value: str) -> Transaction[None]:
    refresh_id = found.token.id
    still_there = yield "SELECT id FROM refresh_token WHERE id = ?", (refresh_id,)
    if not still_there.rows:
        raise unknown_refresh_token(found.token.value)
    if iam.settings.store_access_tokens and iam.settings.clear_access_tokens_on_refresh:
        yield from clear_access_tokens(refresh_id)
    if value != found.token.value:
        refresh_id = yield from _rotate(iam, found, value, signed.now)
    if iam.settings.store_access_tokens:
        row = new_access_token(iam, found.client, signed, scopes)
        yield from insert_access_token(row, found.token.holder.id, refresh_id)
    yield from mark_client_used(found.client, today(signed.now))


def _rotate(iam: Iam, found: _Refresh, value: str, now: int) -> Transaction[int]:
    """Of several requests with one refresh token exactly one deletes it; the others are refused."""
    mine = yield from delete_refresh_token(found.token.id)
    if not mine:
        raise unknown_refresh_token(found.token.value)
    return (yield from insert_refresh_token(new_refresh_token(iam, found.client, value, now), found.token.holder.id))


class _Subject(NamedTuple):
    """Whom a subject token is about: ``name`` is the token's ``sub``. The client is the one it was issued to."""

    client_id: str
    client_scopes: frozenset[str]
    account: Account | None
    name: str
    act: Mapping[str, Any] | None


def _read_exchange(iam: Iam, request: ClientRequest) -> Transaction[tuple[Client, _Subject]]:
    actor = yield from authenticated_client(iam, request, EXCHANGE_GRANT)
    if request.form.get("actor_token") or request.form.get("want_composite"):
        raise OAuthError(INVALID_REQUEST, "Delegation not supported")
    request.need("scope")
    value = request.need("subject_token")
    subject = yield from (_stored_subject(value) if iam.settings.store_access_tokens else _signed_subject(iam, value))
    if subject is None:
        raise unknown_subject_token(value)
    return actor, subject


def _stored_subject(value: str) -> Transaction[_Subject | None]:
    """What is found by its hash is ours as it stands: its signature needs no second look."""
    token = yield from find_subject_token(value)
    if token is None or token.expiration < now_s():
        return None
    if token.username and token.account is None:
        raise OAuthError(INVALID_GRANT, "The user of this subject token is not there")
    claims = claims_of_stored(value)
    return _Subject(token.client_id, token.client_scopes, token.account, claims["sub"], claims.get("act"))


def _signed_subject(iam: Iam, value: str) -> Transaction[_Subject | None]:
    """Where tokens are not stored the signature vouches for them, unless they were revoked."""
    claims = iam.signer.claims(value)
    if claims is None or claims["exp"] < now_s() or (yield from is_revoked(value)):
        return None
    client = yield from load_client(str(claims.get("client_id", "")))
    account = yield from load_account_by_uuid(claims["sub"])
    if client is None:
        return None
    return _Subject(client.client_id, client.scopes, account, claims["sub"], claims.get("act"))


def _check_exchange(actor: Client, subject: _Subject, scopes: frozenset[str]) -> None:
    """Scopes must be allowed for both clients; offline_access only ever for another client."""
    if actor.client_id == subject.client_id and OFFLINE_ACCESS in scopes:
        raise OAuthError(EXCHANGE_DENIED, "Token exchange not allowed: same client and offline_access requested")
    for client_id, allowed in ((subject.client_id, subject.client_scopes), (actor.client_id, actor.scopes)):
        if excess := scopes - allowed:
            name = " ".join(sorted(excess))
            raise OAuthError(INVALID_SCOPE, f"Scope not allowed by client '{client_id}' configuration: {name}")
