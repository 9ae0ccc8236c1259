"""What people may see of requests and answers: names of fields, and values only of those that are no secret."""

from __future__ import annotations

import base64
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.oidc.shown import shown_answer, shown_request

URL = "https://iam.example/token"


def test_a_form_shows_what_is_asked_and_masks_what_proves_it() -> None:
    form = {"grant_type": "password", "client_id": "me", "client_secret": "s", "username": "ada", "password": "p q"}
    assert shown_request("POST", URL, {}, urlencode(form).encode()) == (
        "POST /token grant_type=password client_id=me client_secret=*** username=ada password=***"
    )


def test_a_field_that_holds_nothing_is_said_to_be_empty() -> None:
    """That is how a missing refresh token shows."""
    assert shown_request("POST", URL, {}, b"refresh_token=").endswith("refresh_token=(empty)")


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        ("Basic " + base64.b64encode(b"my%20id:hunter2").decode(), "Basic my id:***"),
        ("Basic /w==", "Basic ***"),
        ("Bearer hunter2", "Bearer ***"),
    ],
)
def test_an_authorization_header_shows_who_and_not_the_proof(header: str, shown: str) -> None:
    assert shown_request("GET", URL, {"Authorization": header}, b"") == f"GET /token Authorization={shown}"


def test_a_query_is_shown_like_a_form() -> None:
    assert shown_request("GET", "https://iam.example/authorize?client_id=me&state=s", {}, b"") == (
        "GET /authorize client_id=me state=***"
    )


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"access_token": "a", "expires_in": 60}', "access_token=*** expires_in=60"),
        (
            b'{"error": "x", "error_description": "abcdefghijklmnop12 gone"}',
            "error='x' error_description='<token> gone'",
        ),
        (b'{"keys": [1]}', "keys"),
        (b"<html>", "6 bytes"),
        (b"[1]", "3 bytes"),
        (b"[" * 200_000, "200,000 bytes"),
        (b'{"scope": "a\\u001b[2Jb"}', "scope=a [2Jb"),
        (b"", "no body"),
    ],
)
def test_an_answer_shows_its_members(body: bytes, shown: str) -> None:
    assert shown_answer(200, body) == shown


def test_of_a_page_its_size_is_shown_whatever_it_holds() -> None:
    assert shown_answer(200, b'{"access_token": "a"}', is_page=True) == "21 bytes"


def test_no_answer_is_said_to_be_none() -> None:
    assert shown_answer(0, b"") == "no answer"


@given(st.text(alphabet="abcdefghij", min_size=12, max_size=20), st.sampled_from(["token", "code", "x", "_csrf"]))
def test_no_value_of_a_field_that_is_not_known_is_ever_shown(secret: str, name: str) -> None:
    assert secret not in shown_request("POST", URL, {}, urlencode({name: secret}).encode())
