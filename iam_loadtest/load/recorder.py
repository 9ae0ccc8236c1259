"""Keeps every request of one process as a row, until the rows are shipped."""

from __future__ import annotations

from collections.abc import Sequence

from iam_loadtest.load.clock import Timeline, now_us
from iam_loadtest.load.failure_text import FailureTexts
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.sample import ROWS_AT_A_TIME, WORKFLOW_STEP, SampleBuffer

MAX_BACKENDS = 250
OTHER_BACKEND = "(other)"


class Signing:
    """What proving clients by assertions took since the start: it is a cost of the generator, part of no latency."""

    __slots__ = ("assertions", "total_us")

    def __init__(self) -> None:
        self.assertions = 0
        self.total_us = 0

    def add(self, took_us: int) -> None:
        """Count one assertion."""
        self.assertions += 1
        self.total_us += took_us


class Recorder:
    """The rows of one process since they were last taken, and the totals since the start.

    :meth:`synchronise` comes before the first row. Without ``keeps_rows`` only the failures' texts are counted.
    """

    def __init__(self, keeps_rows: bool = True) -> None:
        self._timeline = Timeline()
        self._keeps_rows = keeps_rows
        self._buffer = SampleBuffer(self._elapsed_of_all)
        self._waiting = self._buffer.waiting
        self._backends: set[str] = set()
        self._taken = 0
        self._chains = 0
        self.failures = FailureTexts()
        self.signing = Signing()

    @property
    def rows(self) -> int:
        """Rows kept since the start, shipped or not."""
        return self._taken + len(self._buffer)

    @property
    def requests(self) -> int:
        """Requests among the rows: those of whole chains are none."""
        return self.rows - self._chains

    def synchronise(self, shift_us: int) -> None:
        """Set what turns this process's clock into time since the trial's origin."""
        self._timeline = Timeline(shift_us)

    def correct(self, shift_us: int) -> None:
        """Come to this shift gradually, so that the rows' time never goes back."""
        self._timeline.aim(shift_us, now_us())

    def elapsed_us(self, local_us: int) -> int:
        """A reading of this process's clock as time since the trial's origin."""
        return self._timeline.at(local_us)

    def local_us(self, elapsed_us: int) -> int:
        """The reading of this process's clock at a time since the trial's origin, by what is known of it now."""
        now = now_us()
        return elapsed_us - (self.elapsed_us(now) - now)

    def request(
        self, sent_us: int, step: str, latency_us: int, status: int, outcome: Outcome, backend: str, late_us: int = 0
    ) -> None:
        """Keep one request; ``sent_us`` is this process's clock, ``late_us`` how long after its intended start."""
        if not self._keeps_rows:
            return
        if backend and backend not in self._backends:
            backend = self._bounded(backend)
        self._waiting.append((sent_us, step, latency_us, late_us, status, outcome, backend))
        if len(self._waiting) >= ROWS_AT_A_TIME:
            self._buffer.settle()

    def chain(
        self,
        started_us: int,
        latency_us: int,
        status: int,
        outcome: Outcome,
        step: str = WORKFLOW_STEP,
        late_us: int = 0,
    ) -> None:
        """Keep the row of a whole chain that ended, well or at a failed step."""
        self._chains += self._keeps_rows
        self.request(started_us, step, latency_us, status, outcome, "", late_us)

    def take(self) -> bytes:
        """The rows since the last call, packed; empty where there are none."""
        self._taken += len(self._buffer)
        return self._buffer.pack() if len(self._buffer) else b""

    def _elapsed_of_all(self, local_us: Sequence[int]) -> Sequence[int]:
        return self._timeline.all_at(local_us)

    def _bounded(self, backend: str) -> str:
        """The backend's name, unless the header seems to name requests rather than nodes."""
        if len(self._backends) >= MAX_BACKENDS:
            return OTHER_BACKEND
        self._backends.add(backend)
        return backend
