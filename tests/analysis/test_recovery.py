"""Recovery by hand: ten requests a second, one fault, and what a client with a stopwatch would say."""

from __future__ import annotations

from pathlib import Path

import pytest

from iam_loadtest.analysis.recovery import Recovery, combine_recoveries, read_recoveries
from iam_loadtest.results.fault import FaultRecord
from iam_loadtest.results.sample import Sample
from iam_loadtest.results.trial import Trial, WindowMarks
from tests.analysis.samples import row, trial, write_rows

S = 1_000_000
MARKS = WindowMarks(0, 10 * S, 40 * S, 41 * S)
USUAL_US = 50_000


def fault(at_s: float, number: int = 0, kind: str = "kill") -> FaultRecord:
    return FaultRecord(number, kind, "database-1", "database-1", started_us=int(at_s * S))


def steady(first_s: float, last_s: float, latency_us: int = USUAL_US, outcome: str = "ok") -> list[Sample]:
    """Ten requests a second, the first one at the beginning."""
    count = round((last_s - first_s) * 10)
    return [row(int(first_s * S) + i * 100_000, "issue", latency_us, outcome) for i in range(count)]


def seen(directory: Path, rows: list[Sample], *faults: FaultRecord) -> tuple[Recovery, ...]:
    one: Trial = trial(marks=MARKS)
    return read_recoveries(write_rows(directory, rows), Trial(**{**one.__dict__, "faults": faults}))


def test_an_outage_is_told_from_the_fault_on(tmp_path: Path) -> None:
    """Killed at 20 s; refused until 24 s, then answered in 200 ms for two seconds, then as before.

    40 requests fail, ten of them without an answer. The first one that succeeds is sent at 24 s and complete after
    0.2 s. Successes stop with the request of 19.9 s, complete before the fault. From the seventh second on p95 is as
    it was.
    """
    rows = [
        *steady(10, 20),
        *steady(20, 23, 1_000, "server_error"),
        *steady(23, 24, 1_000, "connect_error"),
        *steady(24, 26, 200_000),
        *steady(26, 40),
    ]
    (one,) = seen(tmp_path, rows, fault(20))
    assert (one.at_s, one.watched_s) == (10.0, 20.0)
    assert (one.requests, one.failed, one.lost) == (200, 40, 10)
    assert one.first_success_s == pytest.approx(4.2)
    assert one.longest_gap_s == pytest.approx(4.2)
    assert (one.p95_limit_ms, one.p95_back_s) == (50.0, 6.0)


def test_a_lucky_second_is_not_back(tmp_path: Path) -> None:
    """As before at 21 s and 22 s, slow at 23 s, as before from 24 s on."""
    rows = [*steady(10, 20), *steady(20, 21, 300_000), *steady(21, 23), *steady(23, 24, 300_000), *steady(24, 40)]
    (one,) = seen(tmp_path, rows, fault(20))
    assert one.p95_back_s == 4.0
    assert one.failed == 0


