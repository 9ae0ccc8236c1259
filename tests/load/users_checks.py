"""Locust's listeners hear of every request, whether they are told one by one or Locust's statistics alone are fed."""

from __future__ import annotations

import runpy
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gevent
import pytest
from locust import constant, stats, task
from locust.env import Environment
from locust.exception import StopTest
from locust.stats import StatsEntry

from iam_loadtest.flow.message import Request, Response
from iam_loadtest.load.clock import now_us
from iam_loadtest.load.dispatcher import ArrivalWindow, Dispatcher
from iam_loadtest.load.known_locust import KNOWN, missing_in_locust, why_unknown
from iam_loadtest.load.recorder import Recorder
from iam_loadtest.load.session import MIN_PHASE_S, Place, holder_of, open_session
from iam_loadtest.load.setup import Choices, setup_of_choices
from iam_loadtest.load.users import AccessTokenUser, ReportingUser, TokenUser
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.sample import unpack
from tests.load.processes import LOCUSTFILES, ROOT

GOOD = Response(200, b'{"access_token": "a", "refresh_token": "r", "token_type": "Bearer"}')
REQUEST = Request("issue", "http://iam/token", {}, b"a=1")


def environment_and_user() -> tuple[Environment, TokenUser]:
    environment = Environment(user_classes=[TokenUser])
    environment.create_local_runner()
    holder_of(environment)
    return environment, TokenUser(environment)


def test_locusts_statistics_are_the_same_whoever_else_listens() -> None:
    for listens in (False, True):
        environment, user = environment_and_user()
        heard: list[dict[str, Any]] = []
        if listens:
            environment.events.request.add_listener(lambda heard=heard, **said: heard.append(said))
        user._report(REQUEST, 12_000, 300, None)
        user._report(REQUEST, 34_000, 20, "refused: 401")
        entry = environment.stats.get("issue", "POST")
        counts = (entry.num_requests, entry.num_failures, entry.total_response_time, entry.total_content_length)
        assert counts == (2, 1, 46, 320)
        assert [said["response_time"] for said in heard] == ([12, 34] if listens else [])


def test_a_listener_is_told_all_that_locusts_own_clients_tell() -> None:
    """The fields of Locust's documentation; without the response, which holds tokens."""
    environment, user = environment_and_user()
    user.context = lambda: {"tenant": "a"}
    heard: list[dict[str, Any]] = []
    environment.events.request.add_listener(lambda **said: heard.append(said))
    before_s = time.time()
    user._report(REQUEST, 12_000, 300, None)
    user._report(REQUEST, 34_000, 20, "refused: 401")
    starts_s = [said.pop("start_time") for said in heard]
    exceptions = [said.pop("exception") for said in heard]
    same = {"request_type": "POST", "name": "issue", "response": None, "context": {"tenant": "a"}, "url": REQUEST.url}
    assert heard == [
        {**same, "response_time": 12, "response_length": 300},
        {**same, "response_time": 34, "response_length": 20},
    ]
    assert exceptions[0] is None
    assert str(exceptions[1]) == "refused: 401"
    assert all(before_s - 0.034 <= start_s <= time.time() - 0.012 for start_s in starts_s)


def test_who_begins_to_listen_in_the_middle_hears_what_comes_then() -> None:
    environment, user = environment_and_user()
    names: list[str] = []
    user._report(REQUEST, 1_000, 3, None)
    environment.events.request.add_listener(lambda name, **_: names.append(name))
    user._report(REQUEST, 1_000, 3, None)
    assert names == ["issue"]
    assert environment.stats.total.num_requests == 2


def test_a_locustfile_that_forgets_to_install_is_told_so_instead_of_waiting_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ReportingUser, "is_set_up", False)
    environment = Environment(user_classes=[AccessTokenUser])
    with pytest.raises(StopTest, match="lacks the line install"):
        AccessTokenUser(environment)
    assert environment.process_exit_code == 1


class Waiting(AccessTokenUser):
    """As Locust's documentation has it."""

    wait_time = constant(7)


