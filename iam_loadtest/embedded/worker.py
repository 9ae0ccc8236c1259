"""One frontend process: an event loop, a store, and the connections its parent gives it."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import signal
import socket
import sys
from collections.abc import Iterator

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from iam_loadtest.embedded.access_log import AccessLog
from iam_loadtest.embedded.app import build_app
from iam_loadtest.embedded.context import Iam
from iam_loadtest.embedded.handover import READY, take
from iam_loadtest.embedded.instrument import App, instrumented
from iam_loadtest.embedded.metrics import Board, Part
from iam_loadtest.embedded.sessions import open_sessions
from iam_loadtest.embedded.settings import Settings
from iam_loadtest.embedded.store import DatabaseError, Store, open_store
from iam_loadtest.embedded.tokens import load_signer
from iam_loadtest.embedded.whole_answers import WholeAnswers

_PR_SET_PDEATHSIG = 1
_GRACE_S = 1


def run_worker(settings: Settings, board: Board, number: int, channel: socket.socket, parent_pid: int) -> None:
    """Serve until the parent says stop or is gone; called in the forked process, returns when all is closed."""
    _die_with_parent(parent_pid)
    loop_factory = uvicorn.Config(_no_app, loop="uvloop").get_loop_factory()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(_serve(settings, board, number, channel))


async def _serve(settings: Settings, board: Board, number: int, channel: socket.socket) -> None:
    part, backend = board.part(number), board.backend(number)
    store = await open_store(settings)
    sessions = await open_sessions(settings, store)
    iam = Iam(settings, store, await load_signer(store, settings), sessions)
    log = AccessLog(settings.request_log, backend) if settings.request_log else None
    try:
        app = instrumented(build_app(iam, board, part), part, backend, log)
        server = _Server(_config(settings, app), channel, part, iam, log)
        _collect_garbage_seldom()
        await server.serve(sockets=[])
    finally:
        if log is not None:
            log.close()
        await sessions.close()
        await store.close()


def _collect_garbage_seldom() -> None:
    """A request leaves no cycles behind, so looking for them every 700 objects is work for nothing."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _config(settings: Settings, app: App) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=_GRACE_S,
    )


class _Server(uvicorn.Server):
    """A uvicorn server whose connections come through the parent's channel rather than from a listening socket."""

    def __init__(
        self, config: uvicorn.Config, channel: socket.socket, part: Part, iam: Iam, log: AccessLog | None
    ) -> None:
        super().__init__(config)
        self._channel = channel
        self._part = part
        self._iam = iam
        self._log = log
        self._accepting: set[asyncio.Task[None]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        while not await _answers(self._iam.store) and not self.should_exit:
            await asyncio.sleep(0.1)
        asyncio.get_running_loop().add_reader(self._channel.fileno(), self._take_connections)
        self._part.count_start()
        with contextlib.suppress(BrokenPipeError):
            self._channel.send(READY)

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0 and self._log is not None:
            self._log.flush()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().remove_reader(self._channel.fileno())
        self._channel.close()
        await super().shutdown(sockets=sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The parent decides: it passes SIGTERM on; a terminal's Ctrl-C reaches it as well as us."""
        signal.signal(signal.SIGTERM, self.handle_exit)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        yield

    def _take_connections(self) -> None:
        connections = take(self._channel)
        if connections is None:
            self.should_exit = True
            asyncio.get_running_loop().remove_reader(self._channel.fileno())
            return
        for connection in connections:
            task = asyncio.get_running_loop().create_task(self._accept(connection))
            self._accepting.add(task)
            task.add_done_callback(self._accepting.discard)

    async def _accept(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)
        except OSError:
            self._part.count_closed()
            connection.close()

    def _protocol(self) -> asyncio.Protocol:
        return _CountedProtocol(self._part, self.config, self.server_state, self.lifespan.state)


class _CountedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, counting the connections it closes."""

    def __init__(self, part: Part, config: uvicorn.Config, server_state: object, app_state: dict[str, object]) -> None:
        super().__init__(config, server_state, app_state)  # type: ignore[arg-type]  # uvicorn's own ServerState
        self._part = part

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        self._answers = WholeAnswers(transport)
        super().connection_made(self._answers)  # type: ignore[arg-type]  # it has all that uvicorn calls

    def on_response_complete(self) -> None:
        self._answers.flush()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._part.count_closed()
        super().connection_lost(exc)


async def _answers(store: Store) -> bool:
    """The database only: tokens need no session store, so a restarted frontend does not wait for one."""
    try:
        await store.ping()
    except DatabaseError:
        return False
    return True


async def _no_app(_scope: object, _receive: object, _send: object) -> None:
    """Uvicorn's configuration wants an app; this one only helps to choose the event loop."""
    raise RuntimeError("no request is served by this app")


def _die_with_parent(parent_pid: int) -> None:
    """Ask the kernel to kill us with our parent, kill -9 included; elsewhere the closed channel ends us."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)
