"""The access log: one JSON object per request, without tokens, secrets, query strings or user names."""

from __future__ import annotations

import os
import time
from typing import Final

import orjson

_FLUSH_BYTES: Final = 64 * 1024


class AccessLog:
    """Lines are gathered and written whole, so that workers appending to one file do not cut each other's."""

    def __init__(self, path: str, backend: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._backend = backend
        self._lines: list[bytes] = []
        self._bytes = 0

    def add(self, request_id: str, method: str, endpoint: str, grant: str, status: int, elapsed_us: int) -> None:
        """Note one answered request."""
        line = orjson.dumps(
            {
                "time": round(time.time(), 6),
                "request_id": request_id,
                "backend": self._backend,
                "method": method,
                "endpoint": endpoint,
                "grant": grant or None,
                "status": status,
                "elapsed_us": elapsed_us,
            },
            option=orjson.OPT_APPEND_NEWLINE,
        )
        self._lines.append(line)
        self._bytes += len(line)
        if self._bytes >= _FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is gathered."""
        if self._lines:
            os.write(self._fd, b"".join(self._lines))
            self._lines.clear()
            self._bytes = 0

    def close(self) -> None:
        """Flush and close."""
        self.flush()
        os.close(self._fd)
