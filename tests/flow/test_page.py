"""Login pages of INDIGO IAM, Keycloak and others: what is filled in, and what is never done."""

from __future__ import annotations

import time
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.flow.answer import CONSENT
from iam_loadtest.flow.classify import Judgement, classifier_for
from iam_loadtest.flow.cookie_jar import CookieJar
from iam_loadtest.flow.html_form import MAX_FORMS, forms_of
from iam_loadtest.flow.message import Request, Response, Visit
from iam_loadtest.flow.page import Code, Filled
from iam_loadtest.results.outcome import Outcome

BASE = "https://iam.example.org"
CALLBACK = "http://localhost:4000/callback"
INDIGO = """<form id="login-form" action="/login" method="post">
<input type="text" autofocus id="username" name="username" placeholder="Username" value="">
<input type="password" id="password" name="password">
<input type="hidden" name="_csrf" value="a&amp;b+c" />
<input type="submit" value="Sign in" name="submit"></form>
<form action="/saml/login"><input name="idp"></form>"""
KEYCLOAK = """<form action="/search" method="post"><input name="q"><input type="password" name="pin"></form>
<form id="kc-form-login" onsubmit="login.disabled = true; return true;"
 action="https://iam.example.org/realms/r/login-actions/authenticate?session_code=s&amp;execution=e" method="post">
<input tabindex="2" id="username" name="username" value="" type="text" autocomplete="username">
<input tabindex="3" id="password" name="password" type="password">
<input tabindex="5" id="rememberMe" name="rememberMe" type="checkbox">
<input type="hidden" id="id-hidden-input" name="credentialId" />
<button name="login" id="kc-login" type="submit">Sign In</button></form>"""
OTHER = (
    """<FORM METHOD=POST><INPUT TYPE=hidden NAME=lt VALUE=1><input type=email name=mail><INPUT TYPE=PASSWORD NAME=pw>"""
)
INDIGO_CONSENT = """<form name="confirmationForm" action="https://iam.example.org/authorize" method="post">
<input type="checkbox" name="scope_openid" checked value="openid">
<input type="checkbox" name="scope_email" value="email">
<input type="radio" name="remember" id="remember-forever" value="until-revoked">
<input type="radio" name="remember" value="none" checked>
<input id="user_oauth_approval" name="user_oauth_approval" value="true" type="hidden">
<input type="hidden" name="_csrf" value="c"><input name="authorize" value="Authorize" type="submit">
<input name="deny" value="Deny" type="submit"></form>"""
NO_URL = "a form whose action is no URL"
ASTRAY = (
    "neither a code nor a page that asks for consent: another page is in the way, or the session that knew where to go"
    " was not seen"
)
OTHER_STATE = "the state that came back is not the one that was sent"
KEYCLOAK_CONSENT = """<form action="/realms/r/login-actions/consent?x=1" method="POST">
<input type="hidden" name="code" value="k"><input name="accept" id="kc-login" type="submit" value="Yes">
<input name="cancel" type="submit" value="No"></form>"""


def judged(kind: str, response: Response) -> Judgement:
    visit = Visit(CookieJar(), CALLBACK, "st4te")
    method = "GET" if kind == "login_page" else "POST"
    request = Request(kind, f"{BASE}/authorize", {}, b"", method, kind, visit)
    return classifier_for("indigo-iam").judge(request, response, 0.1)


def page(html: str, url: str = f"{BASE}/login") -> Response:
    return Response(200, html.encode(), url=url)


def back(query: str) -> Response:
    return Response(302, location=f"{CALLBACK}?{query}", url=f"{BASE}/authorize")


def filled(html: str, kind: str = "login_page") -> Filled:
    answer = judged(kind, page(html)).answer
    assert isinstance(answer, Filled)
    return answer


@pytest.mark.parametrize(
    ("html", "url", "sent"),
    [
        (INDIGO, f"{BASE}/login", {"_csrf": "a&b+c", "username": "ada", "password": "p&ss"}),
        (
            KEYCLOAK,
            f"{BASE}/realms/r/login-actions/authenticate?session_code=s&execution=e",
            {"credentialId": "", "username": "ada", "password": "p&ss"},
        ),
        (OTHER, f"{BASE}/login", {"lt": "1", "mail": "ada", "pw": "p&ss"}),
    ],
    ids=["INDIGO IAM", "Keycloak", "other"],
)
def test_the_login_form_is_found_and_filled_in(html: str, url: str, sent: dict[str, str]) -> None:
    form = filled(html)
    fields = parse_qs(form.body("ada", "p&ss").decode(), keep_blank_values=True)
    assert form.url == url
    assert fields == {name: [value] for name, value in sent.items()}


