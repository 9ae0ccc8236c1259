"""TUN devices that take large segments: what the kernel sends through them a process reads, and the other way round."""

from __future__ import annotations

import fcntl
import os
import struct
from contextlib import nullcontext

from iam_loadtest.errors import UserError
from iam_loadtest.lab import kernel

DEVICE = "/dev/net/tun"
_TUNSETIFF = 0x400454CA
_TUNSETOFFLOAD = 0x400454D0
_TUNSETVNETHDRSZ = 0x400454D8
_TUN_WITHOUT_INFO_WITH_HEADER = 0x0001 | 0x1000 | 0x4000
_CHECKSUM_AND_SEGMENTS = 0x01 | 0x02 | 0x04 | 0x08
_HEADER_BYTES = 10


def open_tun(network: str | None, name: str) -> int:
    """The descriptor of a new TUN device in a named network, or here; the device goes when the descriptor is closed.

    Packets carry the kernel's 10-byte header for unfinished checksums and segments: TCP comes in pieces of up to
    64 KiB, and whoever writes a packet as it was read needs to know nothing of it. Raises UserError where
    devices are refused.
    """
    try:
        with kernel.in_network(network) if network else nullcontext():
            descriptor = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            request = struct.pack("16sH22x", name.encode(), _TUN_WITHOUT_INFO_WITH_HEADER)
            fcntl.ioctl(descriptor, _TUNSETIFF, request)
            fcntl.ioctl(descriptor, _TUNSETVNETHDRSZ, struct.pack("i", _HEADER_BYTES))
            fcntl.ioctl(descriptor, _TUNSETOFFLOAD, _CHECKSUM_AND_SEGMENTS)
            return descriptor
    except OSError as error:
        raise UserError(
            f"{DEVICE} is refused ({error.strerror}); run the lab as root, or let users open it: chmod 0666 {DEVICE}"
        ) from error
