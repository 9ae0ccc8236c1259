"""Backends: which serving node answered how many requests of a trial's window, and what they came to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from iam_loadtest.analysis.part import add_outcomes
from iam_loadtest.analysis.rows import Rows
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.trial import WindowMarks

UNNAMED = ""
"""The backend of requests whose answer named none, or that had no answer."""


@dataclass(frozen=True)
class Backend:
    """Requests by outcome of one serving node; rows of whole chains are no requests."""

    name: str
    outcomes: Mapping[str, int]

    @property
    def requests(self) -> int:
        """All requests that it served."""
        return sum(self.outcomes.values())

    @property
    def failed(self) -> int:
        """Those that did not succeed."""
        return self.requests - self.outcomes.get(Outcome.OK, 0)

    @property
    def stale_reads(self) -> int:
        """Those that were refused because the node did not know a fresh credential."""
        return self.outcomes.get(Outcome.STALE_READ, 0)


class BackendCounter:
    """Counts the requests of a trial's window by backend and outcome over its batches."""

    def __init__(self, marks: WindowMarks) -> None:
        self._marks = marks
        self._counts: dict[str, dict[str, int]] = {}

    def add(self, rows: Rows) -> None:
        """Count one batch; nothing is counted without a complete window."""
        start_us, end_us = self._marks.window_start_us, self._marks.window_end_us
        if start_us is None or end_us is None:
            return
        chosen = rows.is_request & (rows.started_us >= start_us) & (rows.started_us < end_us)
        pairs = rows.backend[chosen] * len(rows.outcomes) + rows.outcome[chosen]
        for pair, count in enumerate(np.bincount(pairs)):
            if count:
                name, outcome = rows.backends[pair // len(rows.outcomes)], rows.outcomes[pair % len(rows.outcomes)]
                own = self._counts.setdefault(name, {})
                own[outcome] = own.get(outcome, 0) + int(count)

    def backends(self) -> tuple[Backend, ...]:
        """By name, requests without one last; empty where no answer named its backend."""
        return _backends(self._counts.items())


def add_backends(trials: Iterable[tuple[Backend, ...]]) -> tuple[Backend, ...]:
    """The backends of several trials, counts added up."""
    totals: dict[str, Mapping[str, int]] = {}
    for backends in trials:
        for one in backends:
            totals[one.name] = add_outcomes([totals.get(one.name, {}), one.outcomes])
    return _backends(totals.items())


def _backends(counts: Iterable[tuple[str, Mapping[str, int]]]) -> tuple[Backend, ...]:
    found = [Backend(name, add_outcomes([outcomes])) for name, outcomes in counts]
    if all(one.name == UNNAMED for one in found):
        return ()
    return tuple(sorted(found, key=lambda one: (one.name == UNNAMED, one.name)))
