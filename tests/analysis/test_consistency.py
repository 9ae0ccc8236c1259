"""Shares of stale reads, the visibility curve and bounds of what was never seen, by hand."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.analysis.cell import Cell, make_cell
from iam_loadtest.analysis.consistency import (
    Consistency,
    Share,
    cell_consistency,
    lower_bound,
    node_shares,
    smoothed,
    upper_bound_of_none,
)
from iam_loadtest.analysis.probe import TrialProbes
from iam_loadtest.analysis.trial_summary import TrialSummary
from iam_loadtest.results.probe import ProbeKind
from iam_loadtest.results.trial import Trial, TrialStatus

NOTHING: dict[str, Any] = {field.name: {} for field in fields(TrialProbes)}
KIND = ProbeKind.ISSUE_REFRESH
DOUBLE = ProbeKind.DOUBLE_REFRESH


def trial(number: int, **counts: Any) -> TrialSummary:
    one = Trial(f"{number:03d}", number, "t", "w", number, TrialStatus.OK, None, "", "")
    return TrialSummary(one, None, probes=TrialProbes(**{**NOTHING, **counts}))


def cell(*trials: TrialSummary) -> Cell:
    return make_cell("t", "w", trials)


def only(*trials: TrialSummary) -> Consistency:
    (one,) = cell_consistency(cell(*trials))
    return one


@pytest.mark.parametrize(("total", "bound"), [(1, 0.95), (24, 0.1173), (300, 0.00994), (3000, 0.000998)])
def test_what_was_never_seen_has_the_bound_of_the_rule_of_three(total: int, bound: float) -> None:
    """1 - 0.05 ** (1 / n), which is nearly 3 / n: at that share n tries without a hit have a chance of 5 %."""
    assert upper_bound_of_none(total) == pytest.approx(bound, rel=5e-3)
    assert (1 - upper_bound_of_none(total)) ** total == pytest.approx(0.05)


def test_a_curve_that_falls_is_pooled() -> None:
    """5 of 10, then 4 of 10, are 9 of 20 each; 3 of 4 stays; 8 of 10 and 1 of 2 are 9 of 12."""
    assert smoothed([(5, 10), (4, 10), (3, 4), (8, 10), (1, 2)]) == [0.45, 0.45, 0.75, 0.75, 0.75]
    assert smoothed([]) == []


@given(st.lists(st.integers(1, 50).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))))
def test_a_smoothed_curve_never_falls_and_keeps_the_total(points: list[tuple[int, int]]) -> None:
    levels = smoothed(points)
    assert levels == sorted(levels)
    weighted = sum(level * total for level, (_, total) in zip(levels, points, strict=True))
    assert weighted == pytest.approx(sum(chosen for chosen, _ in points))


def test_a_share_has_an_interval_over_trials_from_three_on() -> None:
    """2 and 4 of 10: Wilson's interval of 6 of 20 is 14.5 to 51.9 %; a third trial makes it one over trials, wider."""
    two = Share(((2, 10), (4, 10)))
    assert (two.value, two.is_over_trials, two.bound) == (0.3, False, None)
    assert two.interval == pytest.approx((0.1455, 0.5190), abs=1e-4)
    three = Share(((2, 10), (4, 10), (9, 10)))
    assert three.is_over_trials
    assert three.interval is not None
    assert three.interval[0] == 0.0, "0.5 - 4.303 * 0.3606 / sqrt(3) is below none"
    assert (Share(()).value, Share(()).interval, Share(()).bound) == (None, None, None)
    assert Share(((0, 24),)).bound == upper_bound_of_none(24)


