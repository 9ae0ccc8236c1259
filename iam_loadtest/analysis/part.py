"""Part: the figures of one step, of the whole chain, or of all requests of a trial, over its measured window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from iam_loadtest.analysis.percentile import PERMILLE, percentiles
from iam_loadtest.results.outcome import Outcome

ALL_REQUESTS = "all requests"
"""The name of the part that holds every HTTP request; the rows of whole chains are not among them."""


@dataclass(frozen=True)
class Latency:
    """Percentiles and maximum over successful rows, in microseconds; each None where no row succeeded."""

    p50_us: int | None = None
    p80_us: int | None = None
    p95_us: int | None = None
    p99_us: int | None = None
    p99_9_us: int | None = None
    max_us: int | None = None


@dataclass(frozen=True)
class Part:
    """Counts, rates and latencies of rows that started in the window.

    ``throughput_per_s`` is goodput, successful rows a second; ``attempted_per_s`` counts every row.
    ``latency`` is empty for all requests together: percentiles over unlike steps describe none of them.
    """

    name: str
    requests: int
    outcomes: Mapping[str, int]
    window_s: float
    latency: Latency = Latency()

    @property
    def ok(self) -> int:
        """Rows that succeeded."""
        return self.outcomes.get(Outcome.OK, 0)

    @property
    def failed(self) -> int:
        """Rows that did not succeed, whatever the outcome."""
        return self.requests - self.ok

    @property
    def failure_share(self) -> float | None:
        """Failed rows of all rows, from 0 to 1; None where there were none at all."""
        return self.failed / self.requests if self.requests else None

    @property
    def throughput_per_s(self) -> float | None:
        """Successful rows per second of the window."""
        return self.ok / self.window_s if self.window_s > 0 else None

    @property
    def attempted_per_s(self) -> float | None:
        """All rows per second of the window, successful or not."""
        return self.requests / self.window_s if self.window_s > 0 else None


def latency_of(values_us: npt.NDArray[Any]) -> Latency:
    """Exact percentiles of latencies in microseconds."""
    if not len(values_us):
        return Latency()
    found = percentiles(values_us, (*PERMILLE.values(), 1000))
    return Latency(*found)


def add_outcomes(parts: list[Mapping[str, int]]) -> dict[str, int]:
    """Counts by outcome, added up, in the order of :class:`Outcome` with unknown names last."""
    totals: dict[str, int] = {}
    for outcomes in parts:
        for name, count in outcomes.items():
            totals[name] = totals.get(name, 0) + count
    order = {str(outcome): position for position, outcome in enumerate(Outcome)}
    return dict(sorted(totals.items(), key=lambda item: (order.get(item[0], len(order)), item[0])))


def all_requests(steps: Sequence[Part], window_s: float) -> Part:
    """Every HTTP request of the trial's window as one part, without latencies."""
    outcomes = add_outcomes([step.outcomes for step in steps])
    return Part(ALL_REQUESTS, sum(step.requests for step in steps), outcomes, window_s)


class PartCounter:
    """Collects the rows of one step over the batches of a trial."""

    def __init__(self) -> None:
        self._latencies: list[npt.NDArray[np.int64]] = []
        self._outcomes: dict[str, int] = {}

    def add(self, latency_us: npt.NDArray[np.int64], outcome: npt.NDArray[np.int64], outcomes: tuple[str, ...]) -> None:
        """Count rows of one batch and keep the latencies of the successful ones."""
        for code, count in enumerate(np.bincount(outcome, minlength=len(outcomes))):
            if count:
                self._outcomes[outcomes[code]] = self._outcomes.get(outcomes[code], 0) + int(count)
        if Outcome.OK in outcomes:
            self._latencies.append(latency_us[outcome == outcomes.index(Outcome.OK)])

    def part(self, name: str, window_s: float) -> Part:
        """The figures of everything added."""
        outcomes = add_outcomes([self._outcomes])
        return Part(name, sum(outcomes.values()), outcomes, window_s, latency_of(self.latencies_us()))

    def latencies_us(self) -> npt.NDArray[np.int64]:
        """Latencies of the successful rows, in no order."""
        return np.concatenate(self._latencies) if self._latencies else np.empty(0, np.int64)
