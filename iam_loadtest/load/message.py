"""Messages between master and workers, on top of Locust's own. No secret ever travels: workers read their own."""

from __future__ import annotations

from typing import Final

BEGIN: Final = "iam-begin"
"""Master to each worker before a test: the origin on the master's clock, and the worker's share of the users."""
PING: Final = "iam-ping"
PONG: Final = "iam-pong"
"""The handshake of clocks: a worker asks, the master answers with its own clock."""
TROUBLE: Final = "iam-trouble"
"""Worker to master: one line that says why it cannot run its users."""
FINISH: Final = "iam-finish"
"""Master to each worker: let requests in flight end within ``grace_s``, then send everything and the total."""
FINISHED: Final = "iam-finished"
"""Worker to master: everything was sent; the total of rows."""

REPORT_KEY: Final = "iam_loadtest"
"""Where rows, health and failures stand in Locust's own worker report."""
