"""Locust's listeners hear of every request, whether they are told one by one or Locust's statistics alone are fed."""

from __future__ import annotations

from typing import Any

from locust.env import Environment

from iam_loadtest.flow.message import Request
from iam_loadtest.load.users import TokenUser

REQUEST = Request("issue", "http://iam/token", {}, b"a=1")


def environment_and_user() -> tuple[Environment, TokenUser]:
    environment = Environment(user_classes=[TokenUser])
    environment.create_local_runner()
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


def test_who_begins_to_listen_in_the_middle_hears_what_comes_then() -> None:
    environment, user = environment_and_user()
    names: list[str] = []
    user._report(REQUEST, 1_000, 3, None)
    environment.events.request.add_listener(lambda name, **_: names.append(name))
    user._report(REQUEST, 1_000, 3, None)
    assert names == ["issue"]
    assert environment.stats.total.num_requests == 2
