"""What is said about tokens after they were issued: /introspect, /revoke and /userinfo."""

from __future__ import annotations

from typing import Any

from iam_loadtest.embedded.change import clear_access_tokens, delete_access_token, delete_refresh_token
from iam_loadtest.embedded.context import ClientRequest, Iam, authenticated_client
from iam_loadtest.embedded.entity import Account, Client, token_hash
from iam_loadtest.embedded.issue import user_claims
from iam_loadtest.embedded.problem import (
    CLIENT_BASIC,
    CLIENT_OTHER,
    FORBIDDEN,
    INSUFFICIENT_SCOPE,
    OAuthError,
    unknown_bearer_token,
)
from iam_loadtest.embedded.query import (
    find_access_token,
    find_refresh_token,
    is_revoked,
    load_account_by_uuid,
    load_client,
)
from iam_loadtest.embedded.store import Transaction
from iam_loadtest.embedded.tokens import claims_of_stored, now_s

INACTIVE: dict[str, Any] = {"active": False}


async def introspect(iam: Iam, request: ClientRequest) -> dict[str, Any]:
    """RFC 7662; a token we do not know, or a client that may not ask, gets "not active", never an error."""
    if request.credentials.method != "basic":
        raise OAuthError(CLIENT_BASIC, "Full authentication is required to access this resource")

    def read() -> Transaction[dict[str, Any]]:
        asking = yield from authenticated_client(iam, request, None)
        value = request.form.get("token", "")
        if not asking.allow_introspection or not value:
            return INACTIVE
        return (yield from (_about_access(iam, value) if value.count(".") == 2 else _about_refresh(value)))

    return await iam.store.read(read)


async def revoke(iam: Iam, request: ClientRequest) -> None:
    """RFC 7009: an unknown token is no error; somebody else's token is refused."""

    def read() -> Transaction[Client]:
        return (yield from authenticated_client(iam, request, None))

    client = await iam.store.read(read)
    value = request.need("token")
    revoke_one = _revoke_access if value.count(".") == 2 else _revoke_refresh
    await iam.store.write(lambda: revoke_one(iam, client, value))


async def userinfo(iam: Iam, value: str) -> dict[str, Any]:
    """The user of an access token whose scope holds openid."""
    claims = await iam.store.read(lambda: _live_claims(iam, value))
    if claims is None:
        raise unknown_bearer_token(value)
    scopes = frozenset(str(claims.get("scope", "")).split())
    if "openid" not in scopes:
        raise OAuthError(INSUFFICIENT_SCOPE, "Insufficient scope for this resource: openid is needed")
    account = await iam.store.read(lambda: load_account_by_uuid(claims["sub"]))
    if account is None:
        raise OAuthError(FORBIDDEN, "The token is not about a user")
    return user_claims(account, scopes)


def _live_claims(iam: Iam, value: str) -> Transaction[dict[str, Any] | None]:
    """The claims of an access token that is neither expired nor revoked."""
    if not iam.settings.store_access_tokens:
        claims = iam.signer.claims(value)
        if claims is None or claims["exp"] < now_s() or (yield from is_revoked(value)):
            return None
        return claims
    token = yield from find_access_token(value)
    if token is None or token.expiration < now_s():
        return None
    return claims_of_stored(value)


def _about_access(iam: Iam, value: str) -> Transaction[dict[str, Any]]:
    claims = yield from _live_claims(iam, value)
    if claims is None:
        return INACTIVE
    about = {"active": True, "token_type": "Bearer", **claims}
    client = yield from load_client(str(claims["client_id"]))
    if client is not None:
        about["client_name"] = client.name
    account = yield from load_account_by_uuid(claims["sub"])
    if account is not None:
        scopes = frozenset(str(claims.get("scope", "")).split())
        about |= _about_user(account, scopes)
    return about


def _about_user(account: Account, scopes: frozenset[str]) -> dict[str, Any]:
    return {"username": account.username, "user_id": account.username, **user_claims(account, scopes)}


def _about_refresh(value: str) -> Transaction[dict[str, Any]]:
    token = yield from find_refresh_token(value)
    if token is None or (token.expiration is not None and token.expiration < now_s()):
        return INACTIVE
    account = token.holder.account
    return {
        "active": True,
        "token_type": "refresh_token",
        "client_id": token.client_id,
        "exp": token.expiration,
        "scope": " ".join(sorted(token.holder.scopes)),
        "sub": account.uuid if account else token.client_id,
    }


def _revoke_access(iam: Iam, client: Client, value: str) -> Transaction[None]:
    if not iam.settings.store_access_tokens:
        yield from _note_revoked(iam, client, value)
        return
    token = yield from find_access_token(value)
    if token is not None:
        _must_own(client, token.client_id)
        yield from delete_access_token(token.id)


def _note_revoked(iam: Iam, client: Client, value: str) -> Transaction[None]:
    claims = iam.signer.claims(value)
    if claims is None or (yield from is_revoked(value)):
        return
    _must_own(client, str(claims.get("client_id", "")))
    yield (
        "INSERT INTO revoked_access_token (token_value_hash, expiration) VALUES (?, ?)",
        (token_hash(value), claims["exp"]),
    )


def _revoke_refresh(iam: Iam, client: Client, value: str) -> Transaction[None]:  # noqa: ARG001 - as its sibling
    token = yield from find_refresh_token(value)
    if token is not None:
        _must_own(client, token.client_id)
        yield from clear_access_tokens(token.id)
        yield from delete_refresh_token(token.id)


def _must_own(client: Client, owner: str) -> None:
    if client.client_id != owner:
        raise OAuthError(CLIENT_OTHER, "Client does not own the presented token")
