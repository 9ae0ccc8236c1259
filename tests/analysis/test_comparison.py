"""Comparisons: what three trials can tell, what they cannot, and how often the method is wrong."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from iam_loadtest.analysis.cell import Cell
from iam_loadtest.analysis.comparison import (
    NO_SPREAD,
    OPEN_MODEL,
    PROBES_ALONE,
    Comparison,
    Verdict,
    compare,
    comparisons_made,
)
from iam_loadtest.analysis.contrast import holm
from iam_loadtest.analysis.estimate import estimate
from iam_loadtest.results.fault import FaultRecord

from .cells import Figures, summary_of


def steady(throughput: float, p95_ms: float, spread: float = 0.01) -> list[Figures]:
    """Three trials: one at the value, one above, one below it by the same ratio."""
    return [(throughput * f, p95_ms * f) for f in (1.0, 1 + spread, 1 / (1 + spread))]


def two(candidate: list[Figures], baseline: list[Figures] | None = None) -> tuple[Comparison, Comparison]:
    """Throughput and p95 of a candidate against a baseline of 100 requests/s and 50 ms."""
    cells = {("base", "access"): baseline or steady(100, 50), ("other", "access"): candidate}
    throughput, p95 = compare(summary_of(cells))
    return throughput, p95


def test_more_throughput_and_less_latency_are_better() -> None:
    """Twice and half, at a spread of a hundredth: beyond any doubt, and beyond the margin."""
    throughput, p95 = two(steady(200, 25))
    assert (throughput.verdict, throughput.is_material, throughput.ratio) == (Verdict.BETTER, True, pytest.approx(2))
    assert (p95.verdict, p95.is_material, p95.ratio) == (Verdict.BETTER, True, pytest.approx(0.5, rel=1e-4))


def test_less_throughput_and_more_latency_are_worse() -> None:
    """The same the other way round."""
    assert [one.verdict for one in two(steady(50, 100))] == [Verdict.WORSE, Verdict.WORSE]


def test_the_interval_is_that_of_student_s_t_on_logs() -> None:
    """As scipy computes it from the logs of the trials."""
    values, base = [210.0, 200.0, 205.0], [100.0, 104.0, 99.0]
    throughput, _ = two([(value, 25.0) for value in values], [(value, 50.0) for value in base])
    test = stats.ttest_ind(np.log(values), np.log(base), equal_var=True)
    interval = test.confidence_interval(0.95)
    assert throughput.low == pytest.approx(math.exp(interval.low))
    assert throughput.high == pytest.approx(math.exp(interval.high))
    assert throughput.p_value == pytest.approx(test.pvalue, rel=1e-6)


def test_several_candidates_have_dunnett_s_intervals() -> None:
    """They are wider than the interval of each alone, and lie as scipy puts them."""
    trials = {"base": steady(100, 50, 0.02), "b": steady(120, 50, 0.02), "c": steady(103, 50, 0.02)}
    found = compare(summary_of({(name, "access"): own for name, own in trials.items()}))
    throughput = {one.topology: one for one in found if one.metric.name == "throughput"}
    logs = {name: np.log([value for value, _ in own]) for name, own in trials.items()}
    dunnett = stats.dunnett(logs["b"], logs["c"], control=logs["base"], rng=np.random.default_rng(7))
    interval = dunnett.confidence_interval(0.95)
    assert throughput["b"].low == pytest.approx(math.exp(interval.low[0]), rel=2e-3)
    assert throughput["c"].high == pytest.approx(math.exp(interval.high[1]), rel=2e-3)
    assert (throughput["b"].verdict, throughput["c"].verdict) == (Verdict.BETTER, Verdict.INCONCLUSIVE)


def test_equal_within_the_margin_is_equivalent() -> None:
    """A difference of 0.1 % at a spread of 0.1 % lies well within 5 %."""
    throughput, _ = two(steady(100.1, 50, 0.001), steady(100, 50, 0.001))
    assert throughput.verdict is Verdict.EQUIVALENT


def test_a_difference_below_the_margin_is_better_but_not_materially() -> None:
    """Two per cent, sure but small."""
    throughput, _ = two(steady(102, 50, 0.0005), steady(100, 50, 0.0005))
    assert (throughput.verdict, throughput.is_material) == (Verdict.BETTER, False)


def test_noise_is_inconclusive_and_says_how_many_trials_would_tell() -> None:
    """Five per cent between trials, one between topologies."""
    throughput, _ = two(steady(101, 50, 0.05), steady(100, 50, 0.05))
    assert throughput.verdict is Verdict.INCONCLUSIVE
    assert throughput.trials_to_resolve is not None
    assert throughput.trials_to_resolve > 3


def test_more_trials_are_asked_for_where_a_narrow_interval_holds_both_one_and_the_margin() -> None:
    """p95 6 % higher at 3 % between trials: the interval is narrower than the margin, and neither side is shown."""
    _, p95 = two(steady(100, 53, 0.03), steady(100, 50, 0.03))
    assert p95.verdict is Verdict.INCONCLUSIVE
    assert p95.detectable is not None
    assert p95.detectable < p95.margin
    assert p95.trials == (3, 3)
    assert p95.trials_to_resolve is not None
    assert p95.trials_to_resolve > 3


def test_two_trials_are_not_ranked() -> None:
    """However far apart."""
    throughput, p95 = two(steady(200, 25)[:2])
    assert (throughput.verdict, throughput.low, p95.verdict) == (None, None, None)
    assert throughput.not_ranked == "“other” has 2 counted trials, 3 are needed"


def test_unstable_trials_are_not_ranked_and_do_not_widen_the_others() -> None:
    """The stable candidate is compared as if it were alone."""
    cells = {("base", "a"): steady(100, 50), ("wild", "a"): steady(100, 50, 0.5), ("calm", "a"): steady(200, 25)}
    found = {(one.topology, one.metric.name): one for one in compare(summary_of(cells))}
    reason = "the trials of “wild” differ too much from each other in throughput and p95"
    assert found["wild", "throughput"].not_ranked == reason
    alone, _ = two(steady(200, 25))
    assert found["calm", "throughput"].low == pytest.approx(alone.low)


def test_an_unstable_baseline_ranks_nothing() -> None:
    """The reason names the baseline."""
    throughput, _ = two(steady(100, 50), steady(100, 50, 0.5))
    assert throughput.not_ranked == "the trials of “base” differ too much from each other in throughput and p95"


def test_without_a_success_there_is_no_ratio() -> None:
    """Zero is no size to compare by."""
    throughput, p95 = two([(0.0, None)] * 3)
    assert (throughput.ratio, throughput.verdict, throughput.not_ranked) == (
        None,
        None,
        "“other” has trials without a success",
    )
    assert (p95.ratio, p95.not_ranked) == (
        None,
        "“other” has 0 of 3 counted trials with a success, 3 are needed",
    )


def test_what_is_not_ranked_has_no_bare_ratio() -> None:
    """Too few or unstable trials: a ratio without an interval would be read as a result."""
    for candidate in (steady(200, 25)[:2], steady(200, 25, 0.5)):
        assert [(one.ratio, one.low, bool(one.not_ranked)) for one in two(candidate)] == [(None, None, True)] * 2


def test_trials_without_any_spread_are_not_ranked() -> None:
    """Identical figures leave an interval without width: nobody would believe it, and nothing is said of it."""
    for throughput in (100.0, 110.0):
        one, _ = two([(throughput, 50.0)] * 3, [(100.0, 50.0)] * 3)
        assert (one.verdict, one.ratio, one.not_ranked) == (None, None, NO_SPREAD)


KILL, CUT = FaultRecord(0, "kill", "database-1", started_us=1), FaultRecord(0, "cut", "link", started_us=1)


LATER = replace(KILL, target="sessions-2", done="SIGKILL to sessions-2", started_us=9, ended_us=10)


@pytest.mark.parametrize(
    ("of_base", "of_other", "is_ranked"),
    [
        *[((KILL,), (), False), ((KILL,), (CUT,), False), ((KILL,), (KILL,), True), ((KILL,), (LATER,), True)],
        *[((CUT,), (replace(CUT, **asked),), False) for asked in ({"at_s": 20.0}, {"for_s": 5.0}, {"loss": 0.1})],
    ],
)
def test_topologies_that_met_other_faults_are_not_ranked(
    of_base: tuple[FaultRecord, ...], of_other: tuple[FaultRecord, ...], is_ranked: bool
) -> None:
    """The same fault on both sides, whatever it came to there, is part of what is compared; a longer cut is another."""
    plain = summary_of({("base", "a"): steady(100, 50), ("other", "a"): steady(200, 25)})
    cells = tuple(_with_faults(cell, of) for cell, of in zip(plain.cells, (of_base, of_other), strict=True))
    reasons = {one.not_ranked for one in compare(replace(plain, cells=cells))}
    assert reasons == {None if is_ranked else "“other” met other faults than “base”"}


def _with_faults(cell: Cell, faults: tuple[FaultRecord, ...]) -> Cell:
    return replace(cell, trials=tuple(replace(one, trial=replace(one.trial, faults=faults)) for one in cell.trials))


def test_throughput_of_probes_ranks_nothing() -> None:
    """It is what their waits leave; their latency leaves waits out."""
    scenario = {"workloads": {"a": {"probes": ["issue-refresh"]}}}
    throughput, p95 = compare(summary_of({("base", "a"): steady(100, 50), ("other", "a"): steady(200, 25)}, scenario))
    assert (throughput.verdict, throughput.not_ranked) == (None, PROBES_ALONE)
    assert p95.verdict is Verdict.BETTER


def test_one_topology_compares_nothing() -> None:
    """Nor does a workload that the baseline has not run."""
    assert compare(summary_of({("base", "access"): steady(100, 50)})) == ()
    assert compare(summary_of({("base", "a"): steady(1, 1), ("other", "b"): steady(1, 1)})) == ()


def test_holm_by_hand() -> None:
    """0.01 times 3, 0.02 times 2, and never below one before."""
    assert holm([0.02, 0.01, 0.03]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_makes_a_p_value_smaller_and_keeps_their_order(p_values: list[float]) -> None:
    """Between the value itself and Bonferroni's."""
    adjusted = holm(p_values)
    assert all(p <= a <= min(1.0, p * len(p_values)) + 1e-12 for p, a in zip(p_values, adjusted, strict=True))
    ranked = [a for _, a in sorted(zip(p_values, adjusted, strict=True))]
    assert ranked == sorted(ranked)


