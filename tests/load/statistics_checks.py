"""Locust's statistics say the same, fed one by one or some at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import gevent
import locust.stats as locust_stats
import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from locust.env import Environment
from locust.stats import setup_distributed_stats_event_listeners

from iam_loadtest.load.statistics import (
    SETTLE_S,
    BatchedStats,
    batch_statistics,
    bucket_ms,
    nearest_rank_ms,
    refine_percentiles,
)

REQUESTS = st.lists(
    st.tuples(
        st.sampled_from(["issue", "refresh"]),
        st.one_of(st.none(), st.floats(0.01, 70_000)),
        st.integers(0, 5000),
        st.booleans(),
    ),
    max_size=600,
)
TIMES = {"start_time", "last_request_timestamp", "num_reqs_per_sec", "num_fail_per_sec", "first_seen", "last_seen"}
"""When it was, which is not the same for two that are fed one after the other."""


def fed(environment: Environment, requests: list[tuple[str, float | None, int, bool]]) -> Environment:
    """The environment after its event was fired for each request; listened to as Locust's runner does."""

    def on_request(
        request_type: str, name: str, response_time: Any, response_length: int, exception: Exception | None, **_: Any
    ) -> None:
        environment.stats.log_request(request_type, name, response_time, response_length)
        if exception:
            environment.stats.log_error(request_type, name, exception)

    environment.events.request.add_listener(on_request)
    for name, time_ms, length, fails in requests:
        environment.events.request.fire(
            request_type="POST",
            name=name,
            response_time=time_ms,
            response_length=length,
            exception=ValueError("no") if fails else None,
        )
    return environment


def said(environment: Environment) -> list[Any]:
    """What a worker would report, but for the times of day."""
    entries = [*environment.stats.serialize_stats(), environment.stats.total.serialize()]
    errors = environment.stats.serialize_errors().values()
    return [
        {key: _rounded(value) for key, value in entry.items() if key not in TIMES} | _counts(entry)
        for entry in (*sorted(entries, key=lambda entry: entry["name"]), *errors)
    ]


def _rounded(value: Any) -> Any:
    return pytest.approx(value) if isinstance(value, float) else value


def _counts(entry: dict[str, Any]) -> dict[str, int]:
    return {key: sum(entry[key].values()) for key in ("num_reqs_per_sec", "num_fail_per_sec") if key in entry}


@given(REQUESTS)
def test_batches_say_what_single_requests_say(requests: list[tuple[str, float | None, int, bool]]) -> None:
    """Counts, sums, extremes, percentiles, failures and bytes, of each name and in total."""
    plain, batched = Environment(), Environment()
    batch_statistics(batched)
    assert said(fed(batched, requests)) == said(fed(plain, requests))


def test_a_failure_is_never_seen_before_its_request() -> None:
    environment = Environment()
    batch_statistics(environment)
    fed(environment, [("issue", 1.0, 10, True)])
    assert (environment.stats.total.num_requests, environment.stats.total.num_failures) == (1, 1)


def test_what_waits_is_counted_after_a_moment() -> None:
    environment = Environment()
    batch_statistics(environment)
    fed(environment, [("issue", 1.0, 10, False)])
    deadline = time.monotonic() + 60
    while not environment.stats.total.num_requests:
        assert time.monotonic() < deadline
        gevent.sleep(SETTLE_S / 10)


def test_what_waits_is_counted_when_the_test_stops() -> None:
    environment = Environment()
    batch_statistics(environment)
    fed(environment, [("issue", 1.0, 10, False)])
    environment.events.test_stop.fire(environment=environment)
    assert environment.stats.total.num_requests == 1


@pytest.mark.parametrize("how", ["reset_all", "clear_all"])
def test_a_reset_leaves_nothing_waiting(how: str) -> None:
    environment = Environment()
    batch_statistics(environment)
    fed(environment, [("issue", 1.0, 10, False)])
    getattr(environment.stats, how)()
    environment.stats.settle()
    assert environment.stats.total.num_requests == 0


def test_batching_twice_is_batching_once() -> None:
    environment = Environment()
    batch_statistics(environment)
    fed(environment, [("issue", 1.0, 10, False)])
    batch_statistics(environment)
    environment.stats.settle()
    assert isinstance(environment.stats, BatchedStats)
    assert environment.stats.total.num_requests == 1


