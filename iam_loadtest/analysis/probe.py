"""Consistency probes of one trial, counted: what reads saw by their delay and nodes, redemptions, and the audit.

Only first reads count for shares, since a read is made again only where it was stale. They count where they were sent
in the measured window; the audit is of the whole trial.
"""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from iam_loadtest.results.probe import BALANCED, PROBES_FILE, ProbeKind, ProbePhase, ProbeVerdict
from iam_loadtest.results.trial import WindowMarks

BINS_MS: Final = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
"""Where the bins of delays begin; each ends where the next one begins, the last one never."""
AT_ONCE_US: Final = 5000
"""Reads sent within this time after the acknowledgement came at once, as far as a client can."""

Probe = tuple[int, int]
"""The worker and the number of a probe, which join its rows."""


class _Row(NamedTuple):
    probe: Probe
    phase: str
    kind: str
    token: str
    route: str
    issued_by: str
    read_by: str
    started_us: int
    delay_us: int | None
    attempt: int
    verdict: str


@dataclass(frozen=True)
class TrialProbes:
    """The counts of a trial. ``reads`` has first reads by kind, bin of the delay and verdict (fresh, stale, failed).

    ``pairs`` has those that came at once, by issuing node, reading node and whether they were stale; ``at_once`` the
    same by kind, ``balanced`` those of them whose nodes the balancer chose. ``visible_us`` says by kind after which
    delay a stale write was seen at last, an upper bound; ``unseen`` counts those that were not seen while it was looked
    for them. ``redemptions`` counts pairs of redemptions by kind and verdict, ``audit`` credentials by kind, token and
    verdict: missing where any node did not have it, failed where any did not say. ``unwritten`` counts writes that were
    not acknowledged, by kind.
    """

    reads: Mapping[tuple[str, int, str], int]
    at_once: Mapping[tuple[str, str], int]
    balanced: Mapping[tuple[str, str], int]
    pairs: Mapping[tuple[str, str, bool], int]
    visible_us: Mapping[str, tuple[int, ...]]
    unseen: Mapping[str, int]
    redemptions: Mapping[tuple[str, str], int]
    audit: Mapping[tuple[str, str, str], int]
    unwritten: Mapping[str, int]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that have rows, in the order of :class:`ProbeKind`."""
        found = {key[0] for counts in (self.reads, self.redemptions, self.audit) for key in counts}
        found |= set(self.unwritten)
        return tuple(kind.value for kind in ProbeKind if kind in found)


def read_probes(directory: Path, marks: WindowMarks) -> TrialProbes | None:
    """The counts of a trial's directory; None where it has no such file, or one of another form."""
    path = directory / PROBES_FILE
    if not path.is_file():
        return None
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [_row(row) for row in csv.DictReader(file)]
    except (OSError, KeyError, ValueError, csv.Error):
        return None
    return count_probes(rows, marks)


def count_probes(rows: Iterable[_Row], marks: WindowMarks) -> TrialProbes:
    """The counts of the rows of one trial."""
    listed = list(rows)
    load = [row for row in listed if row.phase == ProbePhase.LOAD]
    inside = [row for row in load if row.attempt <= 1 and _is_inside(row.started_us, marks)]
    doubles = {row.probe for row in inside if ProbeKind(row.kind).is_double}
    reads = [row for row in inside if row.probe not in doubles and row.attempt == 1]
    at_once = [row for row in reads if row.delay_us is not None and row.delay_us < AT_ONCE_US]
    seen, unseen = _visibility(reads, load)
    return TrialProbes(
        reads=Counter((row.kind, delay_bin(row.delay_us or 0), row.verdict) for row in reads),
        at_once=Counter((row.kind, row.verdict) for row in at_once),
        balanced=Counter((row.kind, row.verdict) for row in at_once if row.route == BALANCED),
        pairs=Counter(_pairs(at_once)),
        visible_us=seen,
        unseen=unseen,
        redemptions=Counter(_redemptions(row for row in inside if row.attempt == 1 and row.probe in doubles)),
        audit=Counter(_audited(row for row in listed if row.phase == ProbePhase.AUDIT)),
        unwritten=Counter(row.kind for row in inside if row.attempt == 0),
    )


def delay_bin(delay_us: int) -> int:
    """The number of the bin of a delay, from 0."""
    return bisect_right(BINS_MS, delay_us / 1000) - 1


def _is_inside(started_us: int, marks: WindowMarks) -> bool:
    if marks.window_start_us is None or marks.window_end_us is None:
        return False
    return marks.window_start_us <= started_us < marks.window_end_us


def _pairs(reads: Iterable[_Row]) -> Iterator[tuple[str, str, bool]]:
    for row in reads:
        if row.issued_by and row.read_by and row.verdict != ProbeVerdict.FAILED:
            yield row.issued_by, row.read_by, row.verdict == ProbeVerdict.STALE


def _visibility(reads: Iterable[_Row], load: Iterable[_Row]) -> tuple[dict[str, tuple[int, ...]], dict[str, int]]:
    """How long the writes of stale reads took to be seen, and how many were not seen."""
    later = {row.probe: row for row in load if row.attempt > 1 and row.verdict == ProbeVerdict.FRESH}
    seen: dict[str, tuple[int, ...]] = {}
    unseen: Counter[str] = Counter()
    for row in reads:
        if row.verdict == ProbeVerdict.STALE:
            found = later.get(row.probe)
            if found is None or found.delay_us is None:
                unseen[row.kind] += 1
            else:
                seen[row.kind] = (*seen.get(row.kind, ()), found.delay_us)
    return {kind: tuple(sorted(delays)) for kind, delays in seen.items()}, dict(unseen)


def _redemptions(rows: Iterable[_Row]) -> Iterator[tuple[str, str]]:
    yield from {row.probe: (row.kind, row.verdict) for row in rows}.values()


def _audited(rows: Iterable[_Row]) -> Iterator[tuple[str, str, str]]:
    """Each credential once: missing where one node says so, failed where one cannot tell or was not asked, else kept.

    Nodes are asked in turn until time is up, each credential at as many as any other.
    """
    found: dict[tuple[Probe, str, str], list[str]] = {}
    for row in rows:
        found.setdefault((row.probe, row.kind, row.token), []).append(row.verdict)
    nodes = max(map(len, found.values()), default=0)
    for (_, kind, token), verdicts in found.items():
        if ProbeVerdict.MISSING in verdicts:
            yield kind, token, ProbeVerdict.MISSING.value
        else:
            is_kept = len(verdicts) == nodes and ProbeVerdict.FAILED not in verdicts
            yield kind, token, (ProbeVerdict.KEPT if is_kept else ProbeVerdict.FAILED).value


def _row(row: Mapping[str, str]) -> _Row:
    ProbeKind(row["probe"])
    return _Row(
        (int(row["worker"]), int(row["number"])),
        row["phase"],
        row["probe"],
        row["token"],
        row["route"],
        row["issued_by"],
        row["read_by"],
        int(row["started_us"]),
        int(row["delay_us"]) if row["delay_us"] else None,
        int(row["attempt"]),
        ProbeVerdict(row["verdict"]).value,
    )
