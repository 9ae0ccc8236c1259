"""What a good answer gives to a flow, by what was asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from iam_loadtest.flow.message import Request, Response, Visit
from iam_loadtest.flow.page import Code, Filled, PageError, code_form, code_of, consent_form, is_own_page, login_form
from iam_loadtest.oidc.request_kind import RequestKind
from iam_loadtest.oidc.token_response import MAX_BODY_BYTES, TokenResponseError, Tokens, json_object, parse_tokens
from iam_loadtest.results.outcome import Outcome


class Device(NamedTuple):
    """What a device is given; neither code is in its repr. ``url`` is the page where its user approves."""

    device_code: str
    user_code: str
    url: str

    def __repr__(self) -> str:
        return "Device()"


Answer = Tokens | Filled | Code | Device | None
"""None where an answer is good and gives nothing that later steps need."""

INTROSPECT_REVOKED: Final = "introspect_revoked"
"""The kind of an introspection of a token whose revocation was acknowledged: it must not be active any more."""

CONSENT: Final = "consent"
"""The kind of the answer to a consent page."""

APPROVE_LOGIN: Final = "approve_login"
"""The kind of a login on the way to the approval of a device: a login page after it is a refusal."""

_ASTRAY: Final = (
    "neither a code nor a page that asks for consent: another page is in the way, or the session that knew where to go"
    " was not seen"
)

_COMPACT_JWS = re.compile(rb"[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)


class BadAnswerError(Exception):
    """A 2xx that is not what was asked for; the text says why and holds no token."""

    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail


def read_answer(request: Request, response: Response) -> Answer:
    """What a 2xx, or a visit's return to the client, gives; raises BadAnswerError.

    A kind that is not known here is a grant: tokens are expected.
    """
    try:
        if request.kind in {RequestKind.APPROVE, APPROVE_LOGIN}:
            return _approval(request, response)
        if request.visit is not None:
            return _read_page(request, request.visit, response)
        if request.kind == RequestKind.DEVICE:
            return _device(request, response)
        read = _READERS.get(request.kind)
        return parse_tokens(response.body) if read is None else read(response)
    except TokenResponseError as error:
        raise BadAnswerError(Outcome.PROTOCOL_ERROR, str(error)) from error
    except PageError as error:
        raise BadAnswerError(Outcome.REFUSED if error.is_refusal else Outcome.PROTOCOL_ERROR, error.detail) from error


def _read_page(request: Request, visit: Visit, response: Response) -> Answer:
    """Where a visit has come to: a login page gives a form, a login a code or, before it, a form of consent."""
    if response.status >= 300:
        code = code_of(request, response, visit.state)
        if request.kind == RequestKind.LOGIN_PAGE:
            raise PageError("a code came back before anybody logged in")
        return code
    form = login_form(request, response)
    if request.kind == RequestKind.LOGIN_PAGE:
        if form is None:
            raise PageError("a page without a login form")
        return form
    if form is not None:
        raise PageError("the login page came again: name or password was not accepted", is_refusal=True)
    consent = consent_form(request, response) if request.kind == RequestKind.LOGIN else None
    if consent is None:
        raise PageError(_ASTRAY if request.kind == RequestKind.LOGIN else "a page without a code after the consent")
    return consent


def _approval(request: Request, response: Response) -> Filled | None:
    """The form that comes next on the way to an approval; None on its last page."""
    form = login_form(request, response)
    if form is not None and request.kind == APPROVE_LOGIN:
        raise PageError("the login page came again: name or password was not accepted", is_refusal=True)
    return form or consent_form(request, response) or code_form(request, response)


def _device(request: Request, response: Response) -> Device:
    """RFC 8628 section 3.2. The user's password goes to the page, so it must be the issuer's, and with its TLS."""
    document = json_object(response.body)
    names = ("device_code", "user_code", "verification_uri")
    found = {name: value for name in names if isinstance(value := document.get(name), str) and value}
    if len(found) < len(names):
        raise TokenResponseError("no device_code, user_code or verification_uri in the answer")
    complete = document.get("verification_uri_complete")
    url = complete if isinstance(complete, str) and complete else found["verification_uri"]
    if not is_own_page(request, url):
        raise TokenResponseError("verification_uri is on another host, or without TLS")
    return Device(found["device_code"], found["user_code"], url)


def _active(response: Response) -> None:
    """RFC 7662 section 2.2. A token from a moment ago that is not active has not arrived at this node."""
    if not _is_active(response):
        raise BadAnswerError(Outcome.STALE_READ, "not active, though it was given out before")


def _revoked(response: Response) -> None:
    if _is_active(response):
        raise BadAnswerError(Outcome.STALE_READ, "still active, though its revocation was acknowledged")


def _is_active(response: Response) -> bool:
    active = json_object(response.body).get("active")
    if not isinstance(active, bool):
        raise TokenResponseError("active is neither true nor false")
    return active


def _userinfo(response: Response) -> None:
    """A JSON object with ``sub``, or a signed one (OpenID Connect Core section 5.3.2), which is not verified."""
    if len(response.body) <= MAX_BODY_BYTES and _COMPACT_JWS.fullmatch(response.body):
        return
    if not isinstance(json_object(response.body).get("sub"), str):
        raise TokenResponseError("no sub in the answer")


def _nothing(_: Response) -> None:
    """RFC 7009 section 2.2: the content of the answer says nothing."""


def _discovery(response: Response) -> None:
    if not isinstance(json_object(response.body).get("issuer"), str):
        raise TokenResponseError("no issuer in the answer")


def _jwks(response: Response) -> None:
    keys = json_object(response.body).get("keys")
    if not isinstance(keys, list) or not keys:
        raise TokenResponseError("no keys in the answer")


_READERS: Mapping[str, Callable[[Response], Answer]] = {
    RequestKind.INTROSPECT: _active,
    INTROSPECT_REVOKED: _revoked,
    RequestKind.USERINFO: _userinfo,
    RequestKind.REVOKE: _nothing,
    RequestKind.DISCOVERY: _discovery,
    RequestKind.JWKS: _jwks,
}
