"""Ask a server one question over a connection of its own; no answer is an answer."""

from __future__ import annotations

import asyncio
import socket
from contextlib import nullcontext

from iam_loadtest.lab import kernel

_MAX_ANSWER = 1 << 20


async def ask_file(path: str, question: bytes) -> str:
    """What a server behind a socket file says until it closes; raises OSError where there is none."""
    return await _exchange(*await asyncio.open_unix_connection(path), question)


async def ask_address(address: str, network: str | None, question: bytes) -> str:
    """The same of a server at host:port, asked from within a named network."""
    host, _, port = address.rpartition(":")
    with kernel.in_network(network) if network else nullcontext():
        opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    opened.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(opened, (host, int(port)))
    except BaseException:  # a cancelled question too: nobody else closes the socket; it is raised again
        opened.close()
        raise
    return await _exchange(*await asyncio.open_connection(sock=opened), question)


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, question: bytes) -> str:
    try:
        writer.write(question)
        parts = []
        while part := await reader.read(_MAX_ANSWER):
            parts.append(part)
        return b"".join(parts).decode("utf-8", errors="replace")
    finally:
        writer.close()
