"""Answers that leave as one segment."""

from __future__ import annotations

import asyncio
from typing import Any

_CONTINUE = b"HTTP/1.1 100 "


class WholeAnswers:
    """A transport on which the head of an answer waits for what is written next, which is its body.

    uvicorn writes them one by one, and each would be a system call here and a wake-up of whoever reads it. A head
    without a body, the answer to HEAD, leaves with ``flush``.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def write(self, data: bytes) -> None:
        """Send the data, or keep it where it is the head of an answer."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.endswith(b"\r\n\r\n") and not data.startswith(_CONTINUE):
            self._head = data
            return
        self._transport.write(data)

    def flush(self) -> None:
        """Send a head that is still waiting."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        """Close after everything is sent."""
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
