"""What was reported of each request, where Locust's listeners are told."""

from __future__ import annotations

from typing import NamedTuple

from iam_loadtest.flow.message import Request


class Answered(NamedTuple):
    """One request."""

    request: Request
    latency_us: int
    response_bytes: int
    failure: str | None


class Reports(list[Answered]):
    """Keeps what it is called with."""

    def __call__(self, request: Request, latency_us: int, response_bytes: int, failure: str | None) -> None:
        self.append(Answered(request, latency_us, response_bytes, failure))
