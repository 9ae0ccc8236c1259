"""Steps that a user's browser takes: the login page, the login, and the consent where it is asked for.

Each chain is a new visit with cookies of its own, so each chain makes a web session at the IAM. PKCE is always used
(RFC 7636, S256).
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from iam_loadtest.flow.answer import CONSENT, Answer
from iam_loadtest.flow.chain import ChainStep, Held, Login, UserLogin
from iam_loadtest.flow.cookie_jar import CookieJar
from iam_loadtest.flow.message import Request, Visit
from iam_loadtest.flow.page import Code, Filled
from iam_loadtest.oidc.client_auth import ClientCredentials
from iam_loadtest.oidc.request_kind import RequestKind
from iam_loadtest.scenario.step import Step

_PAGE_HEADERS: Final[Mapping[str, str]] = {"Accept": "text/html"}
_FORM_HEADERS: Final[Mapping[str, str]] = {
    "Accept": "text/html",
    "Content-Type": "application/x-www-form-urlencoded",
}


@dataclass(frozen=True)
class LoginPageStep(ChainStep):
    """From the authorization endpoint to the login page (RFC 6749 section 4.1.1)."""

    url: str
    redirect_uri: str
    constant_query: str = field(repr=False)

    def request(self, held: Held, user: UserLogin) -> Request:  # noqa: ARG002  nobody has logged in yet
        """GET of the authorization endpoint by a browser without cookies."""
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        held.login = Login(Visit(CookieJar(), self.redirect_uri, state), verifier)
        query = urlencode({"state": state, "code_challenge": _challenge(verifier), "code_challenge_method": "S256"})
        join = "&" if "?" in self.url else "?"
        url = f"{self.url}{join}{self.constant_query}&{query}"
        return Request(self.label, url, _PAGE_HEADERS, b"", "GET", self.kind, held.login.visit)

    def take(self, held: Held, answer: Answer) -> None:
        """Keep the form."""
        if isinstance(answer, Filled) and held.login is not None:
            held.login = held.login._replace(form=answer)


@dataclass(frozen=True)
class LoginStep(ChainStep):
    """From the filled-in login page to the code; a consent page on the way is answered with yes, as a request more."""

    def request(self, held: Held, user: UserLogin) -> Request:
        """POST of the form."""
        login = _begun(held)
        body = _form(login).body(user.username, user.password)
        return Request(self.label, _form(login).url, _FORM_HEADERS, body, "POST", self.kind, login.visit)

    def take(self, held: Held, answer: Answer) -> None:
        """Keep the code, or the consent form that comes before it."""
        login = _begun(held)
        if isinstance(answer, Code):
            held.login = login._replace(form=None, code=answer.code)
        elif isinstance(answer, Filled):
            held.login = login._replace(form=answer)

    def follow_up(self, held: Held, user: UserLogin) -> Request | None:  # noqa: ARG002  who is logged in by now
        """The consent, where the IAM asks for it; its row is called consent."""
        login = _begun(held)
        if login.form is None:
            return None
        return Request(CONSENT, login.form.url, _FORM_HEADERS, login.form.body(), "POST", CONSENT, login.visit)


def login_page_step(name: str, step: Step, client: ClientCredentials, url: str) -> LoginPageStep:
    """The step with what is the same in each of its requests encoded."""
    fields = {"response_type": "code", "client_id": client.client_id, "redirect_uri": step.redirect_uri or ""}
    scope = {"scope": step.scope} if step.scope else {}
    return LoginPageStep(
        name=name,
        label=step.label or name,
        kind=RequestKind.LOGIN_PAGE.value,
        url=url,
        redirect_uri=step.redirect_uri or "",
        constant_query=urlencode({**fields, **scope, **step.extra}),
    )


def _challenge(verifier: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _begun(held: Held) -> Login:
    if held.login is None:  # pragma: no cover  a scenario has login_page before login
        raise RuntimeError("no login page came before")
    return held.login


def _form(login: Login) -> Filled:
    if login.form is None:  # pragma: no cover  a scenario has login_page before each login
        raise RuntimeError("the form was used up")
    return login.form