@pytest.fixture
def refined() -> Iterator[None]:
    """Locust with percentiles as the samples have them, and as it was afterwards."""
    kept = locust_stats.bucket_response_time, locust_stats.calculate_response_time_percentile
    refine_percentiles()
    yield
    locust_stats.bucket_response_time, locust_stats.calculate_response_time_percentile = kept


def exact_us(latencies_us: list[int], percent: int) -> int:
    """The smallest latency that at least ``percent`` of them did not exceed."""
    return sorted(latencies_us)[-(-percent * len(latencies_us) // 100) - 1]


@pytest.mark.usefixtures("refined")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 90_000_000), min_size=1, max_size=300), st.integers(1, 3))
def test_locust_s_percentiles_are_those_of_the_samples(latencies_us: list[int], workers: int) -> None:
    """As workers report and a master adds up: within 0.05 ms below 100 ms, 0.5 ms below 1 s, half a percent above."""
    master = Environment()
    setup_distributed_stats_event_listeners(master.events, master.stats)
    for number in range(workers):
        environment = Environment()
        batch_statistics(environment)
        fed(environment, [("issue", latency / 1000, 1, False) for latency in latencies_us[number::workers]])
        report = {
            "stats": environment.stats.serialize_stats(),
            "stats_total": environment.stats.total.get_stripped_report(),
            "errors": {},
        }
        arrived = msgpack.unpackb(msgpack.packb(report), strict_map_key=False)
        master.events.worker_report.fire(client_id=str(number), data=arrived)
    for percent in (50, 80, 95, 99):
        true_ms = exact_us(latencies_us, percent) / 1000
        tolerance_ms = 0.05 if true_ms < 100 else 0.5 if true_ms < 1000 else 0.005 * true_ms
        for entry in (master.stats.total, master.stats.get("issue", "POST")):
            shown_ms = entry.get_response_time_percentile(percent / 100)
            assert abs(shown_ms - true_ms) <= tolerance_ms + 1e-9
            assert abs(int(shown_ms) - true_ms) < max(1, tolerance_ms), "what --csv shows, which has no decimals"


@pytest.mark.usefixtures("refined")
def test_the_rank_is_ours_also_where_it_is_a_whole_number() -> None:
    """Eight answers in 10 ms and two in 200: 80 % took 10 ms at most. The median of two is the lower."""
    environment = Environment()
    fed(environment, [("issue", time_ms, 1, False) for time_ms in [10.0] * 8 + [200.0] * 2])
    assert environment.stats.total.get_response_time_percentile(0.8) == 10
    assert nearest_rank_ms({1.0: 1, 3.0: 1}, 2, 0.5) == 1.0
    assert nearest_rank_ms({}, 0, 0.5) == 0


@pytest.mark.parametrize(
    ("time_ms", "counted_ms"),
    [(0.04, 0), (1.26, 1.3), (99.94, 99.9), (99.96, 100), (147.4, 147), (999.6, 1000), (3432, 3430), (58_760, 58_800)],
)
def test_response_times_keep_three_digits_and_a_tenth_of_a_millisecond(time_ms: float, counted_ms: float) -> None:
    assert bucket_ms(time_ms) == pytest.approx(counted_ms)


def test_all_response_times_up_to_1000_s_are_4601_entries_at_most() -> None:
    """1000 below 100 ms; 900 below each of 1, 10, 100 and 1000 s; and 1000 s itself."""
    steps = [(0, 1000, 0.1), (100, 10_000, 0.1), (10_000, 1_000_000, 5)]
    times = (low + n * step for low, high, step in steps for n in range(int((high - low) / step) + 1))
    assert len({bucket_ms(time_ms) for time_ms in times}) == 4601
    assert bucket_ms(1_000_000) == 1_000_000


@pytest.mark.usefixtures("refined")
def test_the_history_of_the_last_seconds_is_kept() -> None:
    """The charts of the web UI: of the requests after the first second, half took 5.4 ms."""
    environment = Environment()
    batch_statistics(environment)
    total = environment.stats.total
    assert total.response_times_cache is not None
    earlier = next(iter(total.response_times_cache))
    total.response_times_cache[earlier - 10] = total.response_times_cache.pop(earlier)
    fed(environment, [("issue", time_ms, 1, False) for time_ms in (5.4, 7.1)])
    environment.stats.settle()
    assert total.get_current_response_time_percentile(0.5) == 5.4
