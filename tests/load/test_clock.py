"""Clocks of several processes on one time line."""

from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.load.clock import Ping, now_us, offset_us


def test_the_quickest_round_is_believed() -> None:
    """Round trips of 1000 and 100 us: the second says 5000 - 150 = 4850."""
    slow, quick = Ping(0, 9_000, 1_000), Ping(100, 5_000, 200)
    assert offset_us([slow, quick]) == 4_850


@given(st.integers(-(10**12), 10**12), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1))
def test_the_offset_is_wrong_by_half_the_shortest_round_trip_at_most(
    truth_us: int, ways_us: list[tuple[int, int]]
) -> None:
    """Whatever the ways there and back take, each round is sent at worker time 1 s."""
    sent = 1_000_000
    pings = [Ping(sent, sent + there + truth_us, sent + there + back) for there, back in ways_us]
    shortest = min(there + back for there, back in ways_us)
    assert abs(offset_us(pings) - truth_us) <= shortest / 2 + 1


def test_the_clock_never_goes_back() -> None:
    readings = [now_us() for _ in range(1000)]
    assert readings == sorted(readings)
