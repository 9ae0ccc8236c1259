"""When chains are to start: evenly or at random, at a rate that stages change, shared by the workers."""

from __future__ import annotations

from itertools import islice, pairwise, takewhile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.load.arrival import Pace, numbers_of, pace_of
from iam_loadtest.scenario.load import Load


def times(pace: Pace, kind: str, slot: int, slots: int, until_s: float, seed: str = "1-1") -> list[float]:
    numbers = numbers_of("poisson" if kind == "poisson" else "constant", slot, slots, seed)
    return list(takewhile(lambda time_s: time_s < until_s, pace.times_s(numbers)))


def test_constant_arrivals_of_all_workers_together_are_evenly_spaced() -> None:
    """Ten a second over three workers: one each 100 ms, dealt in turn."""
    pace = Pace((0,), (10,))
    together = sorted(time_s for slot in range(3) for time_s in times(pace, "constant", slot, 3, 2))
    assert together == pytest.approx([number / 10 for number in range(20)])
    assert times(pace, "constant", 1, 3, 1) == pytest.approx([0.1, 0.4, 0.7])


def test_a_stage_changes_the_rate_from_its_first_moment_on() -> None:
    """Warm-up of 1 s at 2/s, a stage of 2 s at 4/s, then 1/s for good."""
    load = Load.model_validate(
        {
            "arrival_rate_per_s": 2,
            "duration": 10,
            "stages": [{"duration": 2, "arrival_rate_per_s": 4}, {"duration": 1, "arrival_rate_per_s": 1}],
        }
    )
    found = times(pace_of(load, 1), "constant", 0, 1, 6)
    assert found == pytest.approx([0, 0.5, 1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 2.75, 3, 4, 5])


def test_without_warm_up_the_first_stage_is_the_first_rate() -> None:
    load = Load.model_validate({"arrival_rate_per_s": 2, "stages": [{"duration": 2, "arrival_rate_per_s": 10}]})
    assert times(pace_of(load, 0), "constant", 0, 1, 0.35) == pytest.approx([0, 0.1, 0.2, 0.3])


@given(
    rates=st.lists(st.floats(0.5, 200), min_size=1, max_size=4),
    lengths=st.lists(st.floats(0.1, 5), min_size=4, max_size=4),
    slots=st.integers(1, 5),
)
def test_workers_share_every_arrival_and_none_twice(rates: list[float], lengths: list[float], slots: int) -> None:
    """As many as rate times length in each stage, to within one; each worker's share rises."""
    starts = [sum(lengths[:number]) for number in range(len(rates))]
    pace, end_s = Pace(starts, rates), starts[-1] + lengths[len(rates) - 1]
    shares = [times(pace, "constant", slot, slots, end_s) for slot in range(slots)]
    assert all(earlier < later for share in shares for earlier, later in pairwise(share))
    whole = sorted(time_s for share in shares for time_s in share)
    assert whole == times(pace, "constant", 0, 1, end_s)
    expected = sum(rate * length for rate, length in zip(rates, lengths, strict=False))
    assert abs(len(whole) - expected) <= 1


def test_poisson_arrivals_are_the_same_for_a_seed_and_others_for_another_worker_or_trial() -> None:
    pace = Pace((0,), (50,))
    first = times(pace, "poisson", 0, 2, 10)
    assert first == times(pace, "poisson", 0, 2, 10)
    assert first != times(pace, "poisson", 1, 2, 10)
    assert first != times(pace, "poisson", 0, 2, 10, "1-2")


def test_poisson_arrivals_have_the_rate_and_the_spread_of_chance() -> None:
    """100/s over two workers for 200 s: 20,000 and five standard deviations; gaps spread as far as their mean."""
    pace = Pace((0,), (100,))
    whole = sorted(time_s for slot in range(2) for time_s in times(pace, "poisson", slot, 2, 200))
    assert abs(len(whole) - 20_000) < 5 * 20_000**0.5
    gaps = [later - earlier for earlier, later in pairwise(whole)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert spread / mean == pytest.approx(1, abs=0.05)


def test_a_schedule_is_made_as_it_is_read() -> None:
    """It has no end; what was late before moves nothing that follows."""
    moments = Pace((0,), (1e4,)).times_s(numbers_of("constant", 0, 1, ""))
    assert list(islice(moments, 100_000, 100_002)) == pytest.approx([10, 10.0001])
