"""What a flow yields and what a sender gives back. Tuples, since one of each is made for every request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from iam_loadtest.results.outcome import Outcome


class Request(NamedTuple):
    """One HTTP request of a step. Headers and body hold credentials and are not in the repr.

    ``kind`` is what is asked for: a grant, or a :class:`RequestKind`; it decides how the answer is read.
    With ``follow_redirects`` the answer is that at the end of the redirects, and the user's cookies are sent and kept.
    """

    step: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"
    kind: str = ""
    follow_redirects: bool = False

    def __repr__(self) -> str:
        return f"Request(step={self.step!r}, url={self.url!r}, method={self.method!r})"


class Response(NamedTuple):
    """What came back; ``status`` is 0 and ``failure`` is set where the transport gave no answer.

    ``detail`` says in a few words what the transport failed at; ``retry_after`` whether that header was there.
    ``received_us`` is when the last byte had come, on the clock of the process, 0 where the transport does not know.
    ``location`` and ``set_cookies`` are those headers as they came. Nothing that may hold tokens is in the repr.
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

    def __repr__(self) -> str:
        return f"Response(status={self.status}, failure={self.failure!s}, detail={self.detail!r})"
