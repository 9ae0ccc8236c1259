"""One open connection: bytes out, bytes in, a deadline; plain or TLS.

The event loop watches the socket as long as it is open, and a timer is armed once, not once a request: an exchange
costs one system call to send and one to receive, and what a server does to an idle connection is seen when it happens.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from time import monotonic
from typing import Any

from gevent import get_hub, getcurrent
from gevent.monkey import get_original
from gevent.socket import wait_write

from iam_loadtest.load.clock import now_us

_READ_BYTES = 16_384
_READ = 1
"""gevent's number for: the socket can be read."""
_CLOCK_ATTRIBUTE = "iam_loadtest_poll_clock"

RawSocket: Any = get_original("socket", "socket")
"""The standard library's, also where Locust has patched it: gevent's own would watch the socket anew for each call."""


class PollClock:
    """When the event loop last learned which sockets have something to read.

    What one poll finds is handled one after the other. Read here, the time of an answer does not depend on how many
    others came with it, nor on how long their users took.
    """

    def __init__(self, hub: Any) -> None:
        self.polled_us = now_us()
        self._watcher = hub.loop.check(ref=False)
        self._watcher.start(self._on_poll)

    def _on_poll(self) -> None:
        """Called by the event loop after each poll, before anything that the poll found."""
        self.polled_us = now_us()


def poll_clock(hub: Any) -> PollClock:
    """The clock of a hub's event loop; made when first asked for."""
    clock: PollClock | None = getattr(hub, _CLOCK_ATTRIBUTE, None)
    if clock is None:
        clock = PollClock(hub)
        setattr(hub, _CLOCK_ATTRIBUTE, clock)
    return clock


class Connection:
    """Used by one greenlet at a time, which sleeps in :meth:`receive`; the event loop's callbacks wake it.

    Takes over the file descriptor ``fd`` of a connected socket.
    """

    __slots__ = (
        "_clock",
        "_deadline_s",
        "_hub",
        "_is_armed",
        "_receive_now",
        "_socket",
        "_timer",
        "_waiting",
        "_watcher",
        "is_usable",
    )

    def __init__(self, fd: int) -> None:
        self._socket = RawSocket(fileno=fd)
        self._socket.setblocking(False)
        self._receive_now: Callable[[int], bytes] = self._socket.recv
        self._hub = get_hub()
        self._clock = poll_clock(self._hub)
        self._waiting: Any = None
        self._deadline_s = 0.0
        self._is_armed = False
        self._timer: Any = None
        self._watcher = self._hub.loop.io(fd, _READ)
        self._watcher.start(self._on_readable)
        self.is_usable = True

    @property
    def received_us(self) -> int:
        """When what was last received had come, on this process's clock."""
        return self._clock.polled_us

    def begin(self, deadline_s: float) -> None:
        """Set the deadline, on the monotonic clock, of all that follows."""
        self._deadline_s = deadline_s
        if not self._is_armed:
            self._arm(deadline_s - monotonic())

    def send(self, data: bytes) -> None:
        """Send all of it; raises TimeoutError at the deadline.

        A server that has ended the connection may have said why: what came, and then the end, is received.
        """
        sent = 0
        while True:
            try:
                sent += self._socket.send(data[sent:] if sent else data)
            except BlockingIOError:
                self._await_writable()
            except ConnectionError:
                return
            if sent >= len(data):
                return

    def receive(self) -> bytes:
        """What came, empty at the end of the stream; raises TimeoutError at the deadline, OSError where it fails."""
        self._waiting = getcurrent()
        try:
            came = self._hub.switch()
        finally:
            self._waiting = None
        if isinstance(came, bytes):
            return came
        raise came

    def look(self) -> None:
        """Notice now what the server did to the idle connection, before the event loop comes by."""
        self._on_idle_readable()

    def close(self) -> None:
        """Give the socket back."""
        self._let_go()
        self._socket.close()

    def release(self) -> int:
        """The file descriptor, which is the caller's now: another connection is to take it over."""
        self._let_go()
        return int(self._socket.detach())

    def is_quiet(self, _data: bytes) -> bool:
        """Whether bytes that came while nobody had asked leave the connection usable: never, on a plain one."""
        return False

    def _let_go(self) -> None:
        self.is_usable = False
        self._disarm()
        self._watcher.close()

    def _on_readable(self) -> None:
        """Called by the event loop: read at once, and wake the user with what there is."""
        waiting = self._waiting
        if waiting is None:
            self._on_idle_readable()
            return
        came: bytes | OSError
        try:
            came = self._receive_now(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            came = error
        waiting.switch(came)

    def _on_idle_readable(self) -> None:
        try:
            data = self._receive_now(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not (data and self.is_quiet(data)):
            self.is_usable = False
            self._watcher.stop()

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._timer = self._hub.loop.timer(max(seconds, 0.0))
        self._timer.start(self._on_timer, update=True)
        self._is_armed = True

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.close()
            self._timer = None
        self._is_armed = False

    def _on_timer(self) -> None:
        """Called by the event loop: at the deadline, or at that of an earlier exchange, which is over."""
        self._is_armed = False
        if self._waiting is None:
            return
        left_s = self._deadline_s - monotonic()
        if left_s > 0:
            self._arm(left_s)
        else:
            self._waiting.switch(TimeoutError())

    def _await_writable(self) -> None:
        """The server reads slower than we send: rare, so it may cost a watcher. What comes meanwhile waits.

        So does an earlier exchange's timer, which may end meanwhile: receiving needs one.
        """
        left_s = self._deadline_s - monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._watcher.stop()
        try:
            wait_write(self._socket.fileno(), left_s, TimeoutError())
        finally:
            self._watcher.start(self._on_readable)
        if not self._is_armed:
            self._arm(self._deadline_s - monotonic())


class TlsConnection(Connection):
    """The same over TLS: encryption in memory, so that the socket is used in the same way."""

    __slots__ = ("_incoming", "_outgoing", "_tls")

    def __init__(self, fd: int, context: ssl.SSLContext, host: str, session: ssl.SSLSession | None = None) -> None:
        super().__init__(fd)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host, session=session)

    @property
    def session(self) -> ssl.SSLSession | None:
        """What a later connection to the same origin can resume; TLS 1.3 servers give it after the handshake.

        To be read once: see :mod:`iam_loadtest.load.resumption`.
        """
        return self._tls.session

    @property
    def is_resumed(self) -> bool:
        """Whether the handshake resumed the session that was given."""
        return bool(self._tls.session_reused)

    def shake_hands(self) -> None:
        """Agree on keys and check the server's certificate; raises ssl.SSLError and OSError."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush()
                self._feed(super().receive())
            else:
                self._flush()
                return

    def send(self, data: bytes) -> None:
        self._tls.write(data)
        super().send(self._outgoing.read())

    def receive(self) -> bytes:
        while True:
            if not (self._incoming.pending or self._tls.pending()):
                if self._outgoing.pending:
                    self._flush()
                came = super().receive()
                if not came:
                    return came
                self._incoming.write(came)
            try:
                return self._tls.read(_READ_BYTES)
            except ssl.SSLWantReadError:
                continue  # half a record, a session ticket, or a question that TLS itself answers

    def is_quiet(self, _data: bytes) -> bool:
        """Session tickets may come at any time and are no answer."""
        self._incoming.write(_data)
        try:
            self._tls.read(1)
        except ssl.SSLWantReadError:
            return True
        except ssl.SSLError:
            return False
        return False

    def _feed(self, data: bytes) -> None:
        if not data:
            raise ConnectionResetError("connection closed in the handshake")
        self._incoming.write(data)

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data:
            super().send(data)
