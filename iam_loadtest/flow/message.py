"""What a flow yields and what a sender gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from iam_loadtest.results.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request of a step. Headers and body hold credentials and are not in the repr."""

    step: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Response:
    """What came back; ``status`` is 0 and ``failure`` is set where the transport gave no answer.

    ``detail`` says in a few words what the transport failed at; ``retry_after`` whether that header was there.
    """

    status: int
    body: bytes = field(repr=False, default=b"")
    backend: str = ""
    retry_after: bool = False
    failure: Outcome | None = None
    detail: str = ""
