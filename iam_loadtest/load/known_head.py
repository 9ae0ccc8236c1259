"""Heads of answers that were parsed before: servers send the same one again and again, until their Date changes."""

from __future__ import annotations

from typing import NamedTuple

MAX_KNOWN = 64
MAX_KNOWN_BYTES = 2048
_END = b"\r\n\r\n"


class KnownHead(NamedTuple):
    """What the parser said about a head: a 2xx framed by its length, on a connection that stays open."""

    status: int
    body_bytes: int
    backend: str


class KnownHeads:
    """Heads by their bytes. What equal bytes mean is equal, so the parser need not see them twice.

    A server whose every head is another one (a request's id, a cookie) costs a look each; few are kept.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, KnownHead] = {}

    def __len__(self) -> int:
        return len(self._known)

    def match(self, data: bytes) -> tuple[KnownHead, int] | None:
        """The known head that ``data`` begins with, and where the body begins, where ``data`` is one whole answer."""
        end = data.find(_END) + 4
        known = self._known.get(data[:end])
        if known is None or len(data) - end != known.body_bytes:
            return None
        return known, end

    def learn(self, data: bytes, head: KnownHead) -> None:
        """Keep the head of an answer that ``data`` was as a whole, and the parser found in order."""
        end = data.find(_END) + 4
        if 4 <= end <= MAX_KNOWN_BYTES and len(data) - end == head.body_bytes:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            self._known[data[:end]] = head
