"""The pages of the authorization code flow: /login and /authorize."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import Response

from iam_loadtest.embedded.code_grant import new_code
from iam_loadtest.embedded.context import Iam
from iam_loadtest.embedded.entity import Client
from iam_loadtest.embedded.grants import password_matches
from iam_loadtest.embedded.issue import allowed_scopes
from iam_loadtest.embedded.problem import INVALID_REQUEST, OAuthError
from iam_loadtest.embedded.query import load_account, load_client
from iam_loadtest.embedded.seed import CODE_GRANT
from iam_loadtest.embedded.store import Transaction
from iam_loadtest.embedded.tokens import now_s
from iam_loadtest.embedded.web import (
    WebSession,
    check_csrf,
    load_session,
    page,
    redirect,
    save_new_session,
    with_cookie,
)
from iam_loadtest.embedded.wire import read_form

_CHALLENGE_LENGTHS = range(43, 129)


async def login_page(iam: Iam, request: Request) -> Response:
    """GET /login: the form; a browser without a session gets one, which is a row in the database or a key in Redis."""
    session = await load_session(iam, request) or await save_new_session(iam, {})
    failed = "error" in request.query_params
    return with_cookie(iam, page("login", {"csrf": session.csrf, "failed": failed}), session)


async def login(iam: Iam, request: Request) -> Response:
    """POST /login: back to where the browser was going, or to the form again."""
    fields, _ = await read_form(request.receive)
    session = check_csrf(await load_session(iam, request), fields.get("_csrf", ""))
    username = fields.get("username", "")
    account = await iam.store.read(lambda: load_account(username))
    if account is None or not password_matches(account, fields.get("password", "")):
        return redirect("/login?error=failure")
    await iam.sessions.delete(session.id)
    after = await save_new_session(iam, {"username": account.username, "auth_time": now_s()})
    return with_cookie(iam, redirect(session.data.get("next", "/")), after)


async def ask_login(iam: Iam, session: WebSession | None, target: str) -> Response:
    """To the login page, and from there to the target, a path of our own."""
    if session is None:
        session = await save_new_session(iam, {"next": target})
    else:
        session.data["next"] = target
        await iam.sessions.save(session.id, session.data)
    return with_cookie(iam, redirect("/login"), session)


@dataclass(frozen=True, slots=True)
class _Asked:
    """An authorization request whose client and redirect URI are known to be good."""

    client: Client
    redirect_uri: str
    parameters: Mapping[str, str] = field(repr=False)

    def back(self, **answer: str) -> Response:
        """To the client, with the answer and its state."""
        if "state" in self.parameters:
            answer["state"] = self.parameters["state"]
        parts = urlsplit(self.redirect_uri)
        query = "&".join(part for part in (parts.query, urlencode(answer)) if part)
        return redirect(urlunsplit(parts._replace(query=query)))


async def authorize(iam: Iam, request: Request) -> Response:
    """GET /authorize: a code at once where the user has agreed before, else login and consent."""
    parameters = dict(request.query_params)
    asked = await _asked(iam, parameters)
    try:
        scopes = _checked(asked)
    except OAuthError as error:
        return asked.back(error=error.wire("rfc").error, error_description=error.description)
    session = await load_session(iam, request)
    if session is None or session.username is None:
        if parameters.get("prompt") == "none":
            return asked.back(error="login_required")
        return await ask_login(iam, session, f"/authorize?{urlencode(parameters)}")
    if await _agreed_before(iam, session.username, asked.client, scopes):
        return asked.back(code=await new_code(iam, asked.client, session.username, scopes, parameters))
    return await _ask_consent(iam, session, asked, scopes)


async def consent(iam: Iam, request: Request) -> Response:
    """POST /authorize: the user's answer to the consent page."""
    fields, _ = await read_form(request.receive)
    session = check_csrf(await load_session(iam, request), fields.get("_csrf", ""))
    parameters = session.data.get("asked")
    if session.username is None or parameters is None:
        raise OAuthError(INVALID_REQUEST, "No authorization request is waiting for an answer")
    asked = await _asked(iam, parameters)
    scopes = _checked(asked)
    if fields.get("user_oauth_approval") != "true":
        return asked.back(error="access_denied", error_description="User denied access")
    if fields.get("remember") == "until-revoked":
        await iam.store.write(lambda: _remember(session.username or "", asked.client, scopes))
    return asked.back(code=await new_code(iam, asked.client, session.username, scopes, parameters))


async def _asked(iam: Iam, parameters: Mapping[str, str]) -> _Asked:
    """Where client or redirect URI are wrong the browser must not be sent there: RFC 6749 section 4.1.2.1."""
    client = await iam.store.read(lambda: load_client(parameters.get("client_id", "")))
    if client is None or not client.active:
        raise OAuthError(INVALID_REQUEST, "Unknown client")
    uri = parameters.get("redirect_uri") or next(iter(client.redirect_uris), "")
    if uri not in client.redirect_uris or CODE_GRANT not in client.grant_types:
        raise OAuthError(INVALID_REQUEST, "The client is not registered for this redirect URI")
    return _Asked(client, uri, parameters)


def _checked(asked: _Asked) -> frozenset[str]:
    """The scopes of a request that can be granted; OAuthError otherwise."""
    given = asked.parameters
    if given.get("response_type") != "code":
        raise OAuthError(INVALID_REQUEST, "response_type must be code")
    challenge, method = given.get("code_challenge", ""), given.get("code_challenge_method", "plain")
    if asked.client.require_pkce and not challenge:
        raise OAuthError(INVALID_REQUEST, "code_challenge is needed for a public client")
    if challenge and (len(challenge) not in _CHALLENGE_LENGTHS or method not in {"plain", "S256"}):
        raise OAuthError(INVALID_REQUEST, "code_challenge must have 43 to 128 characters, its method be S256 or plain")
    return allowed_scopes(asked.client, given.get("scope", ""))


async def _ask_consent(iam: Iam, session: WebSession, asked: _Asked, scopes: frozenset[str]) -> Response:
    session.data["asked"] = dict(asked.parameters)
    await iam.sessions.save(session.id, session.data)
    values = {
        "csrf": session.csrf,
        "client": asked.client.name,
        "username": session.username,
        "scopes": sorted(scopes),
        "action": "/authorize",
    }
    return page("consent", values)


async def _agreed_before(iam: Iam, username: str, client: Client, scopes: frozenset[str]) -> bool:
    def read() -> Transaction[frozenset[str]]:
        found = yield (
            "SELECT scope FROM approved_site WHERE username = ? AND client_id = ?",
            (username, client.client_id),
        )
        return frozenset(row[0] for row in found.rows)

    return scopes <= await iam.store.read(read)


def _remember(username: str, client: Client, scopes: frozenset[str]) -> Transaction[None]:
    for scope in sorted(scopes):
        yield (
            "REPLACE INTO approved_site (username, client_id, scope) VALUES (?, ?, ?)",
            (username, client.client_id, scope),
        )
