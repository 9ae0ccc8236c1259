"""The generator's own health."""

from time import perf_counter

import gevent

from iam_loadtest.load.health import (
    HealthProbe,
    HealthRow,
    generator_health,
    health_cautions,
    users_in_window,
)
from iam_loadtest.results.trial import GeneratorHealth, WindowMarks

MARKS = WindowMarks(0, 1_000_000, 4_000_000)


def row(time_s: float, worker: int = 0, cpu: float = 10.0, users: int = 5, lags: tuple[int, ...] = (1,)) -> HealthRow:
    return HealthRow(time_s, worker, cpu, users, lags)


def test_users_are_added_over_workers_once_each_has_reported_in_the_window() -> None:
    rows = [
        row(0.9, 0, users=1),
        row(1.1, 0, users=5),
        row(1.2, 1, users=4),
        row(2.1, 0, users=6),
        row(4.2, 1, users=0),
    ]
    assert users_in_window(rows, MARKS) == [9, 10]


def test_the_lag_is_the_worst_workers_own_percentile_over_the_whole_window() -> None:
    """Worker 0: 95 probes of 1 ms and 5 of 9 ms, so the 95th of 100 is 1 ms. Worker 1: 2 ms throughout."""
    rows = [row(2.0, 0, lags=(10,) * 50 + (90,) * 5), row(3.0, 0, lags=(10,) * 45), row(2.5, 1, lags=(20,) * 10)]
    assert generator_health(rows, MARKS, 2, 0, 10).loop_lag_p95_ms == 2.0
    assert generator_health(rows[:2], MARKS, 1, 0, 10).loop_lag_p95_ms == 1.0


def test_the_cpu_is_the_busiest_workers_mean_over_the_window() -> None:
    rows = [row(0.5, 0, cpu=100), row(1.5, 0, cpu=40), row(2.5, 0, cpu=60), row(1.5, 1, cpu=45)]
    assert generator_health(rows, MARKS, 2, 0, 10).max_cpu_percent == 50


def test_without_a_window_nothing_is_known_but_the_workers() -> None:
    health = generator_health([row(2.0)], WindowMarks(), 2, 1, 10)
    assert health == GeneratorHealth(workers=2, workers_lost=1, users_planned=10)


def test_a_busy_generator_is_a_caution_with_a_remedy() -> None:
    cautions = health_cautions(GeneratorHealth(max_cpu_percent=95.2, loop_lag_p95_ms=80.0))
    assert [(caution.kind, bool(caution.remedy)) for caution in cautions] == [
        ("generator_cpu", True),
        ("generator_lag", True),
    ]
    assert "95 % of a core" in cautions[0].text
    assert health_cautions(GeneratorHealth(max_cpu_percent=90.0, loop_lag_p95_ms=50.0)) == ()


def test_a_row_survives_the_way_to_the_master() -> None:
    sent = row(1.5, 4, lags=(0, 7, 65_535))
    received = HealthRow.from_message(4, sent.to_message())
    assert (received.csv_fields(), list(received.lags)) == (sent.csv_fields(), [0, 7, 65_535])


def test_csv_fields_are_numbers_with_one_decimal() -> None:
    """Lags of 1 and 3 tenths: the 95th percentile of two is the larger."""
    assert row(1.254, 2, 12.34, 7, (1, 3)).csv_fields() == ("1.25", "2", "12.3", "0.3", "0.3", "7")
    assert row(1.0, lags=()).csv_fields()[3:5] == ("", "")


def test_the_probe_reports_each_second_and_sees_a_blocked_loop() -> None:
    probe = HealthProbe(0, lambda local_us: local_us, lambda: 3)
    greenlet = gevent.spawn(probe.run)
    gevent.sleep(0.3)
    block_s = 0.2
    _busy(block_s)
    gevent.sleep(0.8)
    greenlet.kill()
    rows = probe.take()
    assert len(rows) == 1
    assert rows[0].users == 3
    assert max(rows[0].lags) >= 1500, "150 ms at least, in units of 0.1 ms"
    assert probe.take() == []


def _busy(seconds: float) -> None:
    """Hold the loop, as a user's long computation would."""
    end = perf_counter() + seconds
    while perf_counter() < end:
        pass
