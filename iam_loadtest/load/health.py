"""How the load generator itself fares: its event loop's lag, its CPU, its users, each second."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gevent
import psutil

from iam_loadtest.load.clock import now_us
from iam_loadtest.load.kernel import Throttling, waited_us
from iam_loadtest.load.recorder import Signing
from iam_loadtest.results.trial import GeneratorHealth, WindowMarks

PROBE_US = 10_000
"""The probe sleeps this long; what it oversleeps is the lag that every user of the process suffers."""
PERIOD_US = 1_000_000
LAG_UNIT_US = 100
_MAX_LAG = 65_535
MASTER = -1
"""The number of the master among the workers, which count from 0; generator.csv calls it ``master``."""

CSV_COLUMNS = (
    *("time_s", "worker", "cpu_percent", "loop_lag_p95_ms", "loop_lag_max_ms", "users"),
    *("wait_percent", "throttled_percent", "assertions", "signing_ms"),
)


@dataclass(frozen=True, slots=True)
class HealthRow:
    """One second of one process. ``lags`` holds the lag every 10 ms in units of 0.1 ms: percentiles stay exact.

    ``wait_percent`` is the time in which the process was ready to run while others had the cores,
    ``throttled_percent`` the time in which a CPU limit held its container back. None where the kernel does not say.
    ``assertions`` were signed to prove clients, which took ``signing_us``; None where no client needs any.
    """

    time_s: float
    worker: int
    cpu_percent: float
    users: int
    lags: Sequence[int]
    wait_percent: float | None = None
    throttled_percent: float | None = None
    assertions: int | None = None
    signing_us: int | None = None

    def csv_fields(self) -> tuple[str, ...]:
        """The values of a row of generator.csv."""
        p95_ms, max_ms = _lag_ms([self], 95), _lag_ms([self], 100)
        numbers = [_number(value) for value in (self.cpu_percent, p95_ms, max_ms)]
        name, users = ("master", "") if self.worker == MASTER else (str(self.worker), str(self.users))
        waits = [_number(value) for value in (self.wait_percent, self.throttled_percent)]
        signing = ("", "") if self.signing_us is None else (str(self.assertions), _number(self.signing_us / 1000))
        return (f"{self.time_s:.2f}", name, *numbers, users, *waits, *signing)

    def to_message(self) -> list[Any]:
        """Plain data for the way to the master; the master knows which worker sent it."""
        lags = array("H", self.lags).tobytes()
        shares = [self.wait_percent, self.throttled_percent]
        return [self.time_s, self.cpu_percent, self.users, lags, *shares, self.assertions, self.signing_us]

    @classmethod
    def from_message(cls, worker: int, message: Sequence[Any]) -> HealthRow:
        """The row that :meth:`to_message` made."""
        time_s, cpu_percent, users, lags, *rest = message
        return cls(float(time_s), worker, float(cpu_percent), int(users), array("H", lags), *rest)


class HealthProbe:
    """Collects rows of this process; :meth:`run` is a greenlet's body."""

    def __init__(
        self,
        worker: int,
        elapsed_us: Callable[[int], int],
        users: Callable[[], int],
        signing: Signing | None = None,
    ) -> None:
        self._worker = worker
        self._signing = signing or Signing()
        self._elapsed_us = elapsed_us
        self._users = users
        self._process = psutil.Process()
        self._throttling = Throttling()
        self._rows: list[HealthRow] = []

    def run(self) -> None:
        """Probe until killed."""
        self._process.cpu_percent()
        while True:
            started_us, waited, throttled = now_us(), waited_us(), self._throttling.total_us()
            assertions, signing_us = self._signing.assertions, self._signing.total_us
            lags: list[int] = []
            while now_us() < started_us + PERIOD_US:
                lags += _probe_once()
            took_us = now_us() - started_us
            self._rows.append(
                HealthRow(
                    time_s=self._elapsed_us(now_us()) / 1e6,
                    worker=self._worker,
                    cpu_percent=self._process.cpu_percent(),
                    users=self._users(),
                    lags=lags,
                    wait_percent=_share_percent(waited, waited_us(), took_us),
                    throttled_percent=_share_percent(throttled, self._throttling.total_us(), took_us),
                    assertions=self._signing.assertions - assertions if self._signing.assertions else None,
                    signing_us=self._signing.total_us - signing_us if self._signing.assertions else None,
                )
            )

    def take(self) -> list[HealthRow]:
        """Rows since the last call."""
        rows, self._rows = self._rows, []
        return rows


