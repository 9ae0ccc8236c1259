"""Pages of a login: which form to fill in, and with what.

INDIGO IAM has a form with action ``/login``, Keycloak one with id ``kc-form-login``; elsewhere it is the first form
with a password. Hidden fields are sent back as they came: they hold the CSRF token.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import parse_qs, quote, urlencode, urljoin, urlsplit

from iam_loadtest.flow.html_form import Form, forms_of
from iam_loadtest.flow.message import Request, Response
from iam_loadtest.flow.redirect import URL_CHARACTERS, origin_of
from iam_loadtest.oidc.redact import redact
from iam_loadtest.oidc.sent_secrets import sent_secrets, without_sent

_CONSENTS: Final = ("user_oauth_approval", "accept", "authorize", "approve")
"""Names of the field or button that says yes: INDIGO IAM's, Keycloak's, and others'."""
_CONFIRMS: Final = frozenset({"confirm"})
"""What asks whether the code is the one on the device, where nothing is to be typed."""
_REMEMBER: Final = ("remember", "until-revoked")
"""INDIGO IAM asks a user once where this was chosen."""


class PageError(Exception):
    """A page, or a redirect back to the client, that is not what a login gives; ``is_refusal`` if the IAM said no."""

    def __init__(self, detail: str, is_refusal: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.is_refusal = is_refusal


class Filled(NamedTuple):
    """A form ready to be sent. The fields may be secret and are not in the repr."""

    url: str
    fields: tuple[tuple[str, str], ...]
    username_field: str = ""
    password_field: str = ""
    code_field: str = ""

    def with_code(self, code: str) -> Filled:
        """With a device's code in the field for it, where there is one."""
        kept = tuple(pair for pair in self.fields if pair[0] != self.code_field)
        return self._replace(fields=(*kept, (self.code_field, code))) if self.code_field else self

    def __repr__(self) -> str:
        return f"Filled(url={self.url!r})"

    def body(self, username: str = "", password: str = "") -> bytes:
        """The form's body; the names go into the fields for them where there are any."""
        typed = ((self.username_field, username), (self.password_field, password)) if self.password_field else ()
        return urlencode([*(pair for pair in self.fields if pair[0] not in dict(typed)), *typed]).encode()


class Code(NamedTuple):
    """An authorization code; not in its own repr."""

    code: str

    def __repr__(self) -> str:
        return "Code()"


def login_form(request: Request, response: Response) -> Filled | None:
    """The form that takes name and password; None where the page has none."""
    candidates = [form for form in forms_of(response.body) if form.password_field and form.method == "POST"]
    if not candidates:
        return None
    form = min(candidates, key=_rank)
    fields = tuple(form.kept())
    names = (form.username_field or "username", form.password_field or "", _code_field(form))
    return Filled(_action(request, response, form), fields, *names)


def consent_form(request: Request, response: Response) -> Filled | None:
    """The form that asks whether the client may, answered with yes; None where the page has none."""
    for form in forms_of(response.body):
        yes = next((one for one in form.inputs if one.name in _CONSENTS and one.value not in {"false", "no"}), None)
        if yes is None or form.method != "POST":
            continue
        fields = dict([*form.kept(), (yes.name, yes.value)])
        if any((one.name, one.value) == _REMEMBER for one in form.inputs):
            fields |= dict([_REMEMBER])
        return Filled(_action(request, response, form), tuple(fields.items()))
    return None


def code_form(request: Request, response: Response) -> Filled | None:
    """The form that asks for a device's code, or for nothing but to be sent; None where the page has none."""
    for form in forms_of(response.body):
        field = _code_field(form)
        confirms = any(one.name in _CONFIRMS for one in form.inputs)
        if form.method == "POST" and (field or confirms):
            return Filled(_action(request, response, form), tuple(form.kept()), code_field=field)
    return None


def is_own_page(request: Request, url: str) -> bool:
    """Whether a page is on the host that was asked, and has its TLS; a URL that no request can carry is on no host."""
    asked = origin_of(request.url)
    if not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        there = origin_of(url)
    except ValueError:
        return False
    return there[1] == asked[1] and there[0] in ({"https"} if asked[0] == "https" else {"http", "https"})


def code_of(request: Request, response: Response, state: str) -> Code:
    """The code in a redirect back to the client; raises PageError where it brings something else."""
    given = parse_qs(urlsplit(response.location).query)
    if "error" in given:
        said = " ".join([*given["error"], *given.get("error_description", [])])
        text = without_sent(said, sent_secrets(request.headers, request.body))
        raise PageError(redact(f"{response.status} {text}"), is_refusal=True)
    if given.get("state") != [state]:
        raise PageError("the state that came back is not the one that was sent")
    if len(given.get("code", [])) != 1:
        raise PageError("no code came back")
    return Code(given["code"][0])


def _code_field(form: Form) -> str:
    """Where a device's code goes, which may stand in the same form as name and password."""
    return next((one.name for one in form.inputs if "user_code" in one.name), "")


def _rank(form: Form) -> int:
    if form.id == "kc-form-login":
        return 0
    return 1 if form.action.partition("#")[0].partition("?")[0].endswith("/login") else 2


def _action(request: Request, response: Response, form: Form) -> str:
    """Where a form is sent: a password goes to the host that was asked for the page, and not without its TLS."""
    try:
        url = urljoin(response.url, quote(form.action, safe=URL_CHARACTERS))
        origin_of(url)
    except ValueError:
        raise PageError("a form whose action is no URL") from None
    if not is_own_page(request, url):
        raise PageError("a form that would be sent to another host, or without TLS")
    return url
