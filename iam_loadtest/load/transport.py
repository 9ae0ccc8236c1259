"""What sends a request, and how it is told to."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from gevent.ssl import SSLContext

from iam_loadtest.flow.message import Request, Response
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.scenario.certificate import prepare_context
from iam_loadtest.scenario.proxy import Proxy, resolve_proxy
from iam_loadtest.scenario.target import Client, Target, require_one_client

_LOG = logging.getLogger(__name__)


class Transport(Protocol):
    """Sends one request at a time; one per virtual user, since it holds that user's connection."""

    def send(self, request: Request) -> Response:
        """The answer, or a Response whose ``failure`` says why there is none. Raises nothing of the network's.

        A greenlet killed meanwhile raises GreenletExit here; the connection is closed then.
        """

    def close(self) -> None:
        """Give the connection back."""


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """Deadlines and limits of every request. ``timeout_s`` is for the whole exchange, connecting included."""

    timeout_s: float = 60.0
    connect_timeout_s: float = 10.0
    tls_timeout_s: float = 10.0
    backend_header: str = "X-Backend"
    idle_limit_s: float = 4.0
    """An idle connection is replaced after this time, since common servers close theirs after 5 s."""
    tls: SSLContext | None = None
    resolve: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    proxy: Proxy | None = None
    client: Client = "built-in"


class TransportFailureError(Exception):
    """No usable answer; never leaves the transport. ``status`` is 0 where no status line came."""

    def __init__(self, outcome: Outcome, detail: str, status: int = 0) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail
        self.status = status


def settings_of(target: Target, directory: Path, environ: Mapping[str, str] = os.environ) -> TransportSettings:
    """The settings of a target with one TLS context for the whole process; its files are below ``directory``.

    Making the context reads every certificate of the machine, so it is made once, not once a user. Raises UserError.
    """
    require_one_client(target)
    return TransportSettings(
        timeout_s=target.timeout_s,
        connect_timeout_s=min(target.connect_timeout_s, target.timeout_s),
        tls_timeout_s=min(target.tls_timeout_s, target.timeout_s),
        backend_header=target.backend_header,
        tls=tls_context(target, directory),
        resolve=target.resolve,
        proxy=resolve_proxy(target.proxy, directory, environ),
        client=target.transport,
    )


def tls_context(target: Target, directory: Path) -> SSLContext:
    """A context that verifies the server unless the target says not to; raises UserError for bad certificate files."""
    context = SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["http/1.1"])
    if not target.verify_tls:
        _LOG.warning("The server's certificate is not checked (--insecure, or verify_tls: false).")
    prepare_context(context, target, directory)
    return context
