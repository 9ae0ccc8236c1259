"""Which client a test's users send with: ours, or Locust's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from iam_loadtest.load.http_transport import HttpTransport, Network
from iam_loadtest.load.transport import Transport, TransportSettings


def transports(settings: TransportSettings) -> Callable[[int], Transport]:
    """What makes the transport of a user, by the user's number; shared by all users of a process."""
    if settings.client == "fasthttp":
        from iam_loadtest.load.fasthttp_transport import (  # noqa: PLC0415  imports Locust, which patches the process
            FastHttpTransport,
        )

        return lambda _number: FastHttpTransport(settings)
    return partial(HttpTransport, Network(settings))
