"""How a test went, from what the master gathered. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iam_loadtest.load.collector import RECENT_US
from iam_loadtest.load.health import HealthRow, generator_health, health_cautions
from iam_loadtest.results.load_result import LoadResult, Progress
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.trial import GeneratorHealth, TrialCounts, TrialStatus, WindowMarks

if TYPE_CHECKING:
    from iam_loadtest.load.tally import Tally

FIRST_CHAINS = 50
"""Where so many chains ended and none of them well, a trial stops: a wrong secret should cost seconds."""


@dataclass(frozen=True)
class Gathered:
    """What is known at the end of a test. ``sent`` is each worker's own total; ``lost`` names lost workers."""

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

    @property
    def received(self) -> int:
        """Rows that the master has."""
        return sum(self.rows_by_step.values())


def load_result(gathered: Gathered, ended_early: tuple[TrialStatus, str] | None = None) -> LoadResult:
    """The result as load.json keeps it. A test that was ended early keeps that as its status and reason."""
    health = generator_health(
        gathered.health, gathered.marks, gathered.workers, len(gathered.lost), gathered.users_planned
    )
    status, reason = ended_early or _judge(gathered, health)
    counts = TrialCounts(
        sent=sum(gathered.sent.values()) if len(gathered.sent) == gathered.workers else None,
        received=gathered.received,
        by_step=dict(gathered.rows_by_step),
    )
    return LoadResult(status, reason, gathered.marks, health, counts, health_cautions(health))


def commonest_failure(failures: Mapping[str, int]) -> str:
    """The most frequent failure's text, the first one of equals; says so where there was none."""
    return (
        max(failures, key=lambda text: failures[text]) if failures else "no request failed, but no chain was complete"
    )


def first_chains_failed(chains: Mapping[str, int]) -> bool:
    """Whether enough chains ended to tell, and none of them well."""
    return sum(chains.values()) >= FIRST_CHAINS and not chains.get(Outcome.OK.value)


def progress(phase: str, left_s: float, users: int, recent: Sequence[Tally], elapsed_us: int) -> Progress:
    """Progress over what arrived lately. Throughput is of successful requests, p95 of whole chains."""
    requests = sum(tally.requests for tally in recent)
    if not requests:
        return Progress(phase, left_s, users)
    from iam_loadtest.load.tally import p95_ms  # noqa: PLC0415  numpy: in the master alone

    good = sum(tally.good_requests for tally in recent)
    period_s = min(elapsed_us, RECENT_US) / 1e6
    return Progress(phase, left_s, users, good / period_s, p95_ms(recent), 1 - good / requests)


def _judge(gathered: Gathered, health: GeneratorHealth) -> tuple[TrialStatus, str | None]:
    """The first thing that is wrong decides; what makes the numbers incomplete comes before what they say."""
    if gathered.defect:
        return TrialStatus.FAILED, gathered.defect
    incomplete = gathered.problem or _incomplete(gathered)
    if incomplete:
        return TrialStatus.INVALID, incomplete
    if not gathered.has_success_in_window:
        why = commonest_failure(gathered.failures)
        return TrialStatus.FAILED, f"no chain succeeded in the window; most often: {why}"
    return _judge_users(health)


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


def _judge_users(health: GeneratorHealth) -> tuple[TrialStatus, str | None]:
    planned, low, high = health.users_planned, health.users_min, health.users_max
    if planned is not None and low is not None and high is not None and (low != planned or high != planned):
        return TrialStatus.INVALID, f"{low} to {high} users ran in the window; {planned} were planned"
    return TrialStatus.OK, None
