"""Probes: writes at one node that are read at another, one row per read in a trial's probes.csv."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

PROBES_FILE = "probes.csv"


class ProbeKind(StrEnum):
    """What is written and then read; the text is the name in a scenario."""

    ISSUE_INTROSPECT = "issue-introspect"
    ISSUE_REFRESH = "issue-refresh"
    REVOKE_INTROSPECT = "revoke-introspect"
    EXCHANGE_REFRESH = "exchange-refresh"
    DOUBLE_REFRESH = "double-refresh"
    DOUBLE_CODE = "double-code"

    @property
    def is_double(self) -> bool:
        """Whether one credential is redeemed twice at once, rather than written and read."""
        return self in {ProbeKind.DOUBLE_REFRESH, ProbeKind.DOUBLE_CODE}


class ProbePhase(StrEnum):
    """When a row was made: beside the load, or after it, when every credential is read again."""

    LOAD = "load"
    AUDIT = "audit"


class ProbeVerdict(StrEnum):
    """What one read, or one double redemption, shows."""

    FRESH = "fresh"
    STALE = "stale"
    ONCE = "once"
    DOUBLED = "doubled"
    RECOVERED = "recovered"
    LOST = "lost"
    REUSABLE = "reusable"
    KEPT = "kept"
    MISSING = "missing"
    FAILED = "failed"


class ProbeRow(NamedTuple):
    """One read of a probe. Times in microseconds; ``started_us`` is its send time since the trial's origin.

    ``number`` counts the probes of a worker and joins the rows of one. ``token`` is what was written: access_token,
    refresh_token or code. ``issued_by`` and ``read_by`` are nodes, empty where neither a pin nor a header names one.
    ``delay_us`` runs from the acknowledgement of the write to the sending of the read. Attempt 0 is a write that was
    not acknowledged: it has no delay. Nothing of a token is in it.
    """

    number: int
    phase: str
    probe: str
    token: str
    route: str
    issued_by: str
    read_by: str
    started_us: int
    delay_us: int | None
    attempt: int
    latency_us: int
    outcome: str
    verdict: str


PINNED = "pinned"
BALANCED = "balancer"
"""The two routes: both nodes were chosen by the probe, or by whatever stands before them."""