def test_stale_shares_and_the_curve_are_of_reads_with_a_verdict() -> None:
    """At once 3 of 8 stale over both trials, one failed read apart; at 50 ms none of 2."""
    first = {(KIND, 0, "stale"): 2, (KIND, 0, "fresh"): 2, (KIND, 0, "failed"): 1, (KIND, 6, "fresh"): 2}
    second = {(KIND, 0, "stale"): 1, (KIND, 0, "fresh"): 3}
    found = only(
        trial(1, reads=first, at_once={(KIND, "stale"): 2, (KIND, "fresh"): 2}, visible_us={KIND: (9000, 21_000)}),
        trial(2, reads=second, at_once={(KIND, "stale"): 1, (KIND, "fresh"): 3}, unseen={KIND: 1}),
    )
    assert (found.reads, found.failed, found.unseen) == (10, 1, 1)
    assert (found.stale_at_once.by_trial, found.stale_at_once.value) == (((2, 4), (1, 4)), 0.375)
    assert [(point.from_ms, point.fresh.chosen, point.fresh.total) for point in found.curve] == [(0, 5, 8), (50, 2, 2)]
    assert [point.smoothed for point in found.curve] == [0.625, 1.0]
    assert (found.visible_ms(500), found.visible_ms(1000)) == (21.0, None), "of three, and one took longer"
    assert found.t99_ms is None, "two reads show nothing of 99 %"
    assert found.missing is None


def test_from_when_on_reads_are_fresh_needs_reads_enough_to_say_so() -> None:
    """Reads up to a delay show it, not those after it: 299 of 299 are fresh by 50 ms, and 0.05 ** (1 / 299) > 99 %."""
    reads = {(KIND, 0, "stale"): 5, (KIND, 0, "fresh"): 5, (KIND, 4, "fresh"): 200, (KIND, 6, "fresh"): 99}
    assert only(trial(1, reads=reads)).t99_ms == 50
    assert only(trial(1, reads={**reads, (KIND, 6, "fresh"): 98})).t99_ms is None
    assert only(trial(1, reads={(KIND, 0, "fresh"): 299})).t99_ms == 0


def test_a_stale_read_asks_for_more_fresh_ones() -> None:
    """One stale of 473 is the most that 99 % allows: 0.99 ** 473 + 473 * 0.01 * 0.99 ** 472 is just below 5 %."""
    assert 0.99**473 + 473 * 0.01 * 0.99**472 < 0.05 < 0.99**472 + 472 * 0.01 * 0.99**471
    assert (lower_bound(472, 473) >= 0.99, lower_bound(471, 472) >= 0.99) == (True, False)
    assert lower_bound(0, 5) == 0.0


def test_doubled_and_lost_are_of_the_redemptions_that_were_judged() -> None:
    """Ten once, one doubled, one lost, one recovered are 13; those that may be used again and failed ones are apart."""
    counts = {"once": 10, "doubled": 1, "lost": 1, "recovered": 1, "reusable": 4, "failed": 2}
    found = only(trial(1, redemptions={(DOUBLE, verdict): number for verdict, number in counts.items()}))
    assert (found.doubled.chosen, found.doubled.total) == (1, 13)
    assert (found.lost.chosen, found.lost.total) == (1, 13)
    assert (found.recovered, found.reusable, found.failed) == (1, 4, 2)


def test_credentials_of_a_token_that_the_audit_never_found_prove_nothing() -> None:
    """An IAM that introspects no refresh tokens says "not active" of all of them: those are not counted as missing."""
    audit = {
        (KIND, "access_token", "kept"): 8,
        (KIND, "access_token", "missing"): 1,
        (KIND, "refresh_token", "missing"): 9,
    }
    found = only(trial(1, audit={**audit, (KIND, "access_token", "failed"): 3}))
    assert (found.missing, found.unaudited) == (Share(((1, 9),)), 3)
    assert only(trial(1, audit={(KIND, "refresh_token", "missing"): 9})).missing is None


def test_nodes_are_compared_over_all_counted_trials() -> None:
    one, other = trial(1, pairs={("a", "b", True): 1, ("a", "b", False): 3}), trial(2, pairs={("a", "b", False): 4})
    excluded = replace(trial(3, pairs={("a", "b", True): 9}), excluded="interrupted")
    assert node_shares([cell(one, other, excluded)]) == {("a", "b"): Share(((1, 4), (0, 4)))}
