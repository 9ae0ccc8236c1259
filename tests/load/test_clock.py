"""Clocks of several processes on one time line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.load.clock import (
    MAX_DRIFT,
    RESYNC_S,
    SLEW_US,
    Ping,
    Relation,
    Timeline,
    now_us,
    relation_of,
)

MINUTE_US = 60_000_000


def test_the_quickest_round_is_believed() -> None:
    """Round trips of 1000 and 100 us: the second says 5000 - 150 = 4850, and is wrong by 50 at most."""
    slow, quick = Ping(0, 9_000, 1_000), Ping(100, 5_000, 200)
    assert relation_of([slow, quick]) == Relation(200, 4_850, 50)


@given(st.integers(-(10**12), 10**12), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1))
def test_the_offset_is_wrong_by_no_more_than_it_says(truth_us: int, ways_us: list[tuple[int, int]]) -> None:
    """Whatever the ways there and back take, each round is sent at worker time 1 s."""
    sent = 1_000_000
    found = relation_of([Ping(sent, sent + there + truth_us, sent + there + back) for there, back in ways_us])
    assert abs(found.offset_us - truth_us) <= found.error_us + 1
    assert found.error_us <= min(there + back for there, back in ways_us) / 2 + 1


def test_a_slow_handshake_does_not_spoil_what_a_quick_one_found() -> None:
    """Known to 50 us a minute ago, so to 6.05 ms with drift: -5.05 to 7.05; a slow round, -10 to 90, adds nothing."""
    known = Relation(0, 1_000, 50)
    assert known.refined(Relation(MINUTE_US, 40_000, 50_000)) == Relation(MINUTE_US, 1_000, 6_050)


def test_a_quick_handshake_replaces_what_is_known() -> None:
    """3 ms of drift in a minute, known to 60 us."""
    newer = Relation(MINUTE_US, 4_000, 60)
    assert Relation(0, 1_000, 50).refined(newer) == newer


def test_a_clock_that_cannot_have_drifted_so_far_is_believed_anew() -> None:
    """A virtual machine that was paused, for instance."""
    newer = Relation(MINUTE_US, 900_000, 60)
    assert Relation(0, 1_000, 50).refined(newer) == newer


@given(
    drift=st.floats(-0.9 * MAX_DRIFT, 0.9 * MAX_DRIFT),
    ways_us=st.lists(st.tuples(st.integers(20, 30_000), st.integers(20, 30_000)), min_size=20, max_size=20),
)
def test_drift_is_followed_through_a_long_trial(drift: float, ways_us: list[tuple[int, int]]) -> None:
    """Ten minutes, a handshake every half minute: time is wrong by no more than a handshake and ten seconds' drift."""

    def master_us(local_us: int) -> int:
        return local_us + 5_000_000 + int(local_us * drift)

    relation = relation_of([Ping(0, master_us(100), 200)])
    timeline = Timeline(relation.offset_us)
    for number, (there_us, back_us) in enumerate(ways_us, start=1):
        sent_us = int(number * RESYNC_S * 1e6)
        ping = Ping(sent_us, master_us(sent_us + there_us), sent_us + there_us + back_us)
        relation = relation.refined(relation_of([ping]))
        assert abs(master_us(ping.received_us) - ping.received_us - relation.offset_us) <= relation.error_us + 2
        timeline.aim(relation.offset_us, ping.received_us)
        settled_us = ping.received_us + SLEW_US
        limit_us = relation.error_us + SLEW_US * MAX_DRIFT + 3
        assert abs(timeline.at(settled_us) - master_us(settled_us)) <= limit_us


@given(
    st.lists(st.tuples(st.integers(0, 40_000_000), st.integers(-(10**6), 10**6)), max_size=150),
    st.lists(st.integers(0, 10**9), min_size=2, max_size=60),
)
def test_time_never_goes_back_whatever_is_corrected(corrections: list[tuple[int, int]], readings_us: list[int]) -> None:
    timeline, now = Timeline(7_000), 0
    for wait_us, shift_us in corrections:
        now += wait_us
        before = timeline.at(now)
        timeline.aim(shift_us, now)
        assert timeline.at(now) == before, "no jump at the moment of the correction"
    found = timeline.all_at(sorted(readings_us))
    assert list(found) == sorted(found)
    assert list(found) == [timeline.at(reading) for reading in sorted(readings_us)]


def test_a_correction_is_made_up_for_within_ten_seconds() -> None:
    """3 ms more: half of them after half the time, all of them from then on."""
    timeline = Timeline(1_000)
    timeline.aim(4_000, MINUTE_US)
    shifts = [timeline.at(at_us) - at_us for at_us in (MINUTE_US, MINUTE_US + SLEW_US // 2, MINUTE_US + 2 * SLEW_US)]
    assert shifts == [1_000, 2_500, 4_000]
    assert timeline.at(MINUTE_US - 1) == MINUTE_US - 1 + 1_000, "what was sent before keeps its time"


def test_the_clock_never_goes_back() -> None:
    readings = [now_us() for _ in range(1000)]
    assert readings == sorted(readings)
