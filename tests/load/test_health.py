"""The generator's own health."""

from time import perf_counter

import gevent

from iam_loadtest.load.health import (
    MASTER,
    HealthProbe,
    HealthRow,
    generator_health,
    standing_lags,
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


def test_the_master_is_no_worker() -> None:
    """Its CPU has a figure of its own; its lag delays no request, and it has no users."""
    rows = [row(2.0, 0, cpu=40, users=5), row(2.0, MASTER, cpu=80, users=0, lags=(900,)), row(9.0, MASTER, cpu=99)]
    health = generator_health(rows, MARKS, 1, 0, 5)
    assert (health.max_cpu_percent, health.master_cpu_percent) == (40, 80)
    assert (health.loop_lag_max_ms, health.users_min, health.users_max) == (0.1, 5, 5)


def test_waiting_and_throttling_are_the_worst_workers_means_where_the_kernel_says_so() -> None:
    rows = [HealthRow(2.0, 0, 5, 1, (1,), 10, None), HealthRow(3.0, 0, 5, 1, (1,), 20, None), row(2.0, 1)]
    health = generator_health(rows, MARKS, 2, 0, 2)
    assert (health.wait_percent, health.throttled_percent) == (15, None)


def test_what_signing_took_is_a_mean_over_all_and_a_share_of_the_worker_that_signed_most() -> None:
    """Worker 0: 300 assertions in 60 ms of 2 s, 3 %. Worker 1: 100 in 20 ms of 1 s, 2 %. Together 0.2 ms each."""
    rows = [
        HealthRow(2.0, 0, 5, 1, (1,), assertions=100, signing_us=20_000),
        HealthRow(3.0, 0, 5, 1, (1,), assertions=200, signing_us=40_000),
        HealthRow(3.0, 1, 5, 1, (1,), assertions=100, signing_us=20_000),
        HealthRow(9.0, 1, 5, 1, (1,), assertions=900, signing_us=900_000),
    ]
    health = generator_health(rows, MARKS, 2, 0, 2)
    assert (health.assertions, health.signing_ms, health.signing_percent) == (400, 0.2, 3.0)


def test_nothing_is_said_of_signing_where_no_client_needs_it() -> None:
    health = generator_health([row(2.0)], MARKS, 1, 0, 5)
    assert (health.assertions, health.signing_ms, health.signing_percent) == (None, None, None)


def test_a_standstill_counts_as_often_as_a_probe_would_have_met_it() -> None:
    """Probes every 10 ms: a loop that stands still for 35 ms makes them 35, 25, 15 and 5 ms late."""
    assert standing_lags(35_000) == [350, 250, 150, 50]
    assert standing_lags(900) == [9]
    assert standing_lags(-5) == [0]
    assert len(standing_lags(5_000_000)) == 501
    assert standing_lags(60_000_000)[0] == 65_535, "as much as the row can hold"


def test_a_row_survives_the_way_to_the_master() -> None:
    sent = HealthRow(1.5, 4, 10.0, 5, (0, 7, 65_535), 12.5, 0.0, 3, 1260)
    received = HealthRow.from_message(4, sent.to_message())
    assert (received.csv_fields(), list(received.lags)) == (sent.csv_fields(), [0, 7, 65_535])


def test_csv_fields_are_numbers_with_one_decimal() -> None:
    """Lags of 1 and 3 tenths: the 95th percentile of two is the larger."""
    assert row(1.254, 2, 12.34, 7, (1, 3)).csv_fields() == ("1.25", "2", "12.3", "0.3", "0.3", "7", "", "", "", "")
    assert HealthRow(1.0, 0, 5, 1, (), 12.34, 0.0).csv_fields()[6:8] == ("12.3", "0.0")
    assert HealthRow(1.0, 0, 5, 1, (), assertions=3, signing_us=1260).csv_fields()[8:] == ("3", "1.3")
    assert row(1.0, MASTER).csv_fields()[:6] == ("1.00", "master", "10.0", "0.1", "0.1", "")
    assert row(1.0, lags=()).csv_fields()[3:5] == ("", "")


def test_the_probe_reports_each_second_and_sees_a_blocked_loop() -> None:
    probe = HealthProbe(0, lambda local_us: local_us, lambda: 3)
    greenlet = gevent.spawn(probe.run)
    gevent.sleep(0.3)
    _busy(0.2)
    rows: list[HealthRow] = []
    with gevent.Timeout(60):
        while not rows:
            gevent.sleep(0.05)
            rows = probe.take()
    greenlet.kill()
    assert len(rows) == 1
    assert rows[0].users == 3
    assert max(rows[0].lags) >= 1500, "150 ms at least, in units of 0.1 ms"
    assert probe.take() == []


def _busy(seconds: float) -> None:
    """Hold the loop, as a user's long computation would."""
    end = perf_counter() + seconds
    while perf_counter() < end:
        pass
