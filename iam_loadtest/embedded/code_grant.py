"""Authorization codes: made when a user consents, used up by the token endpoint, RFC 6749 section 4.1 and RFC 7636."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from iam_loadtest.embedded.change import NewHolder, insert_holder
from iam_loadtest.embedded.context import ClientRequest, Iam, TokenAnswer, authenticated_client
from iam_loadtest.embedded.entity import Account, Client, Holder, token_hash
from iam_loadtest.embedded.issue import Grant, issue
from iam_loadtest.embedded.problem import INVALID_GRANT, OAuthError
from iam_loadtest.embedded.query import load_holder
from iam_loadtest.embedded.seed import CODE_GRANT
from iam_loadtest.embedded.store import Transaction
from iam_loadtest.embedded.tokens import now_s, opaque_token

_CODE = "SELECT id, auth_holder_id, expiration FROM authorization_code WHERE code_hash = ?"


async def new_code(iam: Iam, client: Client, username: str, scopes: frozenset[str], request: Mapping[str, str]) -> str:
    """Store what the user has agreed to; gives the code for the client."""
    code, expiration = opaque_token(), now_s() + iam.settings.code_lifetime_s

    def store() -> Transaction[None]:
        holder = NewHolder(client.client_id, username, scopes, request, request.get("redirect_uri"))
        holder_id = yield from insert_holder(holder)
        yield (
            "INSERT INTO authorization_code (code_hash, expiration, auth_holder_id) VALUES (?, ?, ?)",
            (token_hash(code), expiration, holder_id),
        )

    await iam.store.write(store)
    return code


@dataclass(frozen=True, slots=True)
class _Agreed:
    """What a code stands for."""

    client: Client
    code_id: int
    holder: Holder
    account: Account


async def authorization_code(iam: Iam, request: ClientRequest) -> TokenAnswer:
    """Tokens for a code, once."""
    agreed = await iam.store.read(lambda: _read_code(iam, request))
    holder = agreed.holder
    _check_redirect(holder, request.form.get("redirect_uri"))
    _check_verifier(holder.parameters, request.form.get("code_verifier", ""))
    parameters = {**holder.parameters, "grant_type": CODE_GRANT}
    audience = request.audience or tuple(holder.parameters.get("audience", "").split())
    grant = Grant(
        agreed.client,
        holder.scopes,
        agreed.account,
        parameters,
        audience,
        consume=lambda: use_up("authorization_code", agreed.code_id),
        redirect_uri=holder.redirect_uri,
    )
    return await issue(iam, grant)


def use_up(table: str, row_id: int) -> Transaction[None]:
    """Delete a code; of several requests with one code exactly one comes through.

    Its holder stays, as upstream's does until a clean-up job comes. Deleting it as well would have MariaDB look for
    tokens that refer to it, and lock the gap where the tokens of every concurrent request are to be inserted: most
    logins would end in a deadlock, on a single server, too.
    """
    deleted = yield f"DELETE FROM {table} WHERE id = ?", (row_id,)  # noqa: S608 - one of our tables
    if deleted.affected != 1:
        raise OAuthError(INVALID_GRANT, "The code was used before")


def _read_code(iam: Iam, request: ClientRequest) -> Transaction[_Agreed]:
    client = yield from authenticated_client(iam, request, CODE_GRANT)
    found = yield _CODE, (token_hash(request.need("code")),)
    if not found.rows or found.rows[0][2] < now_s():
        raise OAuthError(INVALID_GRANT, "No such authorization code")
    holder = yield from load_holder(found.rows[0][1])
    if holder.client_id != client.client_id:
        raise OAuthError(INVALID_GRANT, "The code was issued to another client")
    if holder.account is None:
        raise OAuthError(INVALID_GRANT, "The user of this code is not there")
    return _Agreed(client, found.rows[0][0], holder, holder.account)


def _check_redirect(holder: Holder, offered: str | None) -> None:
    if offered != holder.redirect_uri:
        raise OAuthError(INVALID_GRANT, "Redirect URI mismatch.")


def _check_verifier(parameters: Mapping[str, str], verifier: str) -> None:
    challenge = parameters.get("code_challenge")
    if challenge is None:
        return
    if parameters.get("code_challenge_method", "plain") == "S256":
        verifier = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    if not hmac.compare_digest(challenge.encode(), verifier.encode()):
        raise OAuthError(INVALID_GRANT, "Code challenge and verifier do not match")
