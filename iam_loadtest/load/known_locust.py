"""What this package uses of Locust beyond its documented interface, all of it, looked for when a process starts.

A newer Locust may change any of it without a word. One line then says what is missing, before a test can go wrong.
"""

from __future__ import annotations

from typing import Any

import locust
from locust import User, runners, stats
from locust.event import EventHook
from locust.runners import MasterRunner, WorkerRunner
from locust.stats import StatsEntry

KNOWN = "2.47"
"""The versions that the tests have passed with. Workers of older ones call listeners of messages in another way."""


def missing_in_locust() -> list[str]:
    """Names that this Locust does not have and this package needs; empty where all is well."""
    user: Any = User(None)
    hook: Any = EventHook
    needed: tuple[tuple[object, str], ...] = (
        (hook(), "_handlers"),  # users: whether anybody but Locust's statistics hears of a request
        (user, "_state"),  # users: whether Locust asked one to stop
        (User, "greenlet"),
        (User, "group"),
        (stats, "bucket_response_time"),  # statistics: exact percentiles
        (stats, "calculate_response_time_percentile"),
        (StatsEntry, "_cache_response_times"),
        (MasterRunner, "handle_message"),  # admission: no worker joins a trial late
        (WorkerRunner, "_send_stats"),  # worker: the last rows come before the total
        *((runners, name) for name in ("WORKER_REPORT_INTERVAL", "MASTER_HEARTBEAT_TIMEOUT")),
        *((runners, name) for name in ("CONNECT_TIMEOUT", "CONNECT_RETRY_COUNT")),
    )
    return [f"{_name_of(where)}.{name}" for where, name in needed if not hasattr(where, name)]


def why_unknown() -> str | None:
    """Why this Locust cannot be used, in one line; None where it can."""
    missing = missing_in_locust()
    if not missing:
        return None
    return f"Locust {locust.__version__} has no {', '.join(missing)}; install a version that is known: {KNOWN}."


def _name_of(where: object) -> str:
    return str(getattr(where, "__name__", type(where).__name__))
