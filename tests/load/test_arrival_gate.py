"""Whether the open model offered what it was to: the limits, and the remedy that fits."""

from __future__ import annotations

from dataclasses import replace

from iam_loadtest.load.arrival_gate import MORE_USERS, MORE_WORKERS, arrival_cautions, arrival_counts, arrivals_problem
from iam_loadtest.results.trial import ArrivalCounts

FINE = ArrivalCounts(offered=10_000, ended=10_000, late=0, waited=0, dropped=0, in_flight=4.0)


def test_counts_are_sums_over_the_workers_and_chains_in_flight_a_mean_over_the_window() -> None:
    """Chains of 3 s and 1 s together in a window of 2 s: two at once on average."""
    one = {"offered": 5, "ended": 4, "late": 1, "waited": 2, "dropped": 1, "in_flight_us": 3_000_000}
    other = {"offered": 5, "ended": 5, "late": 0, "waited": 0, "dropped": 0, "in_flight_us": 1_000_000}
    assert arrival_counts([one, other], 2.0) == ArrivalCounts(10, 9, 1, 2, 1, 2.0)


def test_the_closed_model_has_no_arrivals_to_judge() -> None:
    assert arrival_counts([], 2.0) is None
    assert arrivals_problem(None, 0.001) is None
    assert arrival_cautions(None) == ()


def test_as_planned_there_is_nothing_to_say() -> None:
    assert arrivals_problem(FINE, 0.001) is None
    assert arrival_cautions(FINE) == ()


def test_one_in_a_thousand_may_be_late_or_dropped_and_is_pointed_out() -> None:
    some = replace(FINE, late=6, dropped=4)
    assert arrivals_problem(some, 0.001) is None
    assert [caution.kind for caution in arrival_cautions(some)] == ["late_arrivals"]


def test_more_make_the_trial_invalid_with_the_remedy_that_fits() -> None:
    busy = replace(FINE, late=11)
    assert arrivals_problem(busy, 0.001) == (
        "of 10,000 arrivals 11 started more than 5 ms late and 0 were dropped, 0.11 % in all (at most 0.1 %); "
        + MORE_WORKERS
    )
    crowded = replace(FINE, late=11, waited=10)
    assert str(arrivals_problem(crowded, 0.001)).endswith(MORE_USERS)


def test_a_scenario_may_allow_more() -> None:
    assert arrivals_problem(replace(FINE, late=90), 0.01) is None


def test_one_late_arrival_of_a_few_hundred_is_let_pass() -> None:
    few = replace(FINE, offered=300, ended=300, late=1)
    assert arrivals_problem(few, 0.001) is None
    assert arrivals_problem(replace(few, late=2), 0.001) is not None


def test_a_server_that_falls_behind_makes_the_trial_invalid() -> None:
    """6,800 of 10,000 chains ended; by chance it would be a few fewer, as many as are in flight."""
    behind = arrivals_problem(replace(FINE, ended=6_800, in_flight=1_600.0), 0.001)
    assert behind is not None
    assert behind.startswith("only 6,800 of 10,000 chains offered in the window ended in it (68.0 %, at least 98 %)")


def test_few_chains_in_flight_at_the_end_of_a_short_window_are_chance() -> None:
    """Of 20 chains one was still under way: 95 %, and no sign of anything."""
    assert arrivals_problem(replace(FINE, offered=20, ended=19, in_flight=0.5), 0.001) is None


def test_a_window_without_an_arrival_is_said() -> None:
    assert str(arrivals_problem(replace(FINE, offered=0, ended=0), 0.001)).startswith("no chain was to start")
