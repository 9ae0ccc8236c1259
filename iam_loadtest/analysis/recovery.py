"""Recovery: what clients saw of a fault, from the samples alone.

What is counted for a fault begins with it and ends where the next one begins, or with the measured window. Requests
count by the moment at which they were sent, successes by that at which they were complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from iam_loadtest.analysis.estimate import Estimate, estimate
from iam_loadtest.analysis.percentile import PERMILLE, percentiles
from iam_loadtest.analysis.rows import Rows, read_rows
from iam_loadtest.results.fault import FaultRecord
from iam_loadtest.results.outcome import TRANSPORT_OUTCOMES, Outcome
from iam_loadtest.results.trial import SAMPLES_FILE, Trial

SECOND_US = 1_000_000
SECONDS_BEFORE = 5
"""Seconds of the window before its first fault without which nobody can say what is usual."""
SECONDS_IN_A_ROW = 3
"""So long must it be as before in one go to be back; a lucky second is not."""
LEAST_SUCCESSES = 0.5
"""Of what was usual in a second: p95 of the few that get through says nothing of the service."""

Times = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Requests:
    """The requests of a trial as arrays: when they were sent and complete, and whether they succeeded or got lost.

    ``lost`` are those that no answer came to: time limit, connection refused or broken.
    """

    sent_us: Times
    complete_us: Times
    latency_us: Times
    ok: npt.NDArray[np.bool_]
    lost: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Usual:
    """How it was before the first fault, second by second: the highest p95, and the median number of successes."""

    p95_us: int
    successes: float


@dataclass(frozen=True)
class Recovery:
    """One fault of one trial. None: it did not happen before ``watched_s`` was over, or cannot be said.

    ``at_s`` is since the window began, the other times since the fault. ``first_success_s`` is until the first success
    of a request that was sent after the fault; ``longest_gap_s`` the longest time without any success. ``p95_back_s``
    is until the first of three seconds in a row in which p95 of the successful requests was no higher than in any
    second before the first fault (``p95_limit_ms``), and successes at least half as many as they used to be.
    """

    fault: FaultRecord
    at_s: float
    watched_s: float
    requests: int
    failed: int
    lost: int
    first_success_s: float | None
    longest_gap_s: float
    p95_limit_ms: float | None
    p95_back_s: float | None


@dataclass(frozen=True)
class CombinedRecovery:
    """One fault of a topology over the counted trials of a workload. ``not_back`` of them did not see p95 come back."""

    number: int
    words: str
    at_s: float
    trials: int
    failed: Estimate
    lost: Estimate
    requests: Estimate
    first_success_s: Estimate
    longest_gap_s: Estimate
    p95_back_s: Estimate
    not_back: int


def read_recoveries(directory: Path, trial: Trial) -> tuple[Recovery, ...]:
    """The recoveries of a trial's faults in their order; none without faults or without a complete window.

    Raises UnreadableSamplesError where the samples are not usable.
    """
    faults = [fault for fault in trial.faults if fault.started_us is not None]
    if not faults or trial.marks.window_start_us is None or trial.marks.window_end_us is None:
        return ()
    window = (trial.marks.window_start_us, trial.marks.window_end_us)
    return recoveries(requests_of(read_rows(directory / SAMPLES_FILE)), faults, window)


def recoveries(requests: Requests, faults: Sequence[FaultRecord], window_us: tuple[int, int]) -> tuple[Recovery, ...]:
    """One for each fault that has begun inside the window, in the order of time."""
    begun = sorted((fault.started_us, fault) for fault in faults if fault.started_us is not None)
    inside = [(at_us, fault) for at_us, fault in begun if window_us[0] <= at_us < window_us[1]]
    if not inside:
        return ()
    usual = usual_before(requests, window_us[0], inside[0][0])
    ends = [*(at_us for at_us, _ in inside[1:]), window_us[1]]
    return tuple(
        _recovery(requests, fault, (at_us, end_us), window_us[0], usual)
        for (at_us, fault), end_us in zip(inside, ends, strict=True)
    )


def requests_of(batches: Iterable[Rows]) -> Requests:
    """The requests in the rows of a samples file; rows of whole chains are none."""
    parts = [_part(rows) for rows in batches]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)] if parts else [np.zeros(0, np.int64)] * 5
    sent, complete, latency, ok, lost = columns
    return Requests(sent, complete, latency, ok.astype(bool), lost.astype(bool))


def usual_before(requests: Requests, start_us: int, fault_us: int) -> Usual | None:
    """How the whole seconds of the window before its first fault were; None where they are too few or empty.

    What the fault met on its way is left out: it took as long as the fault let it.
    """
    seconds = (fault_us - start_us) // SECOND_US
    if seconds < SECONDS_BEFORE:
        return None
    untouched = replace(requests, ok=requests.ok & (requests.complete_us <= fault_us))
    found = list(_each_second(untouched, fault_us - seconds * SECOND_US, fault_us))
    known = [p95_us for p95_us, _ in found if p95_us is not None]
    return Usual(max(known), float(np.median([count for _, count in found]))) if known else None


def combine_recoveries(trials: Sequence[Sequence[Recovery]]) -> tuple[CombinedRecovery, ...]:
    """The recoveries of several trials, fault by fault."""
    numbers = dict.fromkeys(one.fault.number for own in trials for one in own)
    return tuple(
        _combined([one for own in trials for one in own if one.fault.number == number]) for number in sorted(numbers)
    )


def _combined(same: Sequence[Recovery]) -> CombinedRecovery:
    first = same[0]
    return CombinedRecovery(
        number=first.fault.number,
        words=f"{first.fault.kind} {first.fault.asked}",
        at_s=first.at_s,
        trials=len(same),
        failed=estimate([one.failed for one in same]),
        lost=estimate([one.lost for one in same]),
        requests=estimate([one.requests for one in same]),
        first_success_s=estimate([one.first_success_s for one in same]),
        longest_gap_s=estimate([one.longest_gap_s for one in same]),
        p95_back_s=estimate([one.p95_back_s for one in same]),
        not_back=sum(one.p95_back_s is None for one in same if one.p95_limit_ms is not None),
    )


def _recovery(
    requests: Requests, fault: FaultRecord, span_us: tuple[int, int], window_start_us: int, usual: Usual | None
) -> Recovery:
    start_us, end_us = span_us
    sent = (requests.sent_us >= start_us) & (requests.sent_us < end_us)
    first = requests.complete_us[sent & requests.ok]
    back_s = None if usual is None else _back_s(requests, start_us, end_us, usual)
    return Recovery(
        fault=fault,
        at_s=(start_us - window_start_us) / 1e6,
        watched_s=(end_us - start_us) / 1e6,
        requests=int(sent.sum()),
        failed=int((sent & ~requests.ok).sum()),
        lost=int((sent & requests.lost).sum()),
        first_success_s=None if not len(first) else (int(first.min()) - start_us) / 1e6,
        longest_gap_s=_longest_gap_us(requests, start_us, end_us) / 1e6,
        p95_limit_ms=None if usual is None else usual.p95_us / 1000,
        p95_back_s=back_s,
    )


def _longest_gap_us(requests: Requests, start_us: int, end_us: int) -> int:
    complete = requests.complete_us[requests.ok]
    inside = np.sort(complete[(complete >= start_us) & (complete < end_us)])
    moments = [start_us, *inside.tolist(), end_us]
    return max(int(later - earlier) for earlier, later in pairwise(moments))


def _back_s(requests: Requests, start_us: int, end_us: int, usual: Usual) -> float | None:
    row = 0
    for second, (p95_us, successes) in enumerate(_each_second(requests, start_us, end_us)):
        is_usual = p95_us is not None and p95_us <= usual.p95_us and successes >= LEAST_SUCCESSES * usual.successes
        row = row + 1 if is_usual else 0
        if row == SECONDS_IN_A_ROW:
            return float(second - SECONDS_IN_A_ROW + 1)
    return None


def _each_second(requests: Requests, start_us: int, end_us: int) -> Iterable[tuple[int | None, int]]:
    """p95 and number of the successful requests that were sent in each whole second of a span."""
    inside = requests.ok & (requests.sent_us >= start_us) & (requests.sent_us < end_us)
    sent = requests.sent_us[inside]
    order = np.argsort(sent, kind="stable")
    sent, latency = sent[order], requests.latency_us[inside][order]
    edges = np.searchsorted(sent, np.arange(start_us, end_us + 1, SECOND_US))
    for first, last in pairwise(edges.tolist()):
        own = latency[first:last]
        yield (percentiles(own, (PERMILLE["p95"],))[0] if len(own) else None), len(own)


def _part(rows: Rows) -> tuple[Times, ...]:
    chosen = rows.is_request
    names = np.array(rows.outcomes, dtype=object)[rows.outcome] if len(rows) else np.zeros(0, object)
    ok = (names == str(Outcome.OK)) if len(rows) else np.zeros(0, bool)
    lost = np.isin(names.astype(str), [str(one) for one in TRANSPORT_OUTCOMES])
    sent, latency = rows.started_us, rows.latency_us
    columns = (sent, sent + latency - rows.late_us, latency, ok.astype(np.int64), lost.astype(np.int64))
    return tuple(column[chosen] for column in columns)
