"""What the master gathers of a test: rows into samples.parquet, health into generator.csv, and running tallies."""

from __future__ import annotations

import csv
from collections import Counter, deque
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iam_loadtest.errors import UserError
from iam_loadtest.load.findings import Findings
from iam_loadtest.load.health import CSV_COLUMNS, HealthRow
from iam_loadtest.oidc.redact import one_line
from iam_loadtest.results.load_result import LOAD_RESULT_FILE
from iam_loadtest.results.sample import SampleBlock, unpack
from iam_loadtest.results.trial import GENERATOR_FILE, SAMPLES_FILE, WindowMarks

if TYPE_CHECKING:
    from iam_loadtest.load.tally import Tally
    from iam_loadtest.results.sample_file import SampleWriter

PART_SUFFIX = ".part"
"""The samples file has this at the end of its name until it is complete."""
RECENT_US = 5_000_000
MAX_FAILURE_TEXTS = 10_000
FURTHER_FAILURES = "(further failures)"
FIRST_CHAINS = 50
"""Where the first so many chains are all refused, a trial stops: a wrong secret should cost seconds."""


class Collector:
    """Everything that arrived from the workers of one test. ``directory`` None: tallies only, no files."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._writer = _writer(directory) if directory else None
        self._recent: deque[tuple[int, Tally]] = deque()
        self.rows_by_step: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.first_chains: list[str] = []
        self.health: list[HealthRow] = []
        self.findings = Findings()
        self.sent: dict[int, int] = {}
        self.arrivals: dict[int, Mapping[str, int]] = {}
        self.window: WindowMarks = WindowMarks()
        self.has_success_in_window = False
        self.problem: str | None = None

    @property
    def rows(self) -> int:
        """Rows that arrived."""
        return self.rows_by_step.total()

    @property
    def waiting_rows(self) -> int:
        """Rows that are not in the file yet, since their row group is not full."""
        return self._writer.waiting_rows if self._writer else 0

    def add(self, worker: int, report: Mapping[str, Any], now_us: int) -> None:
        """Take a worker's report; ``now_us`` is the time since the trial's origin."""
        self._add_failures(report.get("failures", {}))
        self.health += [HealthRow.from_message(worker, row) for row in report.get("health", ())]
        if report.get("arrivals"):
            self.arrivals[worker] = report["arrivals"]
        self.findings.add(worker, report)
        if report.get("samples"):
            self._add_rows(worker, unpack(report["samples"]), now_us)

    def add_total(self, worker: int, rows: int) -> None:
        """Take a worker's own total of rows, its last word."""
        self.sent[worker] = rows

    def recent(self, now_us: int) -> list[Tally]:
        """Figures of the blocks that arrived in the last five seconds."""
        while self._recent and self._recent[0][0] < now_us - RECENT_US:
            self._recent.popleft()
        return [tally for _, tally in self._recent]

    def close(self) -> None:
        """Complete the files: only now has samples.parquet its name. May be called twice."""
        if self._writer is None or self._directory is None:
            return
        try:
            self._writer.close()
            (self._directory / (SAMPLES_FILE + PART_SUFFIX)).replace(self._directory / SAMPLES_FILE)
            _write_health(self._directory / GENERATOR_FILE, self.health)
            self.findings.write(self._directory)
        except OSError as error:
            self.problem = f"{self._directory}: the samples cannot be written: {error.strerror or error}"
        self._writer = None

    def _add_failures(self, failures: Mapping[str, int]) -> None:
        """Few texts, fit to be shown: a worker makes them so, but whoever reaches the port can pose as one."""
        for said, number in failures.items():
            text = one_line(said)
            is_kept = text in self.failures or len(self.failures) < MAX_FAILURE_TEXTS
            self.failures[text if is_kept else FURTHER_FAILURES] += number

    def _add_rows(self, worker: int, block: SampleBlock, now_us: int) -> None:
        if not len(block):
            return
        if self._writer is not None and self.problem is None:
            try:
                self._writer.append(block, worker)
            except OSError as error:
                self.problem = f"{self._directory}: the samples cannot be written: {error.strerror or error}"
        from iam_loadtest.load.tally import tally  # noqa: PLC0415  numpy: in the master alone

        found = tally(block, self.window)
        self.rows_by_step.update(found.rows_by_step)
        self.first_chains += found.first_chains[: FIRST_CHAINS - len(self.first_chains)]
        self.has_success_in_window = self.has_success_in_window or found.has_success
        self._recent.append((now_us, found))
        self.recent(now_us)


def refuse_to_overwrite(directory: Path) -> None:
    """Raise UserError where a directory holds the samples of another test; make it where it is missing."""
    for name in (SAMPLES_FILE, LOAD_RESULT_FILE):
        if (directory / name).exists():
            raise UserError(f"{directory}: already holds {name} of another test; name another directory.")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{directory}: cannot be made: {error.strerror}; name another directory.") from error


def prepare_to_write() -> None:
    """Read in pyarrow, the pandas that it reads at first use, and numpy: 0.5 s that no user should wait for.

    Only the master, or a run of a single process, ever calls this.
    """
    import pyarrow as pa  # noqa: PLC0415  see above

    import iam_loadtest.load.tally  # noqa: F401, PLC0415  numpy: likewise

    pa.array([""], pa.string())


def _writer(directory: Path) -> SampleWriter:
    from iam_loadtest.results.sample_file import SampleWriter  # noqa: PLC0415  pyarrow: in the master alone

    prepare_to_write()
    try:
        return SampleWriter(directory / (SAMPLES_FILE + PART_SUFFIX))
    except OSError as error:
        raise UserError(f"{directory}: cannot be written: {error.strerror}; name another directory.") from error


def _write_health(path: Path, rows: list[HealthRow]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(CSV_COLUMNS)
        writer.writerows(row.csv_fields() for row in sorted(rows, key=lambda row: (row.time_s, row.worker)))