def test_few_quick_answers_among_many_refusals_are_not_back(tmp_path: Path) -> None:
    """Four successes a second where there used to be ten, however quick."""
    rows = [*steady(10, 20), *[r for r in steady(20, 40, 1_000) if r.started_us // 100_000 % 10 < 4]]
    (one,) = seen(tmp_path, rows, fault(20))
    assert one.p95_back_s is None
    assert one.p95_limit_ms == 50.0


def test_quick_answers_beside_many_refusals_are_not_back(tmp_path: Path) -> None:
    """One of two nodes refuses at once: as many quick successes as ever, and one in ten fails. From 25 s on none."""
    refused = [row(21 * S + 50_000 + i * S, "issue", 1_000, "server_error") for i in range(4)]
    (one,) = seen(tmp_path, sorted([*steady(10, 40), *refused]), fault(20))
    assert one.failed == 4
    assert one.p95_back_s == 5.0


def test_as_many_failures_as_before_the_fault_are_no_obstacle(tmp_path: Path) -> None:
    """One request in ten has always failed, so that p95 is back at once."""
    failing = [row(10 * S + 50_000 + i * S, "issue", 1_000, "write_conflict") for i in range(30)]
    (one,) = seen(tmp_path, sorted([*steady(10, 40), *failing]), fault(20))
    assert (one.failed, one.p95_back_s) == (20, 0.0)


def test_what_the_fault_catches_on_its_way_is_counted_apart(tmp_path: Path) -> None:
    """Sent at 19.98 s and broken off, or refused, at 20.02 s; the third one was complete before the fault."""
    caught = [row(19_980_000, "issue", 40_000, outcome) for outcome in ("connection_lost", "server_error", "ok")]
    before = row(19_980_000, "issue", 10_000, "server_error")
    (one,) = seen(tmp_path, sorted([*steady(10, 40), *caught, before]), fault(20))
    assert (one.failed_in_flight, one.failed, one.lost, one.requests) == (2, 0, 0, 200)


def test_what_the_fault_catches_on_its_way_is_not_usual(tmp_path: Path) -> None:
    """Sent at 19.95 s and complete five seconds later: the limit stays at 50 ms."""
    rows = sorted([*steady(10, 20), row(19_950_000, "issue", 5 * S), *steady(20, 40)])
    (one,) = seen(tmp_path, rows, fault(20))
    assert one.p95_limit_ms == 50.0


def test_a_fault_is_watched_until_the_next_one(tmp_path: Path) -> None:
    """Killed at 20 s, started again at 30 s: failures from 32 s on belong to the second fault."""
    rows = [*steady(10, 32), *steady(32, 34, 1_000, "timeout"), *steady(34, 40)]
    first, second = seen(tmp_path, rows, fault(20), fault(30, 1, "restart"))
    assert (first.watched_s, first.failed, first.p95_back_s) == (10.0, 0, 0.0)
    assert (second.watched_s, second.failed, second.lost) == (10.0, 20, 20)
    assert second.longest_gap_s == pytest.approx(2.1)


def test_a_success_that_only_the_next_fault_brought_is_none_of_the_first(tmp_path: Path) -> None:
    """Stopped at 20 s, started again at 30 s: what was sent at 25 s waits, and is answered at 31 s."""
    rows = [*steady(10, 20), row(25 * S, "issue", 6 * S), *steady(31, 40)]
    first, second = seen(tmp_path, rows, fault(20, 0, "stop"), fault(30, 1, "restart"))
    assert (first.requests, first.failed, first.first_success_s, first.longest_gap_s) == (1, 0, None, 10.0)
    assert second.first_success_s == pytest.approx(1.05)


def test_faults_of_the_same_moment_are_one(tmp_path: Path) -> None:
    """A site goes: two kills 5 ms apart, whichever came first; what follows belongs to both."""
    rows = [*steady(10, 20), *steady(20, 22, 1_000, "timeout"), *steady(22, 40)]
    (one,) = seen(tmp_path, rows, fault(20.005, 0), fault(20, 1, "cut"))
    assert (one.words, one.targets) == ("kill database-1 and cut database-1", "database-1 and database-1")
    assert (one.at_s, one.watched_s, one.failed, one.p95_back_s) == (10.0, 20.0, 20, 2.0)


def test_faults_a_second_apart_are_two_however_punctual_they_were(tmp_path: Path) -> None:
    """Asked for at 20 s and 21 s: one is begun some milliseconds late in one trial, the other one in the next."""
    trials = [
        seen(tmp_path / str(number), steady(10, 40), fault(20 + late_s[0]), fault(21 + late_s[1], 1, "restart"))
        for number, late_s in enumerate([(0.03, 0.0), (0.0, 0.03)])
    ]
    found = [(one.words, one.trials) for one in combine_recoveries(trials)]
    assert found == [("kill database-1", 2), ("restart database-1", 2)]


def test_a_fault_alone_is_not_put_together_with_the_same_beside_others(tmp_path: Path) -> None:
    """A second kill came with the first one in one trial, and long after it in the other: three rows."""
    trials = [
        seen(tmp_path / str(second_s), steady(10, 40), fault(20), fault(second_s, 1)) for second_s in (20.01, 30.0)
    ]
    found = [(one.numbers, one.trials) for one in combine_recoveries(trials)]
    assert found == [((0,), 1), ((0, 1), 1), ((1,), 1)]


def test_two_seconds_are_too_few_to_say_that_p95_is_back(tmp_path: Path) -> None:
    """Nor that it is not: the next fault comes two seconds later."""
    first, second = seen(tmp_path, steady(10, 40), fault(20), fault(22, 1))
    assert (first.p95_limit_ms, first.p95_back_s, second.p95_back_s) == (None, None, 0.0)


def test_what_never_comes_back_is_none(tmp_path: Path) -> None:
    """No success after the fault: the gap lasts to the end of the window."""
    (one,) = seen(tmp_path, [*steady(10, 20), *steady(20, 40, 1_000, "server_error")], fault(20))
    assert (one.first_success_s, one.p95_back_s, one.longest_gap_s) == (None, None, 20.0)


def test_a_fault_soon_after_the_window_began_has_nothing_to_be_held_against(tmp_path: Path) -> None:
    """Four seconds before it are too few."""
    (one,) = seen(tmp_path, steady(10, 40), fault(14.5))
    assert (one.p95_limit_ms, one.p95_back_s) == (None, None)
    assert one.first_success_s is not None


def test_rows_of_whole_chains_are_no_requests(tmp_path: Path) -> None:
    rows = sorted([*steady(10, 40), row(21 * S, "workflow", 1_000, "timeout")])
    (one,) = seen(tmp_path, rows, fault(20))
    assert (one.requests, one.failed) == (200, 0)


def test_late_arrivals_are_complete_when_they_are(tmp_path: Path) -> None:
    """In the open model latency counts from the intended start; the answer came 50 ms after the request was sent."""
    rows = [*steady(10, 20), row(22 * S, "issue", USUAL_US, late_us=3 * S)]
    (one,) = seen(tmp_path, rows, fault(20))
    assert one.first_success_s == pytest.approx(2.05)


def test_no_faults_no_recoveries(tmp_path: Path) -> None:
    assert seen(tmp_path, steady(10, 40)) == ()


def test_trials_are_put_together_fault_by_fault(tmp_path: Path) -> None:
    """The first answer comes 50 ms after 22 s, or 300 ms after 24 s; the second trial stays slow."""
    rows = [
        [*steady(10, 20), *steady(20, 22, 1_000, "timeout"), *steady(22, 40)],
        [*steady(10, 20), *steady(20, 24, 1_000, "timeout"), *steady(24, 40, 300_000)],
    ]
    trials = [seen(tmp_path / str(number), own, fault(20)) for number, own in enumerate(rows)]
    (one,) = combine_recoveries(trials)
    assert (one.words, one.trials, one.not_back) == ("kill database-1", 2, 1)
    assert one.longest_gap_s.values == pytest.approx((2.05, 4.3))
    assert (one.failed.minimum, one.failed.maximum) == (20, 40)
    assert (one.p95_back_s.values, one.p95_back_s.value) == ((2.0,), None), "no mean of the lucky ones"
    assert (one.no_success, one.first_success_s.trials) == (0, 2)


def test_a_trial_without_any_success_after_the_fault_is_told(tmp_path: Path) -> None:
    """The first one that succeeds is complete after 2.05 s, in the other trial there is none: no mean of the two."""
    rows = [
        [*steady(10, 20), *steady(20, 22, 1_000, "timeout"), *steady(22, 40)],
        [*steady(10, 20), *steady(20, 40, 1_000, "timeout")],
    ]
    trials = [seen(tmp_path / str(number), own, fault(20)) for number, own in enumerate(rows)]
    (one,) = combine_recoveries(trials)
    assert (one.no_success, one.first_success_s.value) == (1, None)
    assert one.first_success_s.values == pytest.approx((2.05,))