class WithMore(AccessTokenUser):
    """A task beside the chains."""

    @task
    def more(self) -> None:
        """Nothing."""


def opened_user(user_class: type[TokenUser], recorder: Recorder, chains: int) -> TokenUser:
    """A user that has its place, whose transport answers so many chains well and then tells it to stop."""
    setup = setup_of_choices(Choices(issuer="http://127.0.0.1:1/"))
    target = setup.target.model_copy(update={"token_endpoint": "http://127.0.0.1:1/token"})
    environment = Environment(user_classes=[user_class])
    environment.create_local_runner()
    holder = holder_of(environment)
    holder.session = open_session(replace(setup, target=target), [user_class.workload], Place(), recorder, environ={})
    holder.is_ready.set()
    user = user_class(environment)
    user._state = "running"
    user.run_chain()
    assert user._virtual is not None

    def send(_: Request, ended: Callable[[], int] = lambda: recorder.rows - recorder.requests) -> Response:
        if ended() >= chains - 1:
            user._state = "stopping"
        return GOOD

    user._virtual._send = send
    return user


@pytest.mark.parametrize(("user_class", "chains"), [(AccessTokenUser, 5), (Waiting, 1), (WithMore, 1)])
def test_chains_leave_locust_its_turn_where_a_class_waits_or_does_more(
    user_class: type[TokenUser], chains: int
) -> None:
    """Else its waiting time and its other tasks would never come."""
    recorder = Recorder()
    opened_user(user_class, recorder, chains=5).run_chain()
    assert recorder.rows - recorder.requests == chains


@pytest.mark.parametrize(("user_class", "pause_s"), [(AccessTokenUser, 0), (Waiting, 7)])
def test_users_that_start_together_are_not_in_step(user_class: type[TokenUser], pause_s: float) -> None:
    """Each waits for its own phase first, also where a class has a waiting time of its own."""
    user = opened_user(user_class, Recorder(), chains=1)
    assert 0 < user.wait_time() < MIN_PHASE_S
    assert [user.wait_time(), user.wait_time()] == [pause_s, pause_s]


def test_chains_by_the_clock_that_fail_at_once_leave_others_their_turn() -> None:
    """Where nobody listens on this machine no answer is waited for: reports and heartbeats would stand still."""
    recorder = Recorder()
    user = opened_user(AccessTokenUser, recorder, chains=1)
    assert user._virtual is not None
    user._virtual._send = lambda _: Response(0, failure=Outcome.CONNECT_ERROR)
    user._dispatcher = Dispatcher(late_limit_us=60_000_000)
    user._dispatcher.start(iter(range(now_us() - 1000, now_us())), ArrivalWindow(0))
    gevent.spawn(setattr, user, "_state", "stopping")
    user.run_chain()
    user._dispatcher.close()
    assert recorder.rows - recorder.requests == 1


def test_the_example_of_a_workload_of_ones_own_runs_as_its_documentation_says() -> None:
    path = LOCUSTFILES / "own_workload.py"
    assert path.read_text() in (ROOT / "docs" / "locustfiles.md").read_text()
    recorder, lengths = Recorder(), set[int]()
    user = opened_user(runpy.run_path(str(path))["SessionUser"], recorder, chains=1000)
    user.wait_time()
    assert 0.5 <= user.wait_time() <= 1.5
    for _ in range(100):
        user.run_chain()
        block = unpack(recorder.take())
        steps = [block.steps[code] for code in block.step_code]
        assert steps == ["issue", *["refresh"] * (len(steps) - 2), "workflow"]
        lengths.add(len(steps) - 2)
    assert lengths == {1, 2, 3, 4}


def test_this_locust_has_all_that_is_used_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing_in_locust() == []
    assert why_unknown() is None
    monkeypatch.delattr(StatsEntry, "_cache_response_times")
    monkeypatch.delattr(stats, "calculate_response_time_percentile")
    why = why_unknown()
    assert why is not None
    missing = "locust.stats.calculate_response_time_percentile, StatsEntry._cache_response_times"
    assert f"has no {missing}; install a version that is known: {KNOWN}." in why
