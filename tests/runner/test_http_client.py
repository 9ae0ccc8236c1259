"""The few requests before a load behave as the load's own will."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from pathlib import Path

from iam_loadtest.flow.message import Request
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.runner.http_client import HttpClient
from iam_loadtest.scenario.target import Target
from tests.runner.servers import serving, text


def page(url: str) -> Request:
    return Request("login_page", url, {"Accept": "text/html"}, b"", "GET", follow_redirects=True)


def show_cookie(request: BaseHTTPRequestHandler) -> None:
    """What came with the request."""
    text(200, request.headers.get("Cookie", "no cookie"))(request)


def test_a_page_is_at_the_end_of_its_redirects_with_the_cookies_of_the_way() -> None:
    with serving({"/form": show_cookie}) as server:
        server.answers["/login"] = text(302, "", Location="/form", Set_Cookie="s=1; Path=/")
        client = HttpClient(Target(), Path())
        assert client.send(page(f"{server.url}login")).body == b"s=1"
        client.close()


def test_cookies_of_other_requests_are_not_kept() -> None:
    with serving({"/form": show_cookie, "/token": text(200, "", Set_Cookie="s=1; Path=/")}) as server:
        client = HttpClient(Target(), Path())
        client.send(Request("issue", f"{server.url}token", {}, b""))
        assert client.send(Request("issue", f"{server.url}form", {}, b"")).body == b"no cookie"
        client.close()


def test_a_redirect_that_leads_astray_is_a_protocol_error() -> None:
    with serving({"/login": text(302, "", Location="http://localhost:1/")}) as server:
        client = HttpClient(Target(), Path())
        response = client.send(page(f"{server.url}login"))
        client.close()
    assert (response.failure, response.detail) == (
        Outcome.PROTOCOL_ERROR,
        "a redirect to another host without https",
    )
