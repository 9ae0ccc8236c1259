"""Texts of failures: few, and without anything that only one request has."""

from __future__ import annotations

from collections import Counter

from iam_loadtest.results.outcome import Outcome

MAX_TEXTS = 100
"""Distinct texts that one process tells apart; every one is a row of Locust's statistics."""

_OTHER = "(further texts)"


class FailureTexts:
    """Makes the text of each failure and counts them since they were last taken."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._counts: Counter[str] = Counter()

    def text(self, outcome: Outcome, detail: str) -> str:
        """``outcome: detail``, or the outcome alone once there are too many texts. ``detail`` is redacted already."""
        text = f"{outcome}: {detail}" if detail else str(outcome)
        if text not in self._known:
            if len(self._known) >= MAX_TEXTS:
                text = f"{outcome}: {_OTHER}"
            self._known.add(text)
        self._counts[text] += 1
        return text

    def take(self) -> dict[str, int]:
        """How often each text occurred since the last call."""
        counts, self._counts = dict(self._counts), Counter()
        return counts
