"""Which redirects are followed, with what, and which are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.flow.cookie_jar import CookieJar
from iam_loadtest.flow.message import Request, Response, Visit
from iam_loadtest.flow.redirect import RedirectRefusedError, is_forbidden, redirected, send_following
from iam_loadtest.results.outcome import Outcome

SECURE = "https://iam.example.org/login"
PLAIN = "http://iam.example.org/login"


def page(url: str = SECURE, method: str = "GET", body: bytes = b"", **headers: str) -> Request:
    return Request("login_page", url, headers, body, method)


def to(location: str, status: int = 302) -> Response:
    return Response(status, location=location)


@pytest.mark.parametrize(
    ("url", "location", "followed"),
    [
        (SECURE, "/form", "https://iam.example.org/form"),
        (SECURE, "form?x=1#top", "https://iam.example.org/form?x=1"),
        (SECURE, "//www.example.org/", "https://www.example.org/"),
        (SECURE, "https://www.example.org:8443/a", "https://www.example.org:8443/a"),
        (SECURE, "/f\xc3\xbcr alle", "https://iam.example.org/f%C3%BCr%20alle"),
        (PLAIN, "/form", "http://iam.example.org/form"),
        (PLAIN, "http://iam.example.org:80/form", "http://iam.example.org:80/form"),
        (PLAIN, "https://iam.example.org/form", "https://iam.example.org/form"),
        ("http://169.254.1.1/login", "/form", "http://169.254.1.1/form"),
    ],
)
def test_a_redirect_leads_where_its_location_says(url: str, location: str, followed: str) -> None:
    assert redirected(page(url), to(location)).url == followed


@pytest.mark.parametrize(
    ("url", "location", "why"),
    [
        (SECURE, "", "a redirect without a Location"),
        (SECURE, "http://iam.example.org/form", "a redirect from https to http"),
        (PLAIN, "http://www.example.org/form", "a redirect to another host without https"),
        (PLAIN, "http://iam.example.org:8080/form", "a redirect to another host without https"),
        (SECURE, "file:///etc/passwd", "a redirect to something that is no http or https URL"),
        (SECURE, "javascript:alert(1)", "a redirect to something that is no http or https URL"),
        (SECURE, "https://user@www.example.org/", "a redirect to something that is no http or https URL"),
        (SECURE, "https://[::1/", "a redirect to something that is no URL"),
        (SECURE, "https://www.example.org:99999/", "a redirect to something that is no URL"),
        (SECURE, "https://169.254.169.254/latest/meta-data/", "a redirect to a link-local address"),
        (SECURE, "https://[fe80::1]/", "a redirect to a link-local address"),
        (SECURE, "https://[::ffff:169.254.169.254]/", "a redirect to a link-local address"),
        (SECURE, "https://[fd00:ec2::254]/", "a redirect to a link-local address"),
        (SECURE, "https://0.0.0.0/", "a redirect to a link-local address"),
    ],
)
def test_a_redirect_that_leads_astray_is_refused(url: str, location: str, why: str) -> None:
    with pytest.raises(RedirectRefusedError, match=f"^{why}$"):
        redirected(page(url), to(location))


@pytest.mark.parametrize(
    ("method", "status", "then"),
    [
        ("GET", 302, ("GET", b"")),
        ("HEAD", 303, ("HEAD", b"")),
        ("POST", 301, ("GET", b"")),
        ("POST", 302, ("GET", b"")),
        ("POST", 303, ("GET", b"")),
        ("POST", 307, ("POST", b"a=1")),
        ("POST", 308, ("POST", b"a=1")),
    ],
)
def test_the_method_changes_as_in_browsers(method: str, status: int, then: tuple[str, bytes]) -> None:
    body = b"a=1" if method == "POST" else b""
    request = redirected(page(method=method, body=body), to("/form", status))
    assert (request.method, request.body) == then


def test_a_form_is_not_sent_to_another_host() -> None:
    with pytest.raises(RedirectRefusedError, match="would send a form to another host"):
        redirected(page(method="POST", body=b"password=x"), to("https://www.example.org/", 307))


def test_credentials_stay_with_their_origin() -> None:
    request = page(Authorization="Bearer x", Accept="text/html", Cookie="a=1")
    assert redirected(request, to("/form")).headers == request.headers
    assert redirected(request, to("https://www.example.org/")).headers == {"Accept": "text/html"}


class Site:
    """Answers by URL, and keeps what it was asked."""

    def __init__(self, **pages: Response) -> None:
        self.pages = pages
        self.asked: list[tuple[str, str, bool]] = []

    def send(self, request: Request, is_elsewhere: bool) -> Response:
        self.asked.append((request.url, request.headers.get("Cookie", ""), is_elsewhere))
        return self.pages[request.url.rpartition("/")[2]]


def test_the_answer_is_the_last_ones_and_cookies_are_sent_on_the_way() -> None:
    site = Site(login=to("/form")._replace(set_cookies=("s=1; Path=/",)), form=Response(200, b"page"))
    cookies = CookieJar()
    assert send_following(page(), Visit(cookies), site.send).body == b"page"
    assert site.asked == [(SECURE, "", False), ("https://iam.example.org/form", "s=1", False)]
    assert cookies.header(SECURE) == "s=1"


@pytest.mark.parametrize(
    "location", ["http://localhost:4000/callback?code=c&state=s", "http://localhost:4000/callback"]
)
def test_a_redirect_to_the_client_is_the_answer_and_is_not_followed(location: str) -> None:
    site = Site(login=to("/form"), form=to(location))
    visit = Visit(CookieJar(), "http://localhost:4000/callback")
    response = send_following(page(), visit, site.send)
    assert (response.status, response.location, response.failure) == (302, location, None)
    assert response.url == "https://iam.example.org/form"


def test_a_redirect_to_what_only_begins_like_the_client_is_no_answer() -> None:
    site = Site(login=to("http://localhost:4000/callback.evil.example/?code=c"))
    response = send_following(page(), Visit(CookieJar(), "http://localhost:4000/callback"), site.send)
    assert response.failure is Outcome.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "location", ["//[x", "http://[", "https://a..b/", f"https://{64 * 'a'}.example/", "//x:99999/"]
)
def test_a_redirect_to_no_url_is_a_protocol_error(location: str) -> None:
    """Also where a redirect back to the client is looked for first."""
    response = send_following(
        page(), Visit(CookieJar(), "http://localhost:4000/callback"), Site(login=to(location)).send
    )
    assert (response.failure, response.detail) == (Outcome.PROTOCOL_ERROR, "a redirect to something that is no URL")


def test_a_request_on_another_origin_is_marked() -> None:
    site = Site(login=to("https://www.example.org/form"), form=Response(200))
    send_following(page(), Visit(CookieJar()), site.send)
    assert [is_elsewhere for _, _, is_elsewhere in site.asked] == [False, True]


def test_a_loop_ends_after_ten_redirects() -> None:
    site = Site(login=to("/login"))
    response = send_following(page(), Visit(CookieJar()), site.send)
    assert (response.failure, response.status, response.detail) == (
        Outcome.PROTOCOL_ERROR,
        302,
        "more than 10 redirects",
    )
    assert len(site.asked) == 11


def test_a_failure_on_the_way_is_the_failure_of_the_whole() -> None:
    site = Site(login=to("/form"), form=Response(0, failure=Outcome.TIMEOUT, detail="late"))
    assert send_following(page(), Visit(CookieJar()), site.send).failure is Outcome.TIMEOUT


@given(st.text(max_size=100), st.sampled_from([SECURE, PLAIN]))
def test_any_location_is_followed_safely_or_refused(location: str, url: str) -> None:
    try:
        request = redirected(page(url), to(location))
    except RedirectRefusedError:
        return
    assert request.url.isascii()
    assert not set(request.url) & set(" \r\n\0")
    assert request.url.startswith(("https://", "http://iam.example.org/", "http://iam.example.org:80/"))


@pytest.mark.parametrize(
    ("address", "forbidden"),
    [("127.0.0.1", False), ("10.1.2.3", False), ("169.254.169.254", True), ("fe80::1%eth0", True), ("::", True)],
)
def test_addresses_that_a_redirect_may_not_lead_to(address: str, forbidden: bool) -> None:
    assert is_forbidden(address) is forbidden