@pytest.mark.parametrize(
    ("html", "url", "sent"),
    [
        (
            INDIGO_CONSENT,
            f"{BASE}/authorize",
            {"scope_openid": "openid", "user_oauth_approval": "true", "_csrf": "c", "remember": "until-revoked"},
        ),
        (KEYCLOAK_CONSENT, f"{BASE}/realms/r/login-actions/consent?x=1", {"code": "k", "accept": "Yes"}),
    ],
    ids=["INDIGO IAM", "Keycloak"],
)
def test_consent_is_given_and_remembered_where_it_can_be(html: str, url: str, sent: dict[str, str]) -> None:
    form = filled(html, "login")
    assert form.url == url
    assert parse_qs(form.body().decode()) == {name: [value] for name, value in sent.items()}


@pytest.mark.parametrize(
    ("kind", "response", "outcome", "detail"),
    [
        ("login_page", page("<p>Down for maintenance"), Outcome.PROTOCOL_ERROR, "a page without a login form"),
        ("login_page", page(""), Outcome.PROTOCOL_ERROR, "a page without a login form"),
        ("login_page", page(INDIGO.replace("/login", "//[x")), Outcome.PROTOCOL_ERROR, NO_URL),
        ("login_page", page(INDIGO.replace("/login", "//a:99999")), Outcome.PROTOCOL_ERROR, NO_URL),
        ("login_page", page("<form><![x[ y]]>" + INDIGO), Outcome.PROTOCOL_ERROR, "a page without a login form"),
        ("login_page", page(INDIGO.replace("post", "get")), Outcome.PROTOCOL_ERROR, "a page without a login form"),
        ("login_page", back("code=c&state=st4te"), Outcome.PROTOCOL_ERROR, "a code came back before anybody logged in"),
        ("login_page", back("error=invalid_scope&state=st4te"), Outcome.REFUSED, "302 invalid_scope"),
        ("login", page(INDIGO), Outcome.REFUSED, "the login page came again: name or password was not accepted"),
        ("login", page("<p>Accept the terms"), Outcome.PROTOCOL_ERROR, ASTRAY),
        ("login", back("code=c&state=other"), Outcome.PROTOCOL_ERROR, OTHER_STATE),
        ("login", back("state=st4te"), Outcome.PROTOCOL_ERROR, "no code came back"),
        ("login", back("error=access_denied&error_description=No"), Outcome.REFUSED, "302 access_denied No"),
        (CONSENT, page(INDIGO_CONSENT), Outcome.PROTOCOL_ERROR, "a page without a code after the consent"),
        ("login", Response(403, b"<html>"), Outcome.STALE_READ, "403 without an OAuth error"),
        (CONSENT, Response(403, b"<html>"), Outcome.STALE_READ, "403 without an OAuth error"),
        ("login_page", Response(500, b"<html>"), Outcome.SERVER_ERROR, "500 without an OAuth error"),
    ],
)  # fmt: skip
def test_what_else_a_login_may_come_to(kind: str, response: Response, outcome: Outcome, detail: str) -> None:
    judgement = judged(kind, response)
    assert (judgement.outcome, judgement.answer, judgement.detail) == (outcome, None, detail)


def test_a_code_comes_back_with_the_state_that_was_sent() -> None:
    judgement = judged("login", back("code=c0de&state=st4te"))
    assert (judgement.outcome, judgement.answer) == (Outcome.OK, Code("c0de"))
    assert "c0de" not in repr(judgement)


def test_an_action_is_encoded_as_a_browser_would() -> None:
    """It stands in the first line of a request."""
    form = filled(INDIGO.replace('action="/login"', 'action="/login?a=b c&amp;d=\x1b\u00e9%20"'))
    assert form.url == f"{BASE}/login?a=b%20c&d=%1B%C3%A9%20"


@pytest.mark.parametrize(
    ("action", "shown_by"),
    [
        ("https://evil.example/login", f"{BASE}/login"),
        ("http://iam.example.org/login", f"{BASE}/login"),
        ("javascript:alert(1)", f"{BASE}/login"),
        ("/login", "https://evil.example/login"),
    ],
)
def test_a_password_goes_to_the_issuers_host_alone(action: str, shown_by: str) -> None:
    html = INDIGO.replace('action="/login"', f'action="{action}"')
    judgement = judged("login_page", page(html, shown_by))
    assert (judgement.outcome, judgement.answer) == (Outcome.PROTOCOL_ERROR, None)
    assert judgement.detail == "a form that would be sent to another host, or without TLS"


def test_values_of_a_form_are_not_shown() -> None:
    assert "a&b" not in repr(filled(INDIGO))
    assert "a&b" not in repr(list(forms_of(INDIGO.encode())))


@given(st.binary(max_size=2000))
def test_any_page_is_read_to_its_end(body: bytes) -> None:
    list(forms_of(b"<form>" + body))


@pytest.mark.parametrize(
    "part", ["<form>", "<input>", "<!--", "<a<", "<input name='", "&#", "<![CDATA[", "</", "<form"]
)
def test_a_hostile_page_costs_little(part: str) -> None:
    """A page of a megabyte, ten seconds at the very most on the slowest machine: what is parsed is bounded."""
    started = time.process_time()
    assert len(list(forms_of(b"<form>" + part.encode() * (1_000_000 // len(part))))) <= MAX_FORMS
    assert time.process_time() - started < 10
