"""What a running provider is to those who use it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from providers.certificates import MutualTls


class LoggedRequest(NamedTuple):
    """One request as the server's own log has it; ``agent`` is the User-Agent, empty where none was sent.

    The load sends none, the checks before it do.
    """

    method: str
    path: str
    status: int
    agent: str


@dataclass(frozen=True)
class Running:
    """A provider that answers. ``environ`` is what its scenario refers to, secrets among it.

    ``issuer`` is empty where the scenario itself has it started.
    """

    issuer: str
    environ: Mapping[str, str] = field(repr=False)
    requests: Callable[[], Sequence[LoggedRequest]]
    """Every request that the server has logged so far; its own log may be written a moment later."""
    kill_database: Callable[[], None] | None = None
    """Kills its database at once, as a crash does; None where it has none."""
    admin: Mapping[str, str] = field(default_factory=dict, repr=False)
    """How to administer it: secrets that no scenario needs."""
    mutual_tls: MutualTls | None = None
    """Where it knows clients by their certificates; None where it does not."""


def logged_json(log: Path) -> list[LoggedRequest]:
    """The requests of a log with a JSON object per line; a line half written is left out."""
    whole = log.read_text(encoding="utf-8").rpartition("\n")[0] if log.exists() else ""
    rows = (json.loads(line) for line in whole.splitlines())
    return [LoggedRequest(row["method"], row["path"], row["status"], row["agent"]) for row in rows]
