"""What a server repeats of the secrets that it was sent is in no message, whatever it looks like."""

from __future__ import annotations

import base64
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.oidc.sent_secrets import MIN_LENGTH, sent_secrets, without_sent
from iam_loadtest.oidc.shown import shown_answer

SECRET = "Open Sesame:9/x"


def basic(secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"me:{quote_plus(secret)}".encode()).decode()}


@pytest.mark.parametrize(
    ("headers", "form"),
    [
        ({}, {"client_id": "me", "client_secret": SECRET}),
        ({}, {"username": "ada", "password": SECRET}),
        ({}, {"username": "ada", "j_passwd": SECRET}),
        ({}, {"refresh_token": SECRET}),
        ({}, {"subject_token": SECRET, "subject_token_type": "urn:x"}),
        ({}, {"token": SECRET, "token_type_hint": "access_token"}),
        ({}, {"code": SECRET, "code_verifier": "v"}),
        (basic(SECRET), {"grant_type": "client_credentials"}),
    ],
)
@pytest.mark.parametrize("spelled", [SECRET, quote_plus(SECRET), "Open%20Sesame%3A9/x"])
def test_what_proved_somebody_is_hidden_in_each_way_to_write_it(
    headers: dict[str, str], form: dict[str, str], spelled: str
) -> None:
    sent = sent_secrets(headers, urlencode(form).encode())
    assert without_sent(f"no '{spelled}' for ada, me", sent) == "no '<secret>' for ada, me"


@pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
def test_a_header_that_holds_no_name_and_secret_is_hidden_as_it_is(scheme: str) -> None:
    assert without_sent("no /w== here", sent_secrets({"Authorization": f"{scheme} /w=="}, b"")) == "no <secret> here"


def test_what_anybody_may_see_stays() -> None:
    """So do secrets of less than four letters, which are parts of too many words."""
    body = urlencode({"scope": "openid", "username": "ada_lovelace", "client_id": "subject", "password": "no"}).encode()
    said = "no scope openid for ada_lovelace by subject"
    assert without_sent(said, sent_secrets({}, body)) == said


def test_an_answer_is_shown_without_them() -> None:
    body = b'{"error_description": "no Open Sesame:9/x", "scope": "Open Sesame:9/x", "Open Sesame:9/x": 1}'
    shown = shown_answer(401, body, secrets=[SECRET])
    assert shown == "error_description='no <secret>' scope=<secret> <secret>"


@given(st.text("abc :/%+é", min_size=MIN_LENGTH), st.text("abc :/%+é"), st.text("abc :/%+é"))
def test_no_secret_is_left_wherever_it_stands(secret: str, before: str, after: str) -> None:
    """Four letters at least, so none is a part of what stands in its place."""
    sent = sent_secrets({}, urlencode({"password": secret}).encode())
    assert secret in sent
    assert secret not in without_sent(before + secret + after, sent)
