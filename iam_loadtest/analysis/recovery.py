"""Recovery: what clients saw of a fault, from the samples alone.

What is counted for a fault begins with it and ends where the next one begins, or with the measured window. Faults that
begin within half a second are one: what each of them alone would have done nobody can tell. Requests count by the
moment at which they were sent, successes by that at which they were complete. Those that a fault caught on their way
are counted apart: they were sent before it, and an earlier fault may have held them up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from iam_loadtest.analysis.estimate import Estimate, estimate
from iam_loadtest.analysis.percentile import PERMILLE, percentiles
from iam_loadtest.analysis.rows import Rows, read_rows
from iam_loadtest.results.fault import FaultRecord
from iam_loadtest.results.outcome import TRANSPORT_OUTCOMES, Outcome
from iam_loadtest.results.trial import SAMPLES_FILE, Trial

SECOND_US = 1_000_000
TOGETHER_US = 500_000
"""Faults of one moment begin milliseconds apart, and not always the same; those a second apart are never together."""
SECONDS_BEFORE = 5
"""Seconds of the window before its first fault without which nobody can say what is usual."""
SECONDS_IN_A_ROW = 3
"""So long must it be as before in one go to be back; a lucky second is not."""
LEAST_SUCCESSES = 0.5
"""Of what was usual in a second: p95 of the few that get through says nothing of the service."""
MOST_FAILED = 0.05
"""Share of the requests of a second; a service that refuses more quickly is not back, however fast the others are."""

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
    """Before the first fault, second by second: the highest p95 and failure share, the median number of successes."""

    p95_us: int
    successes: float
    failed_share: float


class _Second(NamedTuple):
    """The requests that were sent in a second; ``p95_us`` is of the successful ones, None without any."""

    p95_us: int | None
    ok: int
    failed: int

    @property
    def failed_share(self) -> float:
        """Of those that were sent; 0 where none was."""
        return self.failed / (self.ok + self.failed) if self.failed else 0.0


@dataclass(frozen=True)
class Recovery:
    """One fault of one trial, with those that began at the same time (``also``).

    None: it did not happen before ``watched_s`` was over, or cannot be said.

    ``at_s`` is since the window began, the other times since the fault. ``first_success_s`` is until the first success
    of a request that was sent after the fault; ``longest_gap_s`` the longest time without any success.
    ``failed_in_flight`` are those that had been sent and had no answer when the fault began, and failed; they are in
    no other count of this fault. ``p95_back_s`` is until the first of three seconds in a row in which p95 of the
    successful requests was no higher than in any second before the first fault (``p95_limit_ms``), successes at least
    half as many as they used to be, and no more than 5 % failed, or as many as in the worst second before.
    """

    fault: FaultRecord
    at_s: float
    watched_s: float
    requests: int
    failed: int
    lost: int
    failed_in_flight: int
    first_success_s: float | None
    longest_gap_s: float
    p95_limit_ms: float | None
    p95_back_s: float | None
    also: tuple[FaultRecord, ...] = ()

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of all these faults in their scenario."""
        return tuple(one.number for one in (self.fault, *self.also))

    @property
    def words(self) -> str:
        """What was asked for: ``kill redis-master``."""
        return " and ".join(f"{one.kind} {one.asked}" for one in (self.fault, *self.also))

    @property
    def targets(self) -> str:
        """What that was."""
        return " and ".join(one.target for one in (self.fault, *self.also))


@dataclass(frozen=True)
class CombinedRecovery:
    """One fault of a topology, or those that came together, over the counted trials of a workload.

    ``no_success`` of them saw no success of a request sent after it, ``not_back`` did not see p95 come back. Where
    there are any, the estimate of the others has a range and no mean: it would be that of the lucky ones. For
    ``watched_s`` at least each trial was watched.
    """

    numbers: tuple[int, ...]
    words: str
    at_s: float
    watched_s: float
    trials: int
    failed: Estimate
    lost: Estimate
    failed_in_flight: Estimate
    requests: Estimate
    first_success_s: Estimate
    longest_gap_s: Estimate
    p95_back_s: Estimate
    no_success: int
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
    starts = _at_once(faults, window_us)
    if not starts:
        return ()
    usual = usual_before(requests, window_us[0], next(iter(starts)))
    spans = pairwise([*starts, window_us[1]])
    return tuple(
        _recovery(requests, same, span_us, window_us[0], usual)
        for same, span_us in zip(starts.values(), spans, strict=True)
    )


def _at_once(faults: Sequence[FaultRecord], window_us: tuple[int, int]) -> dict[int, list[FaultRecord]]:
    """The faults that have begun inside the window, by when the first of those together began; each by number."""
    begun = sorted((fault.started_us, fault.number, fault) for fault in faults if fault.started_us is not None)
    found: dict[int, list[FaultRecord]] = {}
    for at_us, _, fault in begun:
        if window_us[0] <= at_us < window_us[1]:
            last_us = next(reversed(found), None)
            start_us = at_us if last_us is None or at_us - last_us >= TOGETHER_US else last_us
            found.setdefault(start_us, []).append(fault)
    return {at_us: sorted(same, key=lambda one: one.number) for at_us, same in found.items()}


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
    found = list(_each_second(_complete_by(requests, fault_us), fault_us - seconds * SECOND_US, fault_us))
    known = [second.p95_us for second in found if second.p95_us is not None]
    if not known:
        return None
    successes = float(np.median([second.ok for second in found]))
    return Usual(max(known), successes, max(second.failed_share for second in found))


