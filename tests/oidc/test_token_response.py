"""What a token endpoint answers (RFC 6749 sections 5.1 and 5.2)."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.oidc.token_response import (
    MAX_BODY_BYTES,
    OAuthError,
    TokenResponseError,
    Tokens,
    lifetime_s,
    parse_error,
    parse_tokens,
)


def test_the_example_of_the_rfc_is_read() -> None:
    body = b'{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"example","refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA"}'
    tokens = parse_tokens(body.replace(b'"example"', b'"Bearer"'))
    assert tokens == Tokens("2YotnFZFEjr1zCsicMWpAA", "tGzv3JOkF0XG5Qx2TlKWIA")


@pytest.mark.parametrize("token_type", ["Bearer", "bearer", "BEARER", "N_A"])
def test_the_token_type_is_case_insensitive(token_type: str) -> None:
    """RFC 6749 section 7.1; N_A is RFC 8693's for an exchanged token that is no access token."""
    assert parse_tokens(f'{{"access_token":"a","token_type":"{token_type}"}}'.encode()).access_token == "a"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>", "not JSON"),
        (b"", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "no access_token"),
        (b'{"access_token":"","token_type":"Bearer"}', "no access_token"),
        (b'{"access_token":7,"token_type":"Bearer"}', "no access_token"),
        (rb'{"access_token":"a\r\nX-Injected: 1","token_type":"Bearer"}', "access_token holds a line break"),
        (b'{"access_token":"a"}', "token_type is not Bearer"),
        (b'{"access_token":"a","token_type":"mac"}', "token_type is not Bearer"),
        (b'{"access_token":"a","token_type":"Bearer","refresh_token":7}', "refresh_token is not a text"),
        (b" " * (MAX_BODY_BYTES + 1), "larger than"),
    ],
)
def test_anything_else_says_what_is_wrong(body: bytes, message: str) -> None:
    with pytest.raises(TokenResponseError, match=message):
        parse_tokens(body)


@given(st.binary(max_size=200))
def test_no_body_raises_anything_else(body: bytes) -> None:
    with suppress(TokenResponseError):
        parse_tokens(body)
    assert isinstance(parse_error(body), OAuthError)


def test_an_error_is_read_and_other_bodies_are_no_error() -> None:
    assert parse_error(b'{"error":"invalid_grant","error_description":"gone"}') == OAuthError("invalid_grant", "gone")
    assert parse_error(b'{"error":{"code":7}}') == OAuthError()
    assert parse_error(b"<html>") == OAuthError()


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("3600", 3600.0),
        ("0.5", 0.5),
        ("0", 0.0),
        ("-1", None),
        ("1e308", None),
        ("-1e308", None),
        ("true", None),
        ('"3600"', None),
        ("null", None),
    ],
)
def test_a_lifetime_is_a_time_that_a_token_can_live(said: str, found: float | None) -> None:
    """What is negative or longer than a century tells when no token ends."""
    assert lifetime_s(f'{{"expires_in": {said}}}'.encode()) == found


def test_tokens_are_not_in_the_repr() -> None:
    assert "hidden" not in repr(Tokens("hidden", "hidden")) + repr(OAuthError("e", "hidden"))
