"""Packet sockets on two devices of a lab: a wire between them where neither netem nor TUN can be had.

They need no device file and no rights but those over the lab's own networks.
"""

from __future__ import annotations

import socket
from contextlib import nullcontext, suppress

from iam_loadtest.errors import UserError
from iam_loadtest.lab import kernel

_EVERY_PROTOCOL = 0x0003
_IGNORE_OUTGOING = 23
_KERNEL_HEADER = 15
_PACKET_LEVEL = 263
_RECEIVE_BUFFER_FORCE = 33
_BUFFER_BYTES = 32 << 20


def open_packet_socket(network: str | None, device: str) -> int:
    """The descriptor of a socket that reads every frame that comes in on a device, and writes frames out on it.

    As with TUN, frames carry the kernel's 10-byte header for unfinished checksums and segments. Raises UserError where
    the kernel refuses.
    """
    try:
        where = kernel.in_network(network) if network else nullcontext()
        with where, socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as opened:
            opened.setsockopt(_PACKET_LEVEL, _KERNEL_HEADER, 1)
            opened.setsockopt(_PACKET_LEVEL, _IGNORE_OUTGOING, 1)
            with suppress(OSError):  # a smaller buffer loses packets under load, as a full wire does
                opened.setsockopt(socket.SOL_SOCKET, _RECEIVE_BUFFER_FORCE, _BUFFER_BYTES)
            opened.setblocking(False)
            opened.bind((device, _EVERY_PROTOCOL))
            return opened.detach()
    except OSError as error:
        raise UserError(f"packet sockets are refused ({error.strerror})") from error
