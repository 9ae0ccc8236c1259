"""The end of a program's log, for the reason of a trial that it failed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from iam_loadtest.oidc.redact import one_line, redact

_TAIL_BYTES: Final = 65_536


def last_line(log: Path, nothing: str = "it printed nothing") -> str:
    """What was said last, without tokens and escape codes, whatever bytes it was; ``nothing`` where the log is empty.

    Only the end of the log is read: a program may have written gigabytes.
    """
    with log.open("rb") as file:
        file.seek(max(log.stat().st_size - _TAIL_BYTES, 0))
        lines = file.read().decode("utf-8", errors="replace").strip().splitlines()
    return redact(one_line(lines[-1])) if lines else nothing