def test_many_comparisons_need_more_evidence() -> None:
    """A difference that stands alone does not stand among forty without any."""
    one = {("base", "w"): steady(100, 50, 0.02), ("other", "w"): steady(106, 50, 0.02)}
    many = dict(one)
    for i in range(20):
        many["base", f"w{i}"] = many["other", f"w{i}"] = steady(100, 50, 0.02)
    assert compare(summary_of(one))[0].verdict is Verdict.BETTER
    found = next(c for c in compare(summary_of(many)) if (c.workload, c.metric.name) == ("w", "throughput"))
    assert found.verdict is Verdict.INCONCLUSIVE


def test_margins_are_those_of_the_scenario() -> None:
    """Two per cent beyond doubt: within a margin of 5 %, materially better beyond one of 1 %."""
    cells = {("base", "access"): steady(100, 50, 0.0005), ("other", "access"): steady(102, 50, 0.0005)}
    scenario = {"margins": {"throughput_share": 0.01, "p95_share": 0.2}}
    throughput, p95 = compare(summary_of(cells, scenario))
    assert (throughput.margin, throughput.is_material, p95.margin) == (0.01, True, 0.2)


def test_throughput_ranks_nothing_in_the_open_model() -> None:
    """It is the rate that was offered; p95 is compared all the same."""
    cells = {("base", "access"): steady(100, 50), ("other", "access"): steady(200, 25)}
    throughput, p95 = compare(summary_of(cells, {"load": {"arrival_rate_per_s": 50}}))
    assert (throughput.verdict, throughput.not_ranked) == (None, OPEN_MODEL)
    assert p95.verdict is Verdict.BETTER


