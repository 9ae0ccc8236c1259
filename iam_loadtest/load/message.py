"""Messages between master and workers, on top of Locust's own. No secret ever travels: workers read their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

BEGIN: Final = "iam-begin"
"""Master to each worker before a test: a :class:`Begin`."""
JOIN: Final = "iam-join"
"""Worker to master, where Locust gave it users and nobody said what they are to do: answered with a :class:`Begin`."""
PING: Final = "iam-ping"
PONG: Final = "iam-pong"
"""The handshake of clocks: a worker asks, the master answers with its own clock."""
ARRIVE: Final = "iam-arrive"
"""Master to each worker once all users run, in the open model: a :class:`Arrive`."""
TROUBLE: Final = "iam-trouble"
"""Worker to master: one line that says why it cannot run its users."""
FINISH: Final = "iam-finish"
"""Master to each worker: let requests in flight end within ``grace_s``, read what probes wrote again where it
``audits``, then send everything and the total."""
FINISHED: Final = "iam-finished"
"""Worker to master: everything was sent; the total of rows."""

REPORT_KEY: Final = "iam_loadtest"
"""Where rows, health and failures stand in Locust's own worker report."""


@dataclass(frozen=True)
class Arrive:
    """When chains begin to start, and the measured window, in microseconds since the origin of the test.

    ``window_end_us`` is None where the window ends with the test. ``seed`` is that of the trial's random arrivals.
    """

    start_us: int
    window_start_us: int
    window_end_us: int | None
    seed: str


@dataclass(frozen=True)
class Begin:
    """The origin on the master's clock, the worker's share of the users, and what they are to do.

    ``order`` is what :func:`iam_loadtest.load.order.order_of` made. Locust brings its own options with the message
    that starts users, but any web page can change those meanwhile.
    """

    origin_us: int
    slot: int
    slots: int
    order: Mapping[str, Any]
