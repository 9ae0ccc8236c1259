"""Arrivals handed to users: on time, one at a time, none lost, late and dropped ones counted."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
from gevent import Greenlet
from hypothesis import given, settings
from hypothesis import strategies as st

from iam_loadtest.load.clock import now_us
from iam_loadtest.load.dispatcher import LATE_US, ArrivalWindow, Dispatcher

SECOND_US = 1_000_000


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: int = 0) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


class Bench:
    """A dispatcher on a clock of its own, and users that say what they took."""

    def __init__(self, limit_us: int = SECOND_US, window: ArrivalWindow = ArrivalWindow(0)) -> None:  # noqa: B008
        self.clock = Clock()
        self.dispatcher = Dispatcher(limit_us, self.clock)
        self.dispatcher.start(iter(()), window)
        self.taken: list[tuple[str, int]] = []
        self.users: list[Greenlet] = []

    def user(self, name: str, chains: int = 1) -> Greenlet:
        def work() -> None:
            for _ in range(chains):
                self.taken.append((name, self.dispatcher.take()))

        self.users.append(gevent.spawn(work))
        gevent.sleep(0)
        return self.users[-1]

    def offer(self, *dues_us: int) -> None:
        for due_us in dues_us:
            self.dispatcher.offer(due_us)
        gevent.sleep(0)
        gevent.sleep(0)


def test_arrivals_go_to_the_user_that_has_been_free_longest() -> None:
    bench = Bench()
    for name in "abc":
        bench.user(name, chains=2)
    bench.offer(1, 2, 3, 4)
    assert sorted(bench.taken) == [("a", 1), ("a", 4), ("b", 2), ("c", 3)]


def test_an_arrival_that_finds_no_free_user_waits_for_one_and_is_late() -> None:
    bench = Bench()
    bench.offer(100)
    bench.clock.now = 100 + LATE_US + 1
    bench.user("a")
    assert bench.taken == [("a", 100)]
    tally = bench.dispatcher.tally
    assert (tally.offered, tally.waited, tally.late, tally.dropped) == (1, 1, 1, 0)


def test_an_arrival_that_waited_too_long_is_dropped_and_nothing_is_sent_for_it() -> None:
    bench = Bench(limit_us=1000)
    bench.offer(100, 900)
    bench.clock.now = 1101
    bench.user("a")
    assert bench.taken == [("a", 900)]
    assert bench.dispatcher.tally.dropped == 1


def test_only_arrivals_of_the_window_are_counted() -> None:
    """From 100 on and before 200; a chain counts as ended where it ended within."""
    bench = Bench(window=ArrivalWindow(100, 200))
    bench.user("a", chains=4)
    bench.offer(99)
    bench.offer(100)
    bench.offer(199)
    bench.offer(200)
    for now, due_us in ((99, 90), (150, 100), (200, 199)):
        bench.clock.now = now
        bench.dispatcher.ended(due_us)
    tally = bench.dispatcher.tally
    assert (tally.offered, tally.ended, tally.in_flight_us) == (2, 1, 50)


def test_what_a_user_that_ends_was_handed_goes_to_another() -> None:
    """One ends while it waits with nothing, one between the hand-over and its waking up; a third waits already."""
    bench = Bench()
    bench.user("a").kill()
    doomed = bench.user("b")
    bench.user("c")
    doomed.kill(block=False)
    bench.offer(7)
    assert bench.taken == [("c", 7)]


def test_an_arrival_that_is_given_back_is_the_next() -> None:
    bench = Bench()
    bench.offer(1, 2)
    bench.dispatcher.give_back(bench.dispatcher.take())
    bench.user("a", chains=2)
    assert bench.taken == [("a", 1), ("a", 2)]


def test_closing_drops_what_waits_and_what_was_due_and_hands_out_nothing_more() -> None:
    """Of arrivals at 10, 20 and 30, the clock at 25: one was taken before, one never started, one was never due."""
    clock = Clock()
    dispatcher = Dispatcher(SECOND_US, clock)
    dispatcher.start(iter((10, 20, 30)), ArrivalWindow(0))
    clock.now = 25
    dispatcher.close()
    dispatcher.close()
    tally = dispatcher.tally
    assert (tally.offered, tally.dropped) == (2, 2)


def test_a_user_that_comes_free_takes_what_is_due_at_once_and_not_what_is_too_late() -> None:
    """Of arrivals at 10, 20, 30 and 60, the clock at 35 and a limit of 20: the first is dropped, the last not due."""
    clock = Clock()
    dispatcher = Dispatcher(20, clock)
    dispatcher.start(iter((10, 20, 30, 60)), ArrivalWindow(0))
    clock.now = 35
    assert [dispatcher.take(), dispatcher.take()] == [20, 30]
    assert (dispatcher.tally.offered, dispatcher.tally.dropped) == (3, 1)
    dispatcher.close()


def test_a_schedule_is_kept_by_the_clock_not_by_what_came_of_it() -> None:
    """Each user takes 5 ms of 20 ms arrivals: all 10 start in order, none before its time."""
    origin_us = now_us() + 5_000
    dispatcher = Dispatcher(SECOND_US)
    started: list[tuple[int, int]] = []

    def work() -> None:
        while len(started) < 10:
            due_us = dispatcher.take()
            started.append((due_us, now_us()))
            gevent.sleep(0.005)

    dispatcher.start((origin_us + number * 2_000 for number in range(10)), ArrivalWindow(0))
    gevent.joinall([gevent.spawn(work) for _ in range(20)], timeout=10, count=1)
    assert [due_us for due_us, _ in started] == [origin_us + number * 2_000 for number in range(10)]
    assert all(at_us >= due_us for due_us, at_us in started)


class Pool:
    """Users with a token each, which a chain uses up for a new one; finds a token that two chains use at once."""

    def __init__(self, lengths: Iterator[int]) -> None:
        self.dispatcher = Dispatcher(10 * SECOND_US)
        self.lengths = lengths
        self.in_use: set[int] = set()
        self.begun = 0
        self.used_twice = False

    def work(self, token: int) -> None:
        while True:
            self.dispatcher.take()
            self.begun += 1
            self.used_twice = self.used_twice or token in self.in_use
            self.in_use.add(token)
            try:
                for _ in range(next(self.lengths)):
                    gevent.sleep(0)
            finally:
                self.in_use.remove(token)


@settings(max_examples=60, deadline=None)
@given(
    users=st.integers(1, 5),
    actions=st.lists(st.sampled_from(["arrive", "arrive", "turn", "kill"]), max_size=60),
    lengths=st.lists(st.integers(0, 4), min_size=1, max_size=20),
)
def test_no_interleaving_uses_a_token_twice_at_once_or_loses_an_arrival(
    users: int, actions: list[str], lengths: list[int]
) -> None:
    """Whatever the order of arrivals, turns and ends of users: each arrival begins once, or is dropped."""
    pool = Pool(iter(lengths * 60))
    pool.dispatcher.start(iter(()), ArrivalWindow(0))
    living = [gevent.spawn(pool.work, token) for token in range(users)]
    offered = 0
    for action in actions:
        if action == "arrive":
            offered += 1
            pool.dispatcher.offer(now_us())
        elif action == "turn":
            gevent.sleep(0)
        elif len(living) > 1:
            living.pop().kill()
    for _ in range(400):
        gevent.sleep(0)
    gevent.killall(living)
    pool.dispatcher.close()
    assert not pool.used_twice
    assert pool.begun + pool.dispatcher.tally.dropped == offered
