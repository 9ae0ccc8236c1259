"""Issuing: from "this client may have these scopes for this user" to rows in one transaction and a token response."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from iam_loadtest.embedded.change import (
    NewAccessToken,
    NewHolder,
    NewRefreshToken,
    insert_access_token,
    insert_holder,
    insert_refresh_token,
    mark_client_used,
)
from iam_loadtest.embedded.context import Iam, TokenAnswer
from iam_loadtest.embedded.entity import OFFLINE_ACCESS, Account, Client, hides
from iam_loadtest.embedded.problem import INVALID_SCOPE, OAuthError
from iam_loadtest.embedded.store import Transaction
from iam_loadtest.embedded.tokens import AccessTokenClaims, access_token, id_token, now_s, opaque_token


def nothing() -> Transaction[None]:
    """A transaction that does nothing."""
    return
    yield  # what makes this a generator


@hides("parameters")
class Grant(NamedTuple):
    """What is to be issued. ``consume`` runs first in the same transaction: it uses up a code and may refuse."""

    client: Client
    scopes: frozenset[str]
    account: Account | None
    parameters: Mapping[str, str]
    audience: tuple[str, ...] = ()
    subject: str | None = None
    act: Mapping[str, Any] | None = None
    may_refresh: bool = True
    consume: Callable[[], Transaction[None]] = nothing
    redirect_uri: str | None = None

    @property
    def with_refresh(self) -> bool:
        return self.may_refresh and OFFLINE_ACCESS in self.scopes and self.client.allows_refresh

    def claims(self) -> AccessTokenClaims:
        """The subject is the user, else whom an exchanged token was about, else the client itself."""
        subject = self.account.uuid if self.account else self.subject or self.client.client_id
        return AccessTokenClaims(subject, self.client.client_id, self.scopes, self.audience, self.act)


@hides("access", "id")
class Signed(NamedTuple):
    """Tokens that are signed but not stored yet."""

    access: str
    id: str | None
    now: int


async def issue(iam: Iam, grant: Grant) -> TokenAnswer:
    """Sign, store everything in one transaction, answer."""
    signed = sign(iam, grant.client, grant.claims(), grant.account, grant.parameters)
    refresh_value = opaque_token() if grant.with_refresh else None

    def store() -> Transaction[None]:
        yield from grant.consume()
        yield from _insert_tokens(iam, grant, signed, refresh_value)
        yield from mark_client_used(grant.client, today(signed.now))

    stored = iam.settings.store_access_tokens or refresh_value or grant.consume is not nothing
    if stored or grant.client.last_used < today(signed.now):
        await iam.store.write(store)
    return answer(iam, signed, grant.scopes, refresh_value)


def sign(
    iam: Iam, client: Client, claims: AccessTokenClaims, account: Account | None, request: Mapping[str, str]
) -> Signed:
    """An access token, and an ID token where there is a user and the scope holds openid."""
    now = now_s()
    token = access_token(iam.signer, claims, now, iam.settings.access_token_lifetime_s)
    if account is None or "openid" not in claims.scopes:
        return Signed(token, None, now)
    about = user_claims(account, claims.scopes) | {"at_hash": _at_hash(token)}
    about |= {name: request[name] for name in ("nonce",) if request.get(name)}
    return Signed(token, id_token(iam.signer, about, client.client_id, now), now)


def answer(iam: Iam, signed: Signed, scopes: frozenset[str], refresh_value: str | None) -> TokenAnswer:
    """The token response, RFC 6749 section 5.1."""
    response: TokenAnswer = {
        "access_token": signed.access,
        "token_type": "Bearer",
        "expires_in": iam.settings.access_token_lifetime_s,
        "scope": " ".join(sorted(scopes)),
    }
    if refresh_value is not None:
        response["refresh_token"] = refresh_value
    if signed.id is not None:
        response["id_token"] = signed.id
    return response


def allowed_scopes(client: Client, wanted: str) -> frozenset[str]:
    """The scopes asked for, or all of the client's where none are; OAuthError for one it may not have."""
    asked = frozenset(wanted.split())
    excess = asked - client.scopes
    if excess:
        raise OAuthError(
            INVALID_SCOPE, f"Scope not allowed for client '{client.client_id}': {' '.join(sorted(excess))}"
        )
    return asked or client.scopes


def user_claims(account: Account, scopes: frozenset[str]) -> dict[str, Any]:
    """What a client may know about a user, OpenID Connect Core section 5.4."""
    claims: dict[str, Any] = {"sub": account.uuid}
    if "profile" in scopes:
        claims |= {
            "name": account.name,
            "preferred_username": account.username,
            "given_name": account.given_name,
            "family_name": account.family_name,
        }
    if "email" in scopes:
        claims |= {"email": account.email, "email_verified": True}
    return claims


def new_access_token(iam: Iam, client: Client, signed: Signed, scopes: frozenset[str]) -> NewAccessToken:
    """The row of a signed access token."""
    return NewAccessToken(signed.access, signed.now + iam.settings.access_token_lifetime_s, client.id, scopes)


def new_refresh_token(iam: Iam, client: Client, value: str, now: int) -> NewRefreshToken:
    """The row of a refresh token."""
    return NewRefreshToken(value, now + iam.settings.refresh_token_lifetime_s, client.id)


def today(now: int) -> str:
    """The UTC date, as the day of a client's last use is kept."""
    return _date_of_day(now // 86400)


@lru_cache(maxsize=2)
def _date_of_day(days: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=days)).isoformat()


def _insert_tokens(iam: Iam, grant: Grant, signed: Signed, refresh_value: str | None) -> Transaction[None]:
    if not iam.settings.store_access_tokens and refresh_value is None:
        return
    username = grant.account.username if grant.account else None
    holder_id = yield from insert_holder(
        NewHolder(grant.client.client_id, username, grant.scopes, grant.parameters, grant.redirect_uri)
    )
    refresh_id = None
    if refresh_value is not None:
        row = new_refresh_token(iam, grant.client, refresh_value, signed.now)
        refresh_id = yield from insert_refresh_token(row, holder_id)
    if iam.settings.store_access_tokens:
        row_of_access = new_access_token(iam, grant.client, signed, grant.scopes)
        yield from insert_access_token(row_of_access, holder_id, refresh_id)


def _at_hash(token: str) -> str:
    """OpenID Connect Core section 3.1.3.6."""
    return urlsafe_b64encode(hashlib.sha256(token.encode()).digest()[:16]).rstrip(b"=").decode()
