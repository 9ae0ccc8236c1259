"""How the load generator itself fares: its event loop's lag, its CPU, its users, each second."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import gevent
import psutil

from iam_loadtest.load.clock import now_us
from iam_loadtest.results.trial import Caution, GeneratorHealth, WindowMarks

PROBE_US = 10_000
"""The probe sleeps this long; what it oversleeps is the lag that every user of the process suffers."""
PERIOD_US = 1_000_000
LAG_UNIT_US = 100
MAX_CPU_PERCENT = 90.0
MAX_LAG_P95_MS = 50.0

CSV_COLUMNS = ("time_s", "worker", "cpu_percent", "loop_lag_p95_ms", "loop_lag_max_ms", "users")


@dataclass(frozen=True)
class HealthRow:
    """One second of one process. ``lags`` holds every probe's lag in units of 0.1 ms: percentiles stay exact."""

    time_s: float
    worker: int
    cpu_percent: float
    users: int
    lags: Sequence[int]

    def csv_fields(self) -> tuple[str, ...]:
        """The values of a row of generator.csv."""
        p95_ms, max_ms = _percentile_ms(self.lags, 95), _percentile_ms(self.lags, 100)
        numbers = [_number(value) for value in (self.cpu_percent, p95_ms, max_ms)]
        return (f"{self.time_s:.2f}", str(self.worker), *numbers, str(self.users))

    def to_message(self) -> list[Any]:
        """Plain data for the way to the master; the master knows which worker sent it."""
        return [self.time_s, self.cpu_percent, self.users, array("H", self.lags).tobytes()]

    @classmethod
    def from_message(cls, worker: int, message: Sequence[Any]) -> HealthRow:
        """The row that :meth:`to_message` made."""
        time_s, cpu_percent, users, lags = message
        return cls(float(time_s), worker, float(cpu_percent), int(users), array("H", lags))


class HealthProbe:
    """Collects rows of this process; :meth:`run` is a greenlet's body."""

    def __init__(self, worker: int, elapsed_us: Callable[[int], int], users: Callable[[], int]) -> None:
        self._worker = worker
        self._elapsed_us = elapsed_us
        self._users = users
        self._process = psutil.Process()
        self._rows: list[HealthRow] = []

    def run(self) -> None:
        """Probe until killed."""
        self._process.cpu_percent()
        while True:
            lags: list[int] = []
            period_ends_us = now_us() + PERIOD_US
            while now_us() < period_ends_us:
                lags.append(_probe_once())
            time_s = self._elapsed_us(now_us()) / 1e6
            self._rows.append(HealthRow(time_s, self._worker, self._process.cpu_percent(), self._users(), lags))

    def take(self) -> list[HealthRow]:
        """Rows since the last call."""
        rows, self._rows = self._rows, []
        return rows


def generator_health(
    rows: Sequence[HealthRow], marks: WindowMarks, workers: int, lost: int, users_planned: int | None
) -> GeneratorHealth:
    """Health over the measured window; before there is one, only the counts of workers are known."""
    inside = [row for row in rows if _is_inside(row.time_s, marks)]
    by_worker: dict[int, list[HealthRow]] = defaultdict(list)
    for row in inside:
        by_worker[row.worker].append(row)
    lags = [_percentile_ms([lag for row in own for lag in row.lags], 95) for own in by_worker.values()]
    users = users_in_window(rows, marks)
    return GeneratorHealth(
        workers=workers,
        workers_lost=lost,
        max_cpu_percent=max((_mean(row.cpu_percent for row in own) for own in by_worker.values()), default=None),
        loop_lag_p95_ms=max((lag for lag in lags if lag is not None), default=None),
        users_planned=users_planned,
        users_min=min(users, default=None),
        users_max=max(users, default=None),
    )


def users_in_window(rows: Iterable[HealthRow], marks: WindowMarks) -> list[int]:
    """Users over all workers at each report of the window, once every worker has reported in it."""
    listed = sorted(rows, key=lambda row: row.time_s)
    workers = {row.worker for row in listed}
    newest: dict[int, int] = {}
    totals = []
    for row in listed:
        if _is_inside(row.time_s, marks):
            newest[row.worker] = row.users
            if len(newest) == len(workers):
                totals.append(sum(newest.values()))
    return totals


def health_cautions(health: GeneratorHealth) -> tuple[Caution, ...]:
    """What a reader must know about the generator: a busy one measures itself."""
    cautions = []
    if health.max_cpu_percent is not None and health.max_cpu_percent > MAX_CPU_PERCENT:
        text = f"the busiest worker used {health.max_cpu_percent:.0f} % of a core (limit {MAX_CPU_PERCENT:.0f} %)"
        cautions.append(Caution("generator_cpu", text, "add workers, or cores for them"))
    if health.loop_lag_p95_ms is not None and health.loop_lag_p95_ms > MAX_LAG_P95_MS:
        text = f"a worker's event loop lagged {health.loop_lag_p95_ms:.0f} ms (p95; limit {MAX_LAG_P95_MS:.0f} ms)"
        cautions.append(Caution("generator_lag", text, "add workers or cores, or run the server on another machine"))
    return tuple(cautions)


def _probe_once() -> int:
    started_us = now_us()
    gevent.sleep(PROBE_US / 1e6)
    lag_us = now_us() - started_us - PROBE_US
    return min(max(lag_us, 0) // LAG_UNIT_US, 65_535)


def _is_inside(time_s: float, marks: WindowMarks) -> bool:
    if marks.window_start_us is None or marks.window_end_us is None:
        return False
    return marks.window_start_us <= time_s * 1e6 <= marks.window_end_us


def _percentile_ms(lags: Sequence[int], percent: int) -> float | None:
    """The smallest lag that at least ``percent`` of the probes did not exceed; None without probes."""
    if not lags:
        return None
    rank = -(-percent * len(lags) // 100)
    return sorted(lags)[rank - 1] * LAG_UNIT_US / 1000


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
