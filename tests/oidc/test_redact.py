"""Texts of servers without tokens and without what is unique."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.oidc.redact import MAX_LINE, MAX_TEXT, one_line, redact

JWT = "eyJraWQiOiJyc2ExIiwiYWxnIjoiUlMyNTYifQ.eyJzdWIiOiI4MGU1ZmI4ZC1iN2M4In0.c2lnbmF0dXJlLXNpZ25hdHVyZQ"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Refresh token {JWT} was not found", "Refresh token <token> was not found"),
        ("id 0e5a1c9e-5a3b-4d57-9d5c-1a2b3c4d5e6f gone", "id <id> gone"),
        ("client_secret=hunter2 is wrong", "client_secret=<secret> is wrong"),
        ("Invalid refresh_token=abc&x", "Invalid refresh_token=<secret>&x"),
        ("session 3f9a8b7c6d5e4f3a2b1c gone", "session <token> gone"),
        ("opaque ZxYwVuTsRqPoNmLkJiHgFeDcBa gone", "opaque <token> gone"),
        ("after 123456 ms", "after <n> ms"),
        ("error 1213: Deadlock found", "error 1213: Deadlock found"),
        (
            "Connection is not available, request timed out after 3001ms.",
            "Connection is not available, request timed out after <n>ms.",
        ),
        ("waited 1.5 s at 2026-11-22T20:27:01.123Z", "waited <n> s at <time>"),
        ("2026-11-22 20:27:01,5 ERROR", "<time> ERROR"),
        ("Process 182 waits for transaction 2310", "Process <n> waits for transaction <n>"),
        ("executor-thread-839 failed", "executor-thread-<n> failed"),
        ("no route to 10.1.2.3:3306", "no route to <host>"),
        ("no route to [fe80::1]:80", "no route to <host>"),
        ("Communications link failure to db-2.galera.example.org", "Communications link failure to <host>"),
        ("connect to galera.example.org:3306 refused", "connect to <host> refused"),
        ("see https://iam-1.example.org/error?id=7 for more", "see https://<host> for more"),
        ("Authorization code for value aBcDeF was not found", "Authorization code for value <token> was not found"),
        ("org.hibernate.exception.LockAcquisitionException: x", "org.hibernate.exception.LockAcquisitionException: x"),
        ("SQLState: 40001 error 1213", "SQLState: <n> error 1213"),
        ("two\nlines\t and  spaces", "two lines and spaces"),
        ("invalid_client Bad client credentials", "invalid_client Bad client credentials"),
    ],
)
def test_what_is_secret_or_unique_goes_and_what_tells_failures_apart_stays(text: str, expected: str) -> None:
    assert redact(text) == expected


@given(st.text(max_size=2000))
def test_the_result_is_one_short_line(text: str) -> None:
    redacted = redact(text)
    assert len(redacted) <= MAX_TEXT
    assert "\n" not in redacted


@given(
    st.text("abcdefghijklmnop ", max_size=30),
    st.binary(min_size=12, max_size=60).map(lambda raw: raw.hex()),
    st.text("abcdefghijklmnop ", max_size=30),
)
def test_a_hexadecimal_token_never_stays(before: str, token: str, after: str) -> None:
    assert token not in redact(f"{before} {token} {after}")


@given(st.lists(st.sampled_from(["Refresh", "token", JWT, "was", "not", "found"]), max_size=20))
def test_redacting_twice_changes_nothing_more(words: list[str]) -> None:
    once = redact(" ".join(words))
    assert redact(once) == once


@pytest.mark.parametrize(
    "unit",
    [
        "eyJ",
        "eyJa.",
        "a",
        "a_",
        "1",
        "a.",
        "abcdefg.",
        "password=",
        '"password',
        '"password":"',
        '"',
        "1.",
        "[",
        "1-",
        "a-1.",
        "id ",
        "https://",
        "for value ",
        "12:",
    ],
)
def test_a_long_hostile_text_is_read_once_not_once_per_letter(unit: str) -> None:
    """Quadratic patterns would need minutes here, and block every user of the process."""
    for _ in range(20):
        assert len(redact(unit * (20_000 // len(unit)))) <= MAX_TEXT
        assert len(one_line(unit * (20_000 // len(unit)))) <= MAX_LINE


HOSTILE = "bad\x1b]0;owned\x07 \x9b31m\u202ereversed\x7f"


@pytest.mark.parametrize("clean", [redact, one_line])
def test_a_server_cannot_speak_to_the_terminal(clean: Callable[[str], str]) -> None:
    """Escape sequences, eight-bit ones too, and marks that turn the direction of text."""
    assert clean(HOSTILE) == "bad ]0;owned 31m reversed"


@given(st.text(max_size=2000))
def test_what_is_left_can_be_printed(text: str) -> None:
    assert redact(text).isprintable()
    assert one_line(text).isprintable()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"a.b.x_{JWT} was", "a.b.x_<token> was"),
        ("cut " + JWT.partition(".")[0], "cut <token>"),
        ("JWE eyJhbGci.a1.b2.c3.d4 gone", "JWE <token> gone"),
        ("Authorization: Bearer abcdef0123456789abc", "Authorization: Bearer <secret>"),
        ("authorization: basic bWU6aHVudGVyMjEyMw==", "authorization: basic <secret>"),
        ("Basic authentication failed", "Basic authentication failed"),
        ("no way to http://me:hunter2@proxy.example:3128", "no way to http://<secret>@proxy.example:3128"),
        (
            "device_code=a client_assertion=b token=c code_verifier=d",
            "device_code=<secret> client_assertion=<secret> token=<secret> code_verifier=<secret>",
        ),
        ("error_code=1213 status=500", "error_code=1213 status=500"),
        ('{"userName": "ada", "password": "hunter2"} refused', '{"userName": "ada", "password": "<secret>"} refused'),
        ("{'client_secret':'x y','n':1}", "{'client_secret':'<secret>','n':1}"),
        ('{"registration_access_token":"ab-1', '{"registration_access_token":"<secret>'),
        ('{"id_token_hint":"a","device_code":"b"}', '{"id_token_hint":"<secret>","device_code":"<secret>"}'),
        (r'"{\"password\":\"hunter2\"}"', r'"{\"password\":\"<secret>"}"'),
        ('{"code":"E42","token_type":"Bearer","tokens":"3"}', '{"code":"E42","token_type":"Bearer","tokens":"3"}'),
    ],
)
def test_a_message_for_people_keeps_hosts_and_loses_what_proves_somebody(text: str, expected: str) -> None:
    assert one_line(text) == expected