def _complete_by(requests: Requests, moment_us: int) -> Requests:
    chosen = requests.complete_us <= moment_us
    return Requests(*(getattr(requests, field.name)[chosen] for field in fields(requests)))


def combine_recoveries(trials: Sequence[Sequence[Recovery]]) -> tuple[CombinedRecovery, ...]:
    """The recoveries of several trials, fault by fault; a fault alone is another one than the same with others."""
    same: dict[tuple[int, ...], list[Recovery]] = {}
    for one in (one for own in trials for one in own):
        same.setdefault(one.numbers, []).append(one)
    return tuple(_combined(same[numbers]) for numbers in sorted(same))


def _combined(same: Sequence[Recovery]) -> CombinedRecovery:
    first = same[0]
    return CombinedRecovery(
        numbers=first.numbers,
        words=first.words,
        at_s=first.at_s,
        watched_s=min(one.watched_s for one in same),
        trials=len(same),
        failed=estimate([one.failed for one in same]),
        lost=estimate([one.lost for one in same]),
        failed_in_flight=estimate([one.failed_in_flight for one in same]),
        requests=estimate([one.requests for one in same]),
        first_success_s=_of_all([one.first_success_s for one in same]),
        longest_gap_s=estimate([one.longest_gap_s for one in same]),
        p95_back_s=_of_all([one.p95_back_s for one in same if one.p95_limit_ms is not None]),
        no_success=sum(one.first_success_s is None for one in same),
        not_back=sum(one.p95_back_s is None for one in same if one.p95_limit_ms is not None),
    )


def _of_all(times_s: Sequence[float | None]) -> Estimate:
    """Without a mean where some trials never came so far."""
    found = estimate(times_s)
    return found if found.trials == len(times_s) else replace(found, value=None)


def _recovery(
    requests: Requests,
    same: Sequence[FaultRecord],
    span_us: tuple[int, int],
    window_start_us: int,
    usual: Usual | None,
) -> Recovery:
    start_us, end_us = span_us
    if end_us - start_us < SECONDS_IN_A_ROW * SECOND_US:
        usual = None
    sent = (requests.sent_us >= start_us) & (requests.sent_us < end_us)
    first = requests.complete_us[sent & requests.ok & (requests.complete_us < end_us)]
    in_flight = (requests.sent_us < start_us) & (requests.complete_us > start_us)
    back_s = None if usual is None else _back_s(requests, start_us, end_us, usual)
    return Recovery(
        fault=same[0],
        at_s=(start_us - window_start_us) / 1e6,
        watched_s=(end_us - start_us) / 1e6,
        requests=int(sent.sum()),
        failed=int((sent & ~requests.ok).sum()),
        lost=int((sent & requests.lost).sum()),
        failed_in_flight=int((in_flight & ~requests.ok).sum()),
        first_success_s=None if not len(first) else (int(first.min()) - start_us) / 1e6,
        longest_gap_s=_longest_gap_us(requests, start_us, end_us) / 1e6,
        p95_limit_ms=None if usual is None else usual.p95_us / 1000,
        p95_back_s=back_s,
        also=tuple(same[1:]),
    )


def _longest_gap_us(requests: Requests, start_us: int, end_us: int) -> int:
    complete = requests.complete_us[requests.ok]
    inside = np.sort(complete[(complete >= start_us) & (complete < end_us)])
    moments = [start_us, *inside.tolist(), end_us]
    return max(int(later - earlier) for earlier, later in pairwise(moments))


def _back_s(requests: Requests, start_us: int, end_us: int, usual: Usual) -> float | None:
    row = 0
    for number, second in enumerate(_each_second(requests, start_us, end_us)):
        row = row + 1 if _is_usual(second, usual) else 0
        if row == SECONDS_IN_A_ROW:
            return float(number - SECONDS_IN_A_ROW + 1)
    return None


def _is_usual(second: _Second, usual: Usual) -> bool:
    return (
        second.p95_us is not None
        and second.p95_us <= usual.p95_us
        and second.ok >= LEAST_SUCCESSES * usual.successes
        and second.failed_share <= max(MOST_FAILED, usual.failed_share)
    )


def _each_second(requests: Requests, start_us: int, end_us: int) -> Iterable[_Second]:
    """What was sent in each whole second of a span."""
    inside = (requests.sent_us >= start_us) & (requests.sent_us < end_us)
    order = np.argsort(requests.sent_us[inside], kind="stable")
    sent, latency, ok = (column[inside][order] for column in (requests.sent_us, requests.latency_us, requests.ok))
    edges = np.searchsorted(sent, np.arange(start_us, end_us + 1, SECOND_US))
    for first, last in pairwise(edges.tolist()):
        own = latency[first:last][ok[first:last]]
        p95_us = percentiles(own, (PERMILLE["p95"],))[0] if len(own) else None
        yield _Second(p95_us, len(own), last - first - len(own))


def _part(rows: Rows) -> tuple[Times, ...]:
    chosen = rows.is_request
    names = np.array(rows.outcomes, dtype=object)[rows.outcome] if len(rows) else np.zeros(0, object)
    ok = (names == str(Outcome.OK)) if len(rows) else np.zeros(0, bool)
    lost = np.isin(names.astype(str), [str(one) for one in TRANSPORT_OUTCOMES])
    sent, latency = rows.started_us, rows.latency_us
    columns = (sent, sent + latency - rows.late_us, latency, ok.astype(np.int64), lost.astype(np.int64))
    return tuple(column[chosen] for column in columns)
