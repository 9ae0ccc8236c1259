"""The device flow, RFC 8628: /devicecode for the device, /device for its user, and the grant."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from iam_loadtest.embedded.browser import ask_login
from iam_loadtest.embedded.change import NewHolder, insert_holder
from iam_loadtest.embedded.code_grant import use_up
from iam_loadtest.embedded.context import ClientRequest, Iam, TokenAnswer, authenticated_client
from iam_loadtest.embedded.entity import Account, Client, Holder, token_hash
from iam_loadtest.embedded.issue import Grant, allowed_scopes, issue
from iam_loadtest.embedded.problem import DENIED, EXPIRED, INVALID_GRANT, PENDING, OAuthError
from iam_loadtest.embedded.query import load_holder
from iam_loadtest.embedded.seed import DEVICE_GRANT
from iam_loadtest.embedded.store import Transaction
from iam_loadtest.embedded.tokens import now_s, opaque_token
from iam_loadtest.embedded.web import WebSession, check_csrf, load_session, page
from iam_loadtest.embedded.wire import read_form

_ALPHABET: Final = "BCDFGHJKLMNPQRSTVWXZ"
_INTERVAL_S: Final = 1
_UNKNOWN: Final = "No such code, or it has expired."


async def device_authorization(iam: Iam, request: ClientRequest) -> dict[str, Any]:
    """POST /devicecode: a code for the device and one for its user."""

    def read() -> Transaction[Client]:
        return (yield from authenticated_client(iam, request, DEVICE_GRANT))

    client = await iam.store.read(read)
    scopes = allowed_scopes(client, request.form.get("scope", ""))
    device_code, user_code = opaque_token(), "".join(secrets.choice(_ALPHABET) for _ in range(8))
    expiration = now_s() + iam.settings.code_lifetime_s
    await iam.store.write(lambda: _insert(client, scopes, token_hash(device_code), user_code, expiration))
    return {
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": iam.url("device"),
        "verification_uri_complete": iam.url("device?" + urlencode({"user_code": user_code})),
        "expires_in": iam.settings.code_lifetime_s,
        "interval": _INTERVAL_S,
    }


async def device_page(iam: Iam, request: Request) -> Response:
    """GET /device: asks for the user's code, after login."""
    session = await load_session(iam, request)
    if session is None or session.username is None:
        query = f"?{request.url.query}" if request.url.query else ""
        return await ask_login(iam, session, f"/device{query}")
    return _code_page(session, request.query_params.get("user_code", ""))


async def device_verify(iam: Iam, request: Request) -> Response:
    """POST /device/verify: shows what the device asks for."""
    fields, _ = await read_form(request.receive)
    session = check_csrf(await load_session(iam, request), fields.get("_csrf", ""))
    waiting = await iam.store.read(lambda: _waiting(fields.get("user_code", "")))
    if waiting is None or session.username is None:
        return _code_page(session, "", _UNKNOWN)
    values = {
        "csrf": session.csrf,
        "client": waiting.client_id,
        "username": session.username,
        "scopes": sorted(waiting.scopes),
        "action": "/device/approve",
        "user_code": waiting.user_code,
    }
    return page("consent", values)


async def device_approve(iam: Iam, request: Request) -> Response:
    """POST /device/approve: the user's answer, for which the device is polling."""
    fields, _ = await read_form(request.receive)
    session = check_csrf(await load_session(iam, request), fields.get("_csrf", ""))
    waiting = await iam.store.read(lambda: _waiting(fields.get("user_code", "")))
    username = session.username
    if waiting is None or username is None:
        return _code_page(session, "", _UNKNOWN)
    approved = fields.get("user_oauth_approval") == "true"
    await iam.store.write(lambda: _approve(waiting, username) if approved else _deny(waiting))
    text = "The device has been authorized." if approved else "The device has been refused."
    return page("message", {"title": "Device", "text": text})


async def device_code(iam: Iam, request: ClientRequest) -> TokenAnswer:
    """The device's poll: tokens once the user has agreed, errors of RFC 8628 section 3.5 until then."""
    client, code_id, holder, account = await iam.store.read(lambda: _read_approved(iam, request))
    parameters = {**holder.parameters, "grant_type": DEVICE_GRANT}
    grant = Grant(
        client,
        holder.scopes,
        account,
        parameters,
        request.audience,
        consume=lambda: use_up("device_code", code_id),
    )
    return await issue(iam, grant)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A device that waits for its user."""

    id: int
    user_code: str
    client_id: str
    scopes: frozenset[str]


def _code_page(session: WebSession, user_code: str, problem: str = "") -> Response:
    return page("device", {"csrf": session.csrf, "user_code": user_code, "problem": problem})


def _insert(
    client: Client, scopes: frozenset[str], code_hash: str, user_code: str, expiration: int
) -> Transaction[None]:
    inserted = yield (
        "INSERT INTO device_code (device_code_hash, user_code, expiration, client_id, status)"
        " VALUES (?, ?, ?, ?, 'pending')",
        (code_hash, user_code, expiration, client.client_id),
    )
    for scope in sorted(scopes):
        yield "INSERT INTO device_code_scope (owner_id, scope) VALUES (?, ?)", (inserted.last_id, scope)


def _waiting(user_code: str) -> Transaction[_Waiting | None]:
    found = yield (
        "SELECT id, user_code, client_id FROM device_code"
        " WHERE user_code = ? AND status = 'pending' AND expiration >= ?",
        (user_code.strip().upper(), now_s()),
    )
    if not found.rows:
        return None
    scopes = yield "SELECT scope FROM device_code_scope WHERE owner_id = ?", (found.rows[0][0],)
    row_id, code, client_id = found.rows[0]
    return _Waiting(row_id, code, client_id, frozenset(row[0] for row in scopes.rows))


def _approve(waiting: _Waiting, username: str) -> Transaction[None]:
    holder_id = yield from insert_holder(NewHolder(waiting.client_id, username, waiting.scopes, {}))
    yield (
        "UPDATE device_code SET status = 'approved', auth_holder_id = ? WHERE id = ? AND status = 'pending'",
        (holder_id, waiting.id),
    )


def _deny(waiting: _Waiting) -> Transaction[None]:
    yield "UPDATE device_code SET status = 'denied' WHERE id = ? AND status = 'pending'", (waiting.id,)


def _read_approved(iam: Iam, request: ClientRequest) -> Transaction[tuple[Client, int, Holder, Account]]:
    client = yield from authenticated_client(iam, request, DEVICE_GRANT)
    found = yield (
        "SELECT id, expiration, client_id, status, auth_holder_id FROM device_code WHERE device_code_hash = ?",
        (token_hash(request.need("device_code")),),
    )
    if not found.rows or found.rows[0][2] != client.client_id:
        raise OAuthError(INVALID_GRANT, "Invalid device code")
    code_id, expiration, _, status, holder_id = found.rows[0]
    if expiration < now_s():
        raise OAuthError(EXPIRED, "The device code has expired")
    if status == "pending":
        raise OAuthError(PENDING, "Authorization pending for this device code")
    if status == "denied":
        raise OAuthError(DENIED, "The user has refused")
    holder = yield from load_holder(holder_id)
    if holder.account is None:
        raise OAuthError(INVALID_GRANT, "The user of this code is not there")
    return client, code_id, holder, holder.account
