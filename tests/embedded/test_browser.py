"""The authorization code flow as a browser walks it, and the device flow's pages."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests

from tests.embedded.server import CALLBACK, DEVICE, Browser, Iam, good, hidden_fields

VERIFIER = "correct-horse-battery-staple-correct-horse-battery"
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PUBLIC = {
    "client_id": "public-pkce-client",
    "redirect_uri": CALLBACK,
    "response_type": "code",
    "scope": "openid profile offline_access",
    "state": "s-1",
    "nonce": "n-1",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


def location(response: requests.Response) -> str:
    assert response.status_code == 302, response.text[:300]
    return response.headers["location"]


def answer_of(response: requests.Response) -> dict[str, str]:
    """What the client is told in the query of the redirect URI."""
    assert location(response).startswith(CALLBACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(location(response)).query).items()}


def walk(browser: Browser, asked: dict[str, str], user: str, **answer: str) -> dict[str, str]:
    """Authorize, login, consent: what the client gets in the end."""
    assert location(browser.get("/authorize", **asked)) == "/login"
    after_login = location(browser.login(user))
    consent = browser.get(after_login)
    assert consent.status_code == 200
    form = hidden_fields(consent.text)
    return answer_of(browser.post("/authorize", **form, **({"user_oauth_approval": "true"} | answer)))


def redeem(iam: Iam, code: str, **changed: str) -> requests.Response:
    form = {
        "grant_type": "authorization_code",
        "client_id": "public-pkce-client",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    return iam.token(**(form | changed))


def test_a_public_client_gets_tokens_by_login_consent_and_verifier(iam: Iam, browser: Browser) -> None:
    told = walk(browser, PUBLIC, "test_120")
    assert told["state"] == "s-1"
    tokens = good(redeem(iam, told["code"]))
    about = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    assert about["nonce"] == "n-1"
    assert about["aud"] == "public-pkce-client"
    assert about["preferred_username"] == "test_120"
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": "public-pkce-client"}
    assert good(iam.token(**form))["id_token"]


def test_a_code_works_once(iam: Iam, browser: Browser) -> None:
    code = walk(browser, PUBLIC, "test_121")["code"]
    assert redeem(iam, code).status_code == 200
    again = redeem(iam, code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "changed",
    [
        {"code_verifier": "wrong"},
        {"code_verifier": ""},
        {"redirect_uri": "http://127.0.0.1:4000/callback"},
    ],
    ids=str,
)
def test_a_code_is_worth_nothing_without_its_verifier_and_redirect_uri(
    iam: Iam, browser: Browser, changed: dict[str, str]
) -> None:
    code = walk(browser, PUBLIC, "test_122")["code"]
    refused = redeem(iam, code, **changed)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


def test_a_code_is_worth_nothing_to_another_client(iam: Iam, browser: Browser) -> None:
    code = walk(browser, PUBLIC, "test_122")["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    assert iam.token(("client", "secret"), **form).json()["error"] == "invalid_grant"


def test_a_confidential_client_may_go_without_a_verifier_or_use_a_plain_one(iam: Iam, browser: Browser) -> None:
    asked = {name: value for name, value in PUBLIC.items() if not name.startswith("code_")} | {"client_id": "client"}
    form = {"grant_type": "authorization_code", "redirect_uri": CALLBACK}
    code = walk(browser, asked, "test_123")["code"]
    assert good(iam.token(("client", "secret"), code=code, **form))["access_token"]
    plain = asked | {"code_challenge": VERIFIER, "code_challenge_method": "plain"}
    code = walk(Browser(iam), plain, "test_123")["code"]
    assert good(iam.token(("client", "secret"), code=code, code_verifier=VERIFIER, **form))["access_token"]


def test_a_remembered_decision_is_not_asked_for_again(iam: Iam, browser: Browser) -> None:
    walk(browser, PUBLIC, "test_124", remember="until-revoked")
    assert answer_of(browser.get("/authorize", **PUBLIC))["code"]
    wider = browser.get("/authorize", **(PUBLIC | {"scope": "openid profile email"}))
    assert wider.status_code == 200


def test_a_user_can_refuse(browser: Browser) -> None:
    told = walk(browser, PUBLIC, "test_125", user_oauth_approval="false")
    assert (told["error"], told["state"]) == ("access_denied", "s-1")


def test_a_wrong_password_leads_back_to_the_form_which_says_so(browser: Browser) -> None:
    assert location(browser.login("test_126", "wrong")) == "/login?error=failure"
    assert "Invalid credentials" in browser.get("/login?error=failure").text
    assert location(browser.login("nobody")) == "/login?error=failure"


def test_login_changes_the_session_id_and_ends_the_old_session(iam: Iam, browser: Browser) -> None:
    browser.get("/login")
    before = browser.http.cookies["SESSION"]
    assert location(browser.login("test_127")) == "/"
    after = browser.http.cookies["SESSION"]
    assert before != after
    stolen = Browser(iam)
    stolen.http.cookies.set("SESSION", before)
    assert location(stolen.get("/device")) == "/login"
    assert browser.get("/device").status_code == 200


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(browser: Browser) -> None:
    cookie = browser.get("/login").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_a_form_from_elsewhere_is_refused(iam: Iam, browser: Browser) -> None:
    browser.get("/login")
    refused = browser.post("/login", username="test_128", password="password", _csrf="guess")
    assert refused.status_code == 403
    assert Browser(iam).post("/login", username="test_128", password="password").status_code == 403


def test_pages_cannot_be_framed_and_escape_what_they_show(browser: Browser) -> None:
    page = browser.get("/login")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    browser.login("test_129")
    device = browser.get("/device", user_code='"><script>alert(1)</script>')
    assert "<script>" not in device.text


@pytest.mark.parametrize(
    "changed",
    [{"client_id": "no-such-client"}, {"redirect_uri": "https://evil.example/"}, {"client_id": "client-cred"}],
    ids=str,
)
def test_a_wrong_client_or_redirect_uri_is_told_to_the_user_and_never_redirected(
    browser: Browser, changed: dict[str, str]
) -> None:
    response = browser.get("/authorize", **(PUBLIC | changed))
    assert response.status_code == 400


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "invalid_request"),
        ({"scope": "openid fly"}, "invalid_scope"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "S512"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
    ],
    ids=str,
)
def test_other_mistakes_are_told_to_the_client(browser: Browser, changed: dict[str, str], error: str) -> None:
    told = answer_of(browser.get("/authorize", **(PUBLIC | changed)))
    assert (told["error"], told["state"]) == (error, "s-1")


def test_consent_without_a_request_is_refused(browser: Browser) -> None:
    browser.login("test_130")
    form = hidden_fields(browser.get("/device").text)
    assert browser.post("/authorize", user_oauth_approval="true", **form).status_code == 400


def start_device(iam: Iam) -> dict[str, Any]:
    return good(iam.post("devicecode", {"client_id": "public-dc-client", "scope": "openid profile"}))


def poll(iam: Iam, started: dict[str, Any], client_id: str = "public-dc-client") -> requests.Response:
    return iam.token(grant_type=DEVICE, client_id=client_id, device_code=started["device_code"])


def decide(browser: Browser, user_code: str, decision: str) -> requests.Response:
    page = browser.get("/device", user_code=user_code)
    form = hidden_fields(page.text)
    consent = browser.post("/device/verify", **form, user_code=user_code.lower())
    return browser.post("/device/approve", **hidden_fields(consent.text), user_oauth_approval=decision)


def test_a_device_gets_tokens_once_its_user_has_agreed(iam: Iam, browser: Browser) -> None:
    started = start_device(iam)
    assert started["verification_uri"] == iam.issuer + "device"
    assert started["verification_uri_complete"].endswith("user_code=" + started["user_code"])
    pending = poll(iam, started)
    assert (pending.status_code, pending.json()["error"]) == (400, "authorization_pending")
    target = location(browser.get("/device", user_code=started["user_code"]))
    assert target == "/login"
    assert location(browser.login("test_131")) == f"/device?user_code={started['user_code']}"
    assert "has been authorized" in decide(browser, started["user_code"], "true").text
    tokens = good(poll(iam, started))
    about = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    assert about["preferred_username"] == "test_131"
    assert poll(iam, started).json()["error"] == "invalid_grant"


def test_a_device_is_told_that_its_user_has_refused(iam: Iam, browser: Browser) -> None:
    started = start_device(iam)
    browser.login("test_132")
    assert "has been refused" in decide(browser, started["user_code"], "false").text
    assert poll(iam, started).json()["error"] == "access_denied"


def test_a_device_code_is_worth_nothing_to_another_client(iam: Iam) -> None:
    started = start_device(iam)
    other = iam.token(("device-code-client", "secret"), grant_type=DEVICE, device_code=started["device_code"])
    assert other.json()["error"] == "invalid_grant"


def test_a_wrong_user_code_is_asked_for_again(browser: Browser) -> None:
    browser.login("test_133")
    form = hidden_fields(browser.get("/device").text)
    assert "No such code" in browser.post("/device/verify", **form, user_code="XXXXXXXX").text
    assert "No such code" in browser.post("/device/approve", **form, user_code="XXXXXXXX").text


def test_a_device_client_must_be_allowed_the_grant(iam: Iam) -> None:
    refused = iam.post("devicecode", {}, ("client-cred", "secret"))
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
