"""A locustfile beside another one: ends the run as --run-time does, but at the moment when a file "enough" is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gevent
from locust import events, runners
from locust.runners import WorkerRunner

runners.HEARTBEAT_LIVENESS = 60  # seconds: a worker that is short of a core is late, not lost
ENOUGH = Path("enough")


@events.init.add_listener
def end_when_enough(environment: Any, **_: Any) -> None:
    if not isinstance(environment.runner, WorkerRunner):
        gevent.spawn(_await_enough, environment.runner)


def _await_enough(runner: Any) -> None:
    while not ENOUGH.exists():
        gevent.sleep(0.05)
    runner.quit()
