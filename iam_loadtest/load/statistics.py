"""Locust's own statistics: fed some requests at a time, and with percentiles as fine as those of the samples.

Single requests would cost more to count than to send. What is said is the same, at most half a second later; nothing is
left out at the end of a test.

Locust rounds response times to two digits before it counts them, and its percentile is the value after ours where
requests x p is a whole number. :func:`refine_percentiles` replaces both: the rounding as Locust's documentation
describes, the rank because no setting reaches it. The web UI, ``--csv`` and ``--html`` then show our percentiles,
rounded to 0.1 ms below 100 ms, to 1 ms below 1 s and to three digits above; ``--csv`` and the console have no decimals.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from math import ceil
from typing import Any, cast

import gevent
from locust import stats as locust_stats
from locust.stats import RequestStats, StatsEntry

SETTLE_S = 0.5
_ROWS_AT_A_TIME = 256


class BatchedStats(RequestStats):
    """Locust's RequestStats that keeps requests for a moment. Made of an existing one by :func:`batch_statistics`."""

    _waiting: dict[tuple[str, str], list[tuple[float, int]]]
    _waiting_rows: int
    _is_due: bool

    def log_request(self, method: str, name: str, response_time: Any, content_length: int) -> None:
        """Keep one request; those without a time (None), which Locust counts apart, go through at once."""
        if response_time is None:
            super().log_request(method, name, cast(Any, response_time), content_length)
            return
        rows = self._waiting.get((name, method))
        if rows is None:
            rows = self._waiting[name, method] = []
        rows.append((response_time, content_length))
        self._waiting_rows += 1
        if self._waiting_rows >= _ROWS_AT_A_TIME:
            self.settle()
        elif not self._is_due:
            self._is_due = True
            gevent.spawn_later(SETTLE_S, self._settle_when_due)

    def log_error(self, method: str, name: str, error: Exception | str | None) -> None:
        """Count a failure, after the requests before it: no moment shows more failures than requests."""
        self.settle()
        super().log_error(method, name, error)

    def settle(self) -> None:
        """Count what was kept."""
        waiting, self._waiting, self._waiting_rows = self._waiting, {}, 0
        for key, rows in waiting.items():
            times_ms, lengths = zip(*rows, strict=True)
            buckets = Counter(map(locust_stats.bucket_response_time, times_ms))
            for entry in (self.total, self.entries[key]):
                _log(entry, times_ms, sum(lengths), buckets)

    def _settle_when_due(self) -> None:
        self._is_due = False
        self.settle()

    def serialize_stats(self) -> list[Any]:
        """What a worker reports: complete."""
        self.settle()
        return list(super().serialize_stats())

    def reset_all(self) -> None:
        """Start anew, without what was kept."""
        self.settle()
        super().reset_all()

    def clear_all(self) -> None:
        """Forget everything, what was kept as well."""
        self.settle()
        super().clear_all()


def refine_percentiles() -> None:
    """Have every environment of this process show percentiles as the samples have them, from now on."""
    own: Any = locust_stats
    own.bucket_response_time = bucket_ms
    own.calculate_response_time_percentile = nearest_rank_ms


def bucket_ms(time_ms: float) -> float:
    """A response time as it is counted; of all times up to 1000 s there are 4,601 at most."""
    if time_ms < 100:
        return int(time_ms * 10 + 0.5) / 10
    if time_ms < 1000:
        return int(time_ms + 0.5)
    step_ms = int(10 ** (len(str(int(time_ms))) - 3))
    return int(time_ms / step_ms + 0.5) * step_ms


def nearest_rank_ms(response_times: Mapping[float, int], num_requests: int, percent: float) -> float:
    """The smallest counted time that at least ``percent`` (0 to 1) of the requests did not exceed; 0 without any.

    Locust calls it with these names. Ranks are exact: 0.95 is 95 of 100, whatever it is in binary.
    """
    left = ceil(Fraction(str(percent)) * num_requests)
    time_ms = 0.0
    for time_ms in sorted(response_times):
        left -= response_times[time_ms]
        if left <= 0:
            break
    return time_ms


def batch_statistics(environment: Any) -> None:
    """Feed the statistics of this environment in batches from now on; once more does nothing.

    The object stays the same, since Locust's runner and web UI hold it already.
    """
    stats = environment.stats
    if isinstance(stats, BatchedStats):
        return
    stats.__class__ = BatchedStats
    stats._waiting, stats._waiting_rows, stats._is_due = {}, 0, False
    environment.events.test_stopping.add_listener(lambda **_: stats.settle())
    environment.events.test_stop.add_listener(lambda **_: stats.settle())
    environment.events.quitting.add_listener(lambda **_: stats.settle())


def _log(entry: StatsEntry, times_ms: tuple[Any, ...], length: int, buckets: Counter[Any]) -> None:
    """What StatsEntry.log does for each request, for all of them. Locust calls its times int; floats are as good."""
    now_s = time.time()
    second = int(now_s)
    if entry.use_response_times_cache and entry.last_request_timestamp and second > int(entry.last_request_timestamp):
        entry._cache_response_times(second - 1)
    entry.num_requests += len(times_ms)
    entry.num_reqs_per_sec[second] += len(times_ms)
    entry.last_request_timestamp = now_s
    entry.total_response_time += sum(times_ms)
    low, high = min(times_ms), max(times_ms)
    entry.min_response_time = low if entry.min_response_time is None else min(entry.min_response_time, low)
    entry.max_response_time = max(entry.max_response_time, high)
    for bucket, count in buckets.items():
        entry.response_times[bucket] += count
    entry.total_content_length += length
