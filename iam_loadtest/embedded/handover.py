"""Connections accepted by the parent process, given to the worker that has the fewest.

SO_REUSEPORT spreads connections by hash: twenty over four workers may come out as 9, 6, 3 and 2, and the slowest worker
would set the percentiles. Given away one by one they come out as 5, 5, 5 and 5.
"""

from __future__ import annotations

import array
import socket
from typing import Final

READY: Final = b"R"
CONNECTION: Final = b"C"
_FD_BYTES: Final = array.array("i").itemsize


def channel_pair() -> tuple[socket.socket, socket.socket]:
    """The parent's and the worker's end of a channel; either end closing is seen by the other."""
    parent, worker = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    parent.setblocking(False)
    worker.setblocking(False)
    return parent, worker


def give(channel: socket.socket, connection: socket.socket) -> bool:
    """Give a connection to a worker and close our copy; False where the worker's queue is full or it is gone."""
    try:
        socket.send_fds(channel, [CONNECTION], [connection.fileno()])
    except (BlockingIOError, BrokenPipeError, ConnectionResetError):
        return False
    connection.close()
    return True


def take(channel: socket.socket) -> list[socket.socket] | None:
    """The connections waiting in the worker's channel; None when the parent has closed it."""
    taken: list[socket.socket] = []
    while True:
        try:
            data, ancillary, _, _ = channel.recvmsg(1, socket.CMSG_LEN(_FD_BYTES))
        except BlockingIOError:
            return taken
        except ConnectionResetError:
            return None
        if not data:
            return None
        for _, _, fds in ancillary:
            descriptors = array.array("i")
            descriptors.frombytes(fds[:_FD_BYTES])
            taken += [socket.socket(fileno=descriptor) for descriptor in descriptors]
