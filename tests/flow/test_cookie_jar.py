"""What a virtual user's cookies are, and where they are sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.flow.cookie_jar import MAX_COOKIES, CookieJar

LOGIN = "https://iam.example.org/login/form"


def jar_with(*set_cookies: str, url: str = LOGIN, now_s: float = 1000.0) -> CookieJar:
    jar = CookieJar(lambda: now_s)
    jar.take(url, set_cookies)
    return jar


@pytest.mark.parametrize(
    ("set_cookie", "url", "sent"),
    [
        ("a=1", "https://iam.example.org/login/next", "a=1"),
        ("a=1", "https://iam.example.org/login", "a=1"),
        ("a=1", "https://iam.example.org/loginpage", ""),
        ("a=1", "https://iam.example.org/", ""),
        ("a=1; Path=/", "https://iam.example.org/", "a=1"),
        ("a=1; Path=/", "https://www.example.org/", ""),
        ("a=1; Path=/", "https://sub.iam.example.org/", ""),
        ("a=1; Path=/; Domain=example.org", "https://www.example.org/", "a=1"),
        ("a=1; Path=/; Domain=.example.org", "https://example.org/", "a=1"),
        ("a=1; Path=/; Domain=example.org", "https://badexample.org/", ""),
        ("a=1; Path=/; Domain=other.org", "https://other.org/", ""),
        ("a=1; Path=/; Domain=org", "https://iam.example.org/", ""),
        ("a=1; Path=/; Secure", "http://iam.example.org/", ""),
        ("a=1; Path=/; Secure; HttpOnly; SameSite=Lax", "https://iam.example.org/", "a=1"),
        ("a=b=c; Path=/", "https://iam.example.org/", "a=b=c"),
        ("a=; Path=/", "https://iam.example.org/", "a="),
        ("no cookie", "https://iam.example.org/login/form", ""),
        ("=1; Path=/", "https://iam.example.org/", ""),
        ("a=1; Path=/; Max-Age=5", "https://iam.example.org/", "a=1"),
        ("a=1; Path=/; Max-Age=0", "https://iam.example.org/", ""),
        ("a=1; Path=/; Max-Age=soon", "https://iam.example.org/", "a=1"),
        ("a=1; Path=/; Expires=Thu, 01 Jan 1970 00:00:01 GMT", "https://iam.example.org/", ""),
        ("a=1; Path=/; Expires=Thu, 01 Jan 2970 00:00:01 GMT", "https://iam.example.org/", "a=1"),
        ("a=1; Path=/; Expires=tomorrow", "https://iam.example.org/", "a=1"),
        ("a=1; Path=/; Max-Age=5; Expires=Thu, 01 Jan 1970 00:00:01 GMT", "https://iam.example.org/", "a=1"),
        ("a=" + "x" * 5000 + "; Path=/", "https://iam.example.org/", ""),
    ],
)
def test_a_cookie_goes_where_its_attributes_allow(set_cookie: str, url: str, sent: str) -> None:
    assert jar_with(set_cookie).header(url) == sent


def test_a_plain_answer_cannot_set_a_secure_cookie() -> None:
    assert jar_with("a=1; Secure", url="http://iam.example.org/").header("https://iam.example.org/") == ""


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "127.0.0.9", "[::1]:8080", "localhost:8080", "iam.localhost"])
def test_this_machine_is_trusted_with_secure_cookies(host: str) -> None:
    """Secure Contexts (W3C) section 3.1: nobody is between; Keycloak sets only such cookies, without TLS too."""
    assert jar_with("a=1; Path=/; Secure", url=f"http://{host}/").header(f"http://{host}/") == "a=1"


@pytest.mark.parametrize("host", ["10.0.0.1", "localhost.example.org", "127.0.0.1.example.org", "[fe80::1]"])
def test_other_machines_are_not(host: str) -> None:
    assert jar_with("a=1; Path=/; Secure", url=f"http://{host}/").header(f"http://{host}/") == ""


def test_an_address_has_no_cookies_of_a_domain_above_it() -> None:
    jar = jar_with("a=1; Path=/; Domain=0.0.1", url="http://127.0.0.1/")
    assert jar.header("http://127.0.0.1/") == ""


def test_a_cookie_replaces_the_one_of_its_name_and_max_age_zero_removes_it() -> None:
    jar = jar_with("a=1", "b=1", "a=2")
    assert jar.header(LOGIN) == "b=1; a=2"
    jar.take(LOGIN, ["b=; Max-Age=0"])
    assert jar.header(LOGIN) == "a=2"


def test_a_cookie_is_no_longer_sent_once_it_has_expired() -> None:
    now = [1000.0]
    jar = CookieJar(lambda: now[0])
    jar.take(LOGIN, ["a=1; Max-Age=60"])
    now[0] = 1059.0
    assert jar.header(LOGIN) == "a=1"
    now[0] = 1061.0
    assert jar.header(LOGIN) == ""


def test_the_longer_path_comes_first() -> None:
    assert jar_with("a=root; Path=/", "a=login; Path=/login").header(LOGIN) == "a=login; a=root"


def test_a_max_age_beyond_any_clock_is_a_cookie_of_the_session() -> None:
    assert jar_with("a=1; Max-Age=" + 400 * "9").header(LOGIN) == "a=1"


@given(st.lists(st.text(max_size=80), max_size=200))
def test_whatever_a_server_sets_the_jar_stays_small_and_nothing_is_raised(set_cookies: list[str]) -> None:
    jar = jar_with(*(f"n{number}={text}" for number, text in enumerate(set_cookies)), *set_cookies)
    assert len([part for part in jar.header(LOGIN).split("; ") if "=" in part]) <= MAX_COOKIES