def generator_health(
    rows: Sequence[HealthRow], marks: WindowMarks, workers: int, lost: int, users_planned: int | None
) -> GeneratorHealth:
    """The generator over the measured window; None where nothing was measured in it."""
    by_worker: dict[int, list[HealthRow]] = defaultdict(list)
    for row in rows:
        if _is_inside(row.time_s, marks):
            by_worker[row.worker].append(row)
    master = by_worker.pop(MASTER, [])
    each = list(by_worker.values())
    users = users_in_window(rows, marks)
    return GeneratorHealth(
        workers=workers,
        workers_lost=lost,
        max_cpu_percent=_worst(_mean(row.cpu_percent for row in own) for own in each),
        loop_lag_p95_ms=_worst(_lag_ms(own, 95) for own in each),
        loop_lag_max_ms=_worst(_lag_ms(own, 100) for own in each),
        wait_percent=_worst(_mean(row.wait_percent for row in own) for own in each),
        throttled_percent=_worst(_mean(row.throttled_percent for row in own) for own in each),
        master_cpu_percent=_mean(row.cpu_percent for row in master),
        users_planned=users_planned,
        assertions=_sum(row.assertions for own in each for row in own),
        signing_ms=_mean_signing_ms([row for own in each for row in own]),
        signing_percent=_worst(_signing_percent(own) for own in each),
        users_min=min(users, default=None),
        users_max=max(users, default=None),
    )


def users_in_window(rows: Iterable[HealthRow], marks: WindowMarks) -> list[int]:
    """Users over all workers at each report of the window, once every worker has reported in it."""
    listed = sorted((row for row in rows if row.worker != MASTER), key=lambda row: row.time_s)
    workers = {row.worker for row in listed}
    newest: dict[int, int] = {}
    totals = []
    for row in listed:
        if _is_inside(row.time_s, marks):
            newest[row.worker] = row.users
            if len(newest) == len(workers):
                totals.append(sum(newest.values()))
    return totals


def standing_lags(lag_us: int) -> list[int]:
    """What probes every 10 ms would have met while the loop stood still: one late probe alone would hide a long stop.

    In units of 0.1 ms.
    """
    return [min(late_us // LAG_UNIT_US, _MAX_LAG) for late_us in range(max(lag_us, 0), -1, -PROBE_US)]


def _probe_once() -> list[int]:
    started_us = now_us()
    gevent.sleep(PROBE_US / 1e6)
    return standing_lags(now_us() - started_us - PROBE_US)


def _share_percent(before: int | None, after: int | None, of_us: int) -> float | None:
    return None if before is None or after is None else 100 * (after - before) / of_us


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _mean_signing_ms(rows: Sequence[HealthRow]) -> float | None:
    """What one assertion took on average; None where there was none."""
    assertions = _sum(row.assertions for row in rows)
    return sum(row.signing_us or 0 for row in rows) / assertions / 1000 if assertions else None


def _signing_percent(rows: Sequence[HealthRow]) -> float | None:
    """The share of a process's time that went into assertions; each row is a second."""
    spent_us = _sum(row.signing_us for row in rows)
    return None if spent_us is None else 100 * spent_us / (len(rows) * PERIOD_US)


def _is_inside(time_s: float, marks: WindowMarks) -> bool:
    if marks.window_start_us is None or marks.window_end_us is None:
        return False
    return marks.window_start_us <= time_s * 1e6 <= marks.window_end_us


def _lag_ms(rows: Iterable[HealthRow], percent: int) -> float | None:
    counted: Counter[int] = Counter()
    for row in rows:
        counted.update(row.lags)
    return _percentile_ms(counted, percent)


def _percentile_ms(lags: Mapping[int, int], percent: int) -> float | None:
    """The smallest lag that at least ``percent`` of the probes, counted by lag, did not exceed; None without probes."""
    left = -(-percent * sum(lags.values()) // 100)
    for lag in sorted(lags):
        left -= lags[lag]
        if left <= 0:
            return lag * LAG_UNIT_US / 1000
    return None


def _mean(values: Iterable[float | None]) -> float | None:
    listed = [value for value in values if value is not None]
    return sum(listed) / len(listed) if listed else None


def _worst(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
