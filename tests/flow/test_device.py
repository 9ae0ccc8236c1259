"""The device flow with a scripted approval, page by page."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import pytest

from iam_loadtest.flow.answer import Answer, BadAnswerError, Device, read_answer
from iam_loadtest.flow.chain import ChainStep, Held, UserLogin, chain, drive
from iam_loadtest.flow.classify import classifier_for
from iam_loadtest.flow.device_step import MAX_PAGES
from iam_loadtest.flow.message import Request, Response
from iam_loadtest.flow.ready_step import ready_step
from iam_loadtest.oidc.client_auth import AuthMethod, ClientCredentials
from iam_loadtest.oidc.discovery import Endpoints
from iam_loadtest.oidc.token_response import Tokens
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.scenario.step import Step

ISSUER = "https://iam.example/"
ENDPOINTS = Endpoints(ISSUER, ISSUER + "token", device_authorization=ISSUER + "devicecode")
CLIENT = ClientCredentials("tv", "s", AuthMethod.POST)
ADA = UserLogin("ada", "hunter2")
CODES = {"device_code": "dc-secret", "user_code": "ABCD", "verification_uri": ISSUER + "device"}
LOGIN = '<form method="post" action="/login"><input type="hidden" name="_csrf" value="1"><input name="username">'
LOGIN += '<input type="password" name="password"></form>'
CODE = '<form method="post" action="/device/verify"><input name="user_code">'
CODE += '<input type="hidden" name="x" value="y"></form>'
CONSENT = '<form method="post" action="/device/approve"><input type="hidden" name="user_code" value="ABCD">'
CONSENT += '<button name="user_oauth_approval" value="true">Yes</button></form>'
DONE = "<p>The device has been authorized.</p>"


def step(name: str, **keys: object) -> ChainStep:
    noun = Step.model_validate(keys)
    return ready_step(name, noun, CLIENT if noun.client else None, ENDPOINTS)


STEPS = (
    step("device", request="device", client="c", scope="openid"),
    step("approve", request="approve"),
    step("redeem", grant="device_code", client="c"),
)


def walked(*pages: str, codes: dict[str, str] = CODES) -> tuple[Outcome, list[Request]]:
    """Drive the three steps; the approval shows these pages, the last of them for ever."""
    sent: list[Request] = []
    left = list(pages)

    def exchange(request: Request) -> tuple[Outcome, Answer]:
        sent.append(request)
        if request.visit is not None:
            page = left.pop(0) if len(left) > 1 else left[0]
            answer = read_answer(request, Response(200, page.encode(), url=request.url))
            return Outcome.OK, answer
        if request.kind == "device":
            return Outcome.OK, read_answer(request, Response(200, json.dumps(codes).encode()))
        return Outcome.OK, Tokens("a", "r")

    return drive(chain(STEPS, ADA), exchange), sent


def form(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}


def test_the_user_logs_in_enters_the_code_and_says_yes() -> None:
    outcome, sent = walked(LOGIN, CODE, CONSENT, DONE)
    assert outcome is Outcome.OK
    device, page, login, code, consent, redeem = sent
    assert form(device) == {"client_id": "tv", "client_secret": "s", "scope": "openid"}
    assert (page.method, page.url) == ("GET", ISSUER + "device")
    assert form(login) == {"_csrf": "1", "username": "ada", "password": "hunter2"}
    assert form(code) == {"x": "y", "user_code": "ABCD"}
    assert form(consent) == {"user_code": "ABCD", "user_oauth_approval": "true"}
    assert form(redeem) == {
        "client_id": "tv",
        "client_secret": "s",
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": "dc-secret",
    }
    assert len({id(request.visit) for request in sent[1:5]}) == 1, "one browser"


def test_a_form_may_ask_for_code_and_login_at_once() -> None:
    at_once = '<form method="POST"><input type="text" name="user_code" value=""><input type="text" name="username">'
    outcome, sent = walked(at_once + '<input type="password" name="password"></form>', DONE)
    assert outcome is Outcome.OK
    assert (sent[2].url, form(sent[2])) == (
        ISSUER + "device",
        {"user_code": "ABCD", "username": "ada", "password": "hunter2"},
    )


def test_the_complete_page_is_opened_where_there_is_one() -> None:
    _, sent = walked(DONE, codes={**CODES, "verification_uri_complete": ISSUER + "device?user_code=ABCD"})
    assert [request.url for request in sent[1:2]] == [ISSUER + "device?user_code=ABCD"]


def test_a_login_page_after_the_login_is_a_refusal() -> None:
    with pytest.raises(BadAnswerError, match="name or password was not accepted") as caught:
        walked(LOGIN, LOGIN)
    assert caught.value.outcome is Outcome.REFUSED


def test_pages_without_end_end() -> None:
    """The token endpoint then says what the IAM makes of it."""
    _, sent = walked(CONSENT)
    assert len(sent) == 1 + 1 + MAX_PAGES + 1


@pytest.mark.parametrize(
    "uri",
    [
        *("https://evil.example/device", "http://iam.example/device", "https://[iam/", "device"),
        *("https://iam.example/device HTTP/1.1", "https://iam.example/\x1b[2J", "https://iam.example/\r\nX: y"),
    ],
)
def test_a_page_elsewhere_gets_no_password(uri: str) -> None:
    with pytest.raises(BadAnswerError, match="verification_uri is on another host, or without TLS"):
        walked(LOGIN, codes={**CODES, "verification_uri": uri})


@pytest.mark.parametrize("missing", list(CODES))
def test_an_answer_without_its_codes_is_none(missing: str) -> None:
    with pytest.raises(BadAnswerError, match="no device_code, user_code or verification_uri"):
        walked(LOGIN, codes={name: value for name, value in CODES.items() if name != missing})


@pytest.mark.parametrize("profile", ["indigo-iam", "keycloak", "generic"])
def test_a_node_that_does_not_know_of_the_approval_yet_is_stale(profile: str) -> None:
    request = STEPS[2].request(Held(), ADA)
    answer = Response(400, b'{"error": "authorization_pending"}')
    assert classifier_for(profile).judge(request, answer, 0.1).outcome is Outcome.STALE_READ


def test_no_code_is_in_a_repr() -> None:
    assert "dc-secret" not in repr((Device("dc-secret", "ABCD", "https://iam.example/"), walked(DONE)[1]))
