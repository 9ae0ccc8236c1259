"""Which workload the next chain is of."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.flow.classify import classifier_for
from iam_loadtest.flow.prepare import ReadyWorkload
from iam_loadtest.load.mix import mix_of

NAMES = ("access", "refresh", "workflow")
WORKLOADS = {name: ReadyWorkload(name, (), [], classifier_for("generic")) for name in NAMES}


def drawn(weights: dict[str, float], chains: int, start: float = 0.0) -> Counter[str]:
    mix = mix_of(WORKLOADS, weights, start)
    return Counter(mix.draw().workload.name for _ in range(chains))


def test_a_workload_alone_has_chains_called_workflow() -> None:
    kind = mix_of({"access": WORKLOADS["access"]}, {"access": 1.0}, 0.0).draw()
    assert (kind.workload.name, kind.step) == ("access", "workflow")


def test_users_of_one_workload_beside_others_have_chains_that_can_be_told_apart() -> None:
    """A chain of one request and one of three have no percentile in common."""
    kind = mix_of(WORKLOADS, {"access": 1.0}, 0.0).draw()
    assert (kind.workload.name, kind.step) == ("access", "workflow:access")


def test_chains_of_a_mix_carry_the_name_of_their_workload() -> None:
    mix = mix_of(WORKLOADS, {"access": 20, "refresh": 10}, 0.0)
    assert {mix.draw().step for _ in range(10)} == {"workflow:access", "workflow:refresh"}


def test_weights_as_figures_per_hour_are_shares_of_the_chains() -> None:
    """20,000 to 10,000 to 5,000 an hour: of 7,000 chains 4,000, 2,000 and 1,000, but for a few."""
    counts = drawn({"access": 20_000, "refresh": 10_000, "workflow": 5_000}, 7_000)
    for name, expected in zip(NAMES, (4_000, 2_000, 1_000), strict=True):
        assert abs(counts[name] - expected) <= 5


@given(
    weights=st.lists(st.floats(0.05, 20), min_size=2, max_size=3),
    chains=st.integers(1, 3_000),
    start=st.floats(0, 1, exclude_max=True),
)
def test_shares_are_the_weights_after_any_number_of_chains(weights: list[float], chains: int, start: float) -> None:
    """A draw by chance would be off by about half the square root of the chains: 27 of 3,000."""
    named = dict(zip(NAMES, weights, strict=False))
    counts = drawn(named, chains, start)
    assert sum(counts.values()) == chains
    for name, weight in named.items():
        assert abs(counts[name] - chains * weight / sum(weights)) <= 8
