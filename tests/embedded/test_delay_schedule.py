"""Schedules of delays: what a text says, and what each request is given."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from iam_loadtest.embedded.delay_schedule import DelaySchedule, delay_schedule
from iam_loadtest.errors import UserError


def test_one_delay_is_everybody_s() -> None:
    schedule = delay_schedule("20ms")
    assert {schedule.delay_s(number, number / 10) for number in range(100)} == {0.02}


def test_weights_are_kept_exactly_in_every_round() -> None:
    """80 % and 20 % of a round of 1,000, not about so: the truth of an accuracy test is known before it runs."""
    schedule = delay_schedule("10ms*80, 200ms*20")
    for first in (0, 1000):
        delays = Counter(schedule.delay_s(number, 0) for number in range(first, first + 1000))
        assert delays == {0.01: 800, 0.2: 200}


def test_the_order_is_the_same_every_time_and_not_sorted() -> None:
    one, two = delay_schedule("10ms*80,200ms*20"), delay_schedule("10ms*80,200ms*20")
    assert one == two
    assert list(one.delays_s) != sorted(one.delays_s)


@pytest.mark.parametrize(
    ("elapsed_s", "delay_s"),
    [(0, 0.001), (26.9, 0.001), (27, 3.001), (28.5, 1.501), (29.75, 0.251), (30, 0.001), (58, 2.001)],
)
def test_what_arrives_in_a_stall_is_held_until_its_end(elapsed_s: float, delay_s: float) -> None:
    """The last 3 of every 30 seconds: at 28.5 s there are 1.5 s left, and the request's own millisecond on top."""
    assert delay_schedule("1ms,stall 3s every 30s").delay_s(7, elapsed_s) == pytest.approx(delay_s)


def test_a_stall_alone_delays_nothing_else() -> None:
    assert delay_schedule("stall 3s every 30s") == DelaySchedule((0.0,), 3, 30)


def test_a_file_has_one_term_a_line(tmp_path: Path) -> None:
    path = tmp_path / "schedule.txt"
    path.write_text("# a slow fifth\n10ms*80\n\n200ms*20  # every fifth\nstall 3s every 30s\n")
    assert delay_schedule(str(path)) == delay_schedule("10ms*80,200ms*20,stall 3s every 30s")


@pytest.mark.parametrize("text", ["", "fast", "10ms*0", "10ms*1.5", "10ms*2000000", "stall 3s every 3s", "10 parsecs"])
def test_a_schedule_that_is_none_is_named_with_what_one_is(text: str) -> None:
    with pytest.raises(UserError, match=r"--delay-schedule .*; give delays with weights and a stall, such as 20ms"):
        delay_schedule(text)
