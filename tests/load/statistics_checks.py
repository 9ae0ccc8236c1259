"""Locust's statistics say the same, fed one by one or some at a time."""

from __future__ import annotations

import time
from typing import Any

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st
from locust.env import Environment

from iam_loadtest.load.statistics import SETTLE_S, BatchedStats, batch_statistics

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
    deadline = time.monotonic() + 10
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
