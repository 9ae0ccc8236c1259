"""The device flow with a scripted approval (RFC 8628): ask for a code, approve it as the user would, redeem it.

The device asks for its tokens once, after the approval was acknowledged: an answer that it is pending still comes from
a node that has not seen it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from iam_loadtest.flow.answer import APPROVE_LOGIN, Answer, Device
from iam_loadtest.flow.chain import ChainStep, Held, Login, UserLogin
from iam_loadtest.flow.client_form import ClientFormStep
from iam_loadtest.flow.cookie_jar import CookieJar
from iam_loadtest.flow.message import Request, Visit
from iam_loadtest.flow.page import Filled

MAX_PAGES: Final = 6
"""The code, the login, the consent, and some more: an approval that takes longer is none."""
_PAGE_HEADERS: Final[Mapping[str, str]] = {"Accept": "text/html"}
_FORM_HEADERS: Final[Mapping[str, str]] = {
    "Accept": "text/html",
    "Content-Type": "application/x-www-form-urlencoded",
}


@dataclass(frozen=True, kw_only=True)
class DeviceStep(ClientFormStep):
    """The device authorization request (section 3.1)."""

    def request(self, held: Held, user: UserLogin) -> Request:  # noqa: ARG002  nobody has approved yet
        """The form of the client."""
        return self.post(self.form.body, self.kind)

    def take(self, held: Held, answer: Answer) -> None:
        """Keep the codes."""
        if isinstance(answer, Device):
            held.device = answer


@dataclass(frozen=True)
class ApproveStep(ChainStep):
    """The user's part: open the page, log in, enter the code, say yes. Each page is a request and a row of the step."""

    def request(self, held: Held, user: UserLogin) -> Request:  # noqa: ARG002  the page asks who it is
        """GET of the page by a browser without cookies."""
        visit = Visit(CookieJar())
        held.login = Login(visit, "")
        return Request(self.label, _device(held).url, _PAGE_HEADERS, b"", "GET", self.kind, visit)

    def take(self, held: Held, answer: Answer) -> None:
        """Keep the form that is next, if there is one."""
        login = held.login
        if login is not None:
            held.login = login._replace(form=answer if isinstance(answer, Filled) else None, pages=login.pages + 1)

    def follow_up(self, held: Held, user: UserLogin) -> Request | None:
        """The next form, filled in; None after the page that has none."""
        login = held.login
        if login is None or login.form is None or login.pages > MAX_PAGES:
            return None
        form = login.form.with_code(_device(held).user_code)
        kind = APPROVE_LOGIN if form.password_field else self.kind
        body = form.body(user.username, user.password)
        return Request(self.label, form.url, _FORM_HEADERS, body, "POST", kind, login.visit)


def _device(held: Held) -> Device:
    if held.device is None:  # pragma: no cover  a scenario has device before approve
        raise RuntimeError("no device code came before")
    return held.device
