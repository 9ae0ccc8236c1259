"""How a test went, from what the master gathered. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from iam_loadtest.load.arrival_gate import arrival_cautions, arrival_counts, arrivals_problem
from iam_loadtest.load.collector import FIRST_CHAINS, RECENT_US
from iam_loadtest.load.findings import Findings
from iam_loadtest.load.gates import remarks, spoilers
from iam_loadtest.load.health import HealthRow, generator_health
from iam_loadtest.results.load_result import LoadResult, Progress
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.trial import (
    ArrivalCounts,
    Caution,
    GeneratorHealth,
    TrialCounts,
    TrialStatus,
    WindowMarks,
)
from iam_loadtest.scenario.limits import Limits

if TYPE_CHECKING:
    from iam_loadtest.load.tally import Tally

HEALTH_AFTER_S = 5.0
"""In a window this long every worker reports its health, each second."""


@dataclass(frozen=True)
class Gathered:
    """What is known at the end of a test. ``sent`` is each worker's own total; ``lost`` names lost workers.

    Without ``limits``, what spoils a trial is only a caution: a plain run has no scenario to set them in.
    """

    marks: WindowMarks
    workers: int
    lost: Sequence[int]
    sent: Mapping[int, int]
    rows_by_step: Mapping[str, int]
    failures: Mapping[str, int]
    has_success_in_window: bool
    health: Sequence[HealthRow] = field(repr=False, default=())
    users_planned: int | None = None
    defect: str | None = None
    problem: str | None = None
    limits: Limits | None = None
    arrivals: Collection[Mapping[str, int]] = ()
    max_late_share: float = 0.001
    findings: Findings = field(default_factory=Findings)

    @property
    def arrival_counts(self) -> ArrivalCounts | None:
        """Arrivals of the window over all workers; None in the closed model."""
        return arrival_counts(self.arrivals, self.marks.window_s)

    @property
    def received(self) -> int:
        """Rows that the master has."""
        return sum(self.rows_by_step.values())


def load_result(gathered: Gathered, ended_early: tuple[TrialStatus, str] | None = None) -> LoadResult:
    """The result as load.json keeps it. A test that was ended early keeps that as its status and reason."""
    health = generator_health(
        gathered.health, gathered.marks, gathered.workers, len(gathered.lost), gathered.users_planned
    )
    spoiled = spoilers(health, gathered.limits or Limits())
    status, reason = ended_early or _judge(gathered, health, spoiled)
    counts = TrialCounts(
        sent=sum(gathered.sent.values()) if len(gathered.sent) == gathered.workers else None,
        received=gathered.received,
        by_step=dict(gathered.rows_by_step),
        tokens=gathered.findings.tokens,
        stale_reads=gathered.findings.stale_reads,
        tries=gathered.findings.tries,
        probes=gathered.findings.probe_requests,
        audit=gathered.findings.audit,
        arrivals=gathered.arrival_counts,
    )
    cautions = (*spoiled, *remarks(health), *arrival_cautions(counts.arrivals), *gathered.findings.cautions())
    return LoadResult(status, reason, gathered.marks, health, counts, cautions)


def commonest_failure(failures: Mapping[str, int]) -> str:
    """The most frequent failure's text, the first one of equals; says so where there was none."""
    return (
        max(failures, key=lambda text: failures[text]) if failures else "no request failed, but no chain was complete"
    )


def first_chains_refused(outcomes: Sequence[str]) -> bool:
    """Whether the first chains, in the order in which they arrived, were all refused.

    Anything else may pass: an IAM that is slow or out of reach at first is what some trials are about.
    """
    return len(outcomes) >= FIRST_CHAINS and set(outcomes[:FIRST_CHAINS]) == {Outcome.REFUSED.value}


def progress(phase: str, left_s: float, users: int, recent: Sequence[Tally], elapsed_us: int) -> Progress:
    """Progress over what arrived lately. Throughput is of successful requests, p95 of whole chains."""
    requests = sum(tally.requests for tally in recent)
    if not requests:
        return Progress(phase, left_s, users)
    from iam_loadtest.load.tally import p95_ms  # noqa: PLC0415  numpy: in the master alone

    good = sum(tally.good_requests for tally in recent)
    period_s = min(elapsed_us, RECENT_US) / 1e6
    return Progress(phase, left_s, users, good / period_s, p95_ms(recent), 1 - good / requests)


def with_arrivals(shown: Progress, tallies: Collection[Mapping[str, int]]) -> Progress:
    """The progress with late and dropped arrivals so far, in the open model."""
    if not tallies:
        return shown
    late, dropped = (sum(tally[key] for tally in tallies) for key in ("late", "dropped"))
    return replace(shown, late=late, dropped=dropped)


def _judge(gathered: Gathered, health: GeneratorHealth, spoiled: Sequence[Caution]) -> tuple[TrialStatus, str | None]:
    """The first thing that is wrong decides; what makes the numbers incomplete comes before what they say."""
    if gathered.defect:
        return TrialStatus.FAILED, gathered.defect
    incomplete = gathered.problem or _incomplete(gathered)
    if incomplete:
        return TrialStatus.INVALID, incomplete
    if not gathered.has_success_in_window:
        why = commonest_failure(gathered.failures)
        return TrialStatus.FAILED, f"no chain succeeded in the window; most often: {why}"
    off_plan = _off_plan(health, gathered.marks.window_s)
    if off_plan:
        return TrialStatus.INVALID, off_plan
    if spoiled and gathered.limits:
        return TrialStatus.INVALID, f"{spoiled[0].text}; {spoiled[0].remedy}"
    arrivals = arrivals_problem(gathered.arrival_counts, gathered.max_late_share) if gathered.limits else None
    return (TrialStatus.INVALID, arrivals) if arrivals else (TrialStatus.OK, None)


def _incomplete(gathered: Gathered) -> str | None:
    """Why rows may be missing; None where all are there."""
    if gathered.lost:
        return lost_workers(gathered.lost, gathered.workers)
    if len(gathered.sent) < gathered.workers:
        return f"only {len(gathered.sent)} of {gathered.workers} workers sent their total of rows"
    sent = sum(gathered.sent.values())
    return None if sent == gathered.received else f"{gathered.received} of {sent} rows arrived"


def lost_workers(lost: Sequence[int], workers: int) -> str:
    """Which workers are gone, as a reason."""
    names = ", ".join(str(worker) for worker in lost)
    return f"lost {len(lost)} of {workers} workers (number {names}) before the end"


def _off_plan(health: GeneratorHealth, window_s: float | None) -> str | None:
    """Whether other users ran than planned at any moment of the window, or nobody knows."""
    planned, low, high = health.users_planned, health.users_min, health.users_max
    if planned is None:
        return None
    if low is None or high is None:
        is_long = window_s is not None and window_s >= HEALTH_AFTER_S
        return "not every worker reported its users in the window" if is_long else None
    seen = str(low) if low == high else f"{low} to {high}"
    return None if low == high == planned else f"{seen} users ran in the window; {planned} were planned"
