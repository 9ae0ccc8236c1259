"""What the browser pages share: the session cookie, the CSRF token, the templates."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from iam_loadtest.embedded.context import Iam
from iam_loadtest.embedded.problem import FORBIDDEN, OAuthError
from iam_loadtest.embedded.sessions import SessionData
from iam_loadtest.embedded.tokens import opaque_token

COOKIE: Final = "SESSION"
_HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}


@dataclass(slots=True)
class WebSession:
    """A browser's session: ``username`` is there once it has logged in, ``next`` is where it was going."""

    id: str = field(repr=False)
    data: SessionData = field(repr=False)

    @property
    def username(self) -> str | None:
        return self.data.get("username")

    @property
    def csrf(self) -> str:
        return str(self.data["csrf"])


async def load_session(iam: Iam, request: Request) -> WebSession | None:
    """The session of the request's cookie, if it is known and not expired."""
    session_id = request.cookies.get(COOKIE, "")
    data = await iam.sessions.load(session_id) if session_id else None
    return WebSession(session_id, data) if data is not None else None


async def save_new_session(iam: Iam, data: SessionData) -> WebSession:
    """A session under a new id: after login the id from before is worth nothing (session fixation)."""
    session = WebSession(opaque_token(), {**data, "csrf": secrets.token_urlsafe(16)})
    await iam.sessions.save(session.id, session.data)
    return session


def check_csrf(session: WebSession | None, offered: str) -> WebSession:
    """The session, if the form came from one of its pages; OAuthError otherwise."""
    if session is None or not hmac.compare_digest(session.csrf.encode(), offered.encode()):
        raise OAuthError(FORBIDDEN, "The form is not from this session")
    return session


def with_cookie(iam: Iam, response: Response, session: WebSession) -> Response:
    """The response, setting the session's cookie."""
    secure = iam.issuer.startswith("https:")
    response.set_cookie(COOKIE, session.id, path="/", httponly=True, samesite="lax", secure=secure)
    return response


def page(name: str, values: Mapping[str, Any], status: int = 200) -> Response:
    """A rendered page, its values escaped."""
    return HTMLResponse(_templates().get_template(f"{name}.html").render(values), status, _HEADERS)


def redirect(url: str) -> Response:
    """302, as upstream's."""
    return RedirectResponse(url, 302, {"cache-control": "no-store"})


@cache
def _templates() -> Environment:
    return Environment(loader=PackageLoader("iam_loadtest.embedded", "pages"), autoescape=select_autoescape())
