"""Stale reads that were followed up: which node refused, which one accepted later, and how long that took."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from iam_loadtest.results.trial import STALE_READS_FILE

ACCEPTED = "accepted"


@dataclass(frozen=True)
class FollowedUp:
    """One refusal; ``visible_after_us`` is an upper bound, None where none was accepted.

    Nodes are empty where no response header named them. The node that gave the credential out is not known.
    """

    refused_by: str
    accepted_by: str
    visible_after_us: int | None
    result: str

    @property
    def is_accepted(self) -> bool:
        """Whether a later try was accepted: the node had not caught up."""
        return self.result == ACCEPTED


def read_followed_up(directory: Path) -> tuple[FollowedUp, ...]:
    """The rows of a trial's directory, ramp included; empty where it has no such file, or one of another form."""
    path = directory / STALE_READS_FILE
    if not path.is_file():
        return ()
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return tuple(_followed_up(row) for row in csv.DictReader(file))
    except (OSError, KeyError, ValueError, csv.Error):
        return ()


def _followed_up(row: Mapping[str, str]) -> FollowedUp:
    after = row["visible_after_us"]
    return FollowedUp(row["refused_by"], row["accepted_by"], int(after) if after else None, row["result"])


def by_nodes(found: Iterable[FollowedUp]) -> dict[tuple[str, str], int]:
    """How many were refused by one node and accepted by another or the same, where both are named."""
    pairs = Counter((one.refused_by, one.accepted_by) for one in found if one.is_accepted)
    return {pair: count for pair, count in sorted(pairs.items()) if all(pair)}
