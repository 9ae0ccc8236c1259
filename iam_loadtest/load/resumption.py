"""Whether servers take TLS sessions up again, so that none is kept for those that never do.

Reading a connection's session loses some 5 KB of memory for ever in Python 3.10 to 3.13.0 (gh-116810; later releases of
3.12 and 3.13 are mended, 3.11 is not), so a session is read once and kept for as long as its server takes it.
"""

from __future__ import annotations

from iam_loadtest.flow.redirect import Origin

MAX_REFUSED = 50
"""A server that took up none of so many sessions takes up none: several behind one name may take up each its own."""
MAX_ORIGINS = 64
"""Redirects can name any number of them; beyond so many, all are tried anew."""


class Resumption:
    """What became of the sessions that the users of a process offered, by origin."""

    def __init__(self) -> None:
        self._refused: dict[Origin, int] = {}
        self._taken_up: set[Origin] = set()

    def note(self, origin: Origin, is_resumed: bool) -> None:
        """A session was offered, and taken up or not."""
        if len(self._refused) + len(self._taken_up) >= 2 * MAX_ORIGINS:
            self._refused.clear()
            self._taken_up.clear()
        if is_resumed:
            self._taken_up.add(origin)
        else:
            self._refused[origin] = self._refused.get(origin, 0) + 1

    def is_worthwhile(self, origin: Origin) -> bool:
        """Whether a session of an origin may be taken up, by all that is known."""
        return origin in self._taken_up or self._refused.get(origin, 0) < MAX_REFUSED