def test_what_could_have_been_seen_is_half_the_interval_s_width() -> None:
    """Three trials each at the spread seen."""
    throughput, _ = two(steady(101, 50, 0.05))
    row = next(row for row in throughput.resolution if row.trials == 3)
    assert throughput.detectable == pytest.approx(row.half_width)
    assert comparisons_made((throughput,)) == 1


@pytest.mark.parametrize("spread", [0.01, 0.04])
def test_runs_of_the_same_build_are_seldom_told_apart(spread: float) -> None:
    """1,000 times three against three trials of the same distribution: at most 7 % false alarms by the interval."""
    random = np.random.default_rng(20261122)
    logs = random.normal(0, spread, (1000, 2, 3))
    told = 0
    for base, other in np.exp(logs) * 100:
        throughput, _ = two([(v, 50.0) for v in other], [(v, 50.0) for v in base])
        told += throughput.low is not None and not throughput.low <= 1 <= (throughput.high or 0)
    assert told <= 70


def test_the_interval_of_the_mean_covers_it_as_often_as_it_says() -> None:
    """2,000 estimates from three trials with a spread of 3 %: between 93 and 97 % of the intervals hold the mean."""
    random = np.random.default_rng(7)
    intervals = [estimate(list(np.exp(own) * 100)).interval for own in random.normal(0, 0.03, (2000, 3))]
    known = [interval for interval in intervals if interval]
    assert len(known) > 1950
    assert 0.93 <= sum(low <= 100 <= high for low, high in known) / len(known) <= 0.97


def test_an_estimate_has_an_interval_from_three_stable_trials_on() -> None:
    """Not from two, not with a zero, and not where trials disagree."""
    assert estimate([100.0, 101.0]).interval is None
    assert estimate([0.0, 0.0, 0.0]).interval is None
    assert estimate([50.0, 100.0, 200.0]).interval is None
    interval = estimate([100.0, 101.0, 102.0]).interval
    assert interval is not None
    assert interval[0] < 100.99 < interval[1]
