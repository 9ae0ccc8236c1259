"""Redirects as a careful browser follows them, for requests that ask for it: a token endpoint must not redirect."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, urldefrag, urljoin, urlsplit

from iam_loadtest.flow.cookie_jar import CookieJar
from iam_loadtest.flow.message import Request, Response, Visit
from iam_loadtest.oidc.redact import printable
from iam_loadtest.results.outcome import Outcome

MAX_REDIRECTS: Final = 10
DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_FOLLOWED: Final = frozenset({301, 302, 303, 307, 308})
_KEEPS_METHOD: Final = frozenset({307, 308})
_OF_A_BODY: Final = frozenset({"content-type", "content-length"})
_OF_ONE_ORIGIN: Final = frozenset({"authorization", "cookie"})
URL_CHARACTERS: Final = "!#$%&'()*+,/:;=?@[]~"
"""What a browser leaves as it is; the rest of a URL that a server wrote it encodes."""
_METADATA: Final = frozenset({"fd00:ec2::254", "100.100.100.200"})
"""Where clouds answer with credentials, beside the link-local addresses."""

FORBIDDEN_REDIRECT: Final = "a redirect to a link-local address"
_NO_URL: Final = "a redirect to something that is no URL"

Origin = tuple[str, str, int]


class RedirectRefusedError(Exception):
    """A redirect that is not followed; the text says why and names no address."""


def send_following(request: Request, visit: Visit, send: Callable[[Request, bool], Response]) -> Response:
    """The last answer of a chain of redirects, with the visit's cookies sent and kept on the way.

    A redirect to the visit's redirect URI is an answer: it is not followed. ``send`` is told with each request whether
    a redirect led to another origin than the one that was asked first: a name there must not be resolved to an address
    of :func:`is_forbidden`. A redirect that is refused is a protocol_error with the status of the redirect.
    """
    first = origin_of(request.url)
    for _ in range(MAX_REDIRECTS + 1):
        response = send(_with_cookies(request, visit.cookies), origin_of(request.url) != first)
        visit.cookies.take(request.url, response.set_cookies)
        if response.failure is not None or response.status not in _FOLLOWED:
            return response._replace(url=request.url)
        try:
            back = _joined(request.url, response.location)
            if visit.redirect_uri and _without_query(back) == _without_query(visit.redirect_uri):
                return response._replace(url=request.url, location=back)
            request = redirected(request, response)
        except RedirectRefusedError as refusal:
            return _refused(response, str(refusal))
    return _refused(response, f"more than {MAX_REDIRECTS} redirects")


def redirected(request: Request, response: Response) -> Request:
    """The request that a redirect asks for; raises RedirectRefusedError where it is not to be followed.

    A 301, 302 or 303 is followed with GET and without the body, as browsers do. Credentials go to no other origin.
    """
    url = _target(request.url, response.location)
    is_elsewhere = origin_of(url) != origin_of(request.url)
    keeps = response.status in _KEEPS_METHOD or request.method in {"GET", "HEAD"}
    if keeps and request.body and is_elsewhere:
        raise RedirectRefusedError("a redirect that would send a form to another host")
    dropped = (_OF_ONE_ORIGIN if is_elsewhere else frozenset()) | (frozenset() if keeps else _OF_A_BODY)
    headers = {name: value for name, value in request.headers.items() if name.lower() not in dropped}
    if keeps:
        return request._replace(url=url, headers=headers)
    return request._replace(url=url, headers=headers, method="GET", body=b"")


def origin_of(url: str) -> Origin:
    """Scheme, host and port of an http or https URL."""
    split = urlsplit(url)
    return split.scheme, split.hostname or "", split.port or DEFAULT_PORTS.get(split.scheme, 0)


def without_secrets(location: str) -> str:
    """Where a redirect leads, without what may be secret in it."""
    return printable(location.partition("?")[0].partition("#")[0].rpartition("@")[2][:200]) or "nowhere"


def is_forbidden(address: str) -> bool:
    """Whether a redirect may not lead to an IP address: link-local, metadata of a cloud, or no host at all."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    found = mapped or found
    return found.is_link_local or found.is_multicast or found.is_unspecified or str(found) in _METADATA


def _joined(base: str, location: str) -> str:
    try:
        return urljoin(base, location)
    except ValueError:
        raise RedirectRefusedError(_NO_URL) from None


def _target(base: str, location: str) -> str:
    """The URL that a Location means, checked."""
    if not location:
        raise RedirectRefusedError("a redirect without a Location")
    try:
        url = urldefrag(urljoin(base, quote(location.encode("latin-1", "replace"), safe=URL_CHARACTERS))).url
        split, (scheme, host, port) = urlsplit(url), origin_of(url)
        host.encode("idna")  # a label that is empty or too long: no resolver and no TLS takes it
    except ValueError:
        raise RedirectRefusedError(_NO_URL) from None
    if scheme not in DEFAULT_PORTS or not host or not port or split.username is not None:
        raise RedirectRefusedError("a redirect to something that is no http or https URL")
    if scheme == "http" and urlsplit(base).scheme == "https":
        raise RedirectRefusedError("a redirect from https to http")
    if scheme == "http" and (scheme, host, port) != origin_of(base):
        raise RedirectRefusedError("a redirect to another host without https")
    if (scheme, host, port) != origin_of(base) and _is_forbidden_host(host):
        raise RedirectRefusedError(FORBIDDEN_REDIRECT)
    return url


def _without_query(url: str) -> str:
    return url.partition("#")[0].partition("?")[0]


def _is_forbidden_host(host: str) -> bool:
    try:
        return is_forbidden(host)
    except ValueError:
        return False


def _with_cookies(request: Request, cookies: CookieJar) -> Request:
    value = cookies.header(request.url)
    if not value:
        return request
    headers = {name: old for name, old in request.headers.items() if name.lower() != "cookie"}
    return request._replace(headers={**headers, "Cookie": value})


def _refused(response: Response, detail: str) -> Response:
    return response._replace(failure=Outcome.PROTOCOL_ERROR, detail=detail, body=b"")
