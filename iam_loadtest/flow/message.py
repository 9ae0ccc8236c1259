"""What a flow yields and what a sender gives back. Tuples, since one of each is made for every request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from iam_loadtest.flow.cookie_jar import CookieJar
from iam_loadtest.results.outcome import Outcome


class Visit(NamedTuple):
    """A browser's way through pages: its cookies, and where redirects end because the client takes over there.

    ``state`` is what must come back to ``redirect_uri`` (RFC 6749 section 10.12).
    """

    cookies: CookieJar
    redirect_uri: str = ""
    state: str = ""

    def __repr__(self) -> str:
        return f"Visit(redirect_uri={self.redirect_uri!r})"


class Request(NamedTuple):
    """One HTTP request of a step. Headers and body hold credentials and are not in the repr.

    ``kind`` is what is asked for: a grant, or a :class:`RequestKind`; it decides how the answer is read.
    With a ``visit`` the answer is that at the end of the redirects, as a browser would see it. ``signing_us`` is what
    it took to prove the client before anything was sent; ``renew`` makes the same request with a new proof, where a
    proof is good for one request only.
    """

    step: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"
    kind: str = ""
    visit: Visit | None = None
    signing_us: int = 0
    renew: Callable[[], Request] | None = None

    def __repr__(self) -> str:
        return f"Request(step={self.step!r}, url={self.url!r}, method={self.method!r})"


class Response(NamedTuple):
    """What came back; ``status`` is 0 and ``failure`` is set where the transport gave no answer.

    ``detail`` says in a few words what the transport failed at; ``retry_after`` whether that header was there.
    ``received_us`` is when the last byte had come, on the clock of the process, 0 where the transport does not know.
    ``location`` and ``set_cookies`` are those headers as they came, ``url`` is where a visit ended, with ``location``
    in full where that is the client's redirect URI. Nothing that may hold tokens is in the repr.
    """

    status: int
    body: bytes = b""
    backend: str = ""
    retry_after: bool = False
    failure: Outcome | None = None
    detail: str = ""
    received_us: int = 0
    location: str = ""
    set_cookies: tuple[str, ...] = ()
    url: str = ""

    def __repr__(self) -> str:
        return f"Response(status={self.status}, failure={self.failure!s}, detail={self.detail!r})"
