"""Locust's own statistics, fed some requests at a time: they cost more than sending a request otherwise.

What they say is the same, at most half a second later; nothing is left out at the end of a test.
"""

from __future__ import annotations

import time
from collections import Counter
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


def _log(entry: StatsEntry, times_ms: tuple[Any, ...], length: int, buckets: Counter[int]) -> None:
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
