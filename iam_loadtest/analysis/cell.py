"""Cell: one topology under one workload, each trial by itself and the figures over those that count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from iam_loadtest.analysis.backend import Backend, add_backends
from iam_loadtest.analysis.contrast import Interval
from iam_loadtest.analysis.estimate import Estimate, estimate
from iam_loadtest.analysis.part import ALL_REQUESTS, Part, add_outcomes
from iam_loadtest.analysis.recovery import CombinedRecovery, combine_recoveries
from iam_loadtest.analysis.share import share_interval
from iam_loadtest.analysis.trial_summary import TrialSummary, in_order
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.run import PlannedTrial
from iam_loadtest.results.sample import WORKFLOW_STEP


@dataclass(frozen=True)
class CombinedPart:
    """One step, the chain, or all requests over the counted trials.

    Rates and latencies are estimates over trials; ``requests`` and ``outcomes`` are plain totals, and
    ``failure_share`` is failed of all rows in all counted trials together. ``failed_by_trial`` is failed and all rows
    of each trial.
    """

    name: str
    requests: int
    outcomes: Mapping[str, int]
    throughput_per_s: Estimate
    attempted_per_s: Estimate
    p50_ms: Estimate
    p80_ms: Estimate
    p95_ms: Estimate
    p99_ms: Estimate
    p99_9_ms: Estimate
    max_ms: Estimate
    failed_by_trial: tuple[tuple[int, int], ...] = ()

    @property
    def failed(self) -> int:
        """Rows that did not succeed."""
        return self.requests - self.outcomes.get(Outcome.OK, 0)

    @property
    def failure_share(self) -> float | None:
        """Failed rows of all rows, from 0 to 1; None where there were none."""
        return self.failed / self.requests if self.requests else None

    @property
    def failure_interval(self) -> Interval | None:
        """The 95 % interval of the failure share over trials; None below three."""
        return share_interval(self.failed_by_trial)


@dataclass(frozen=True)
class Cell:
    """All trials of a topology and workload in running order, and what they come to together."""

    topology: str
    workload: str
    trials: tuple[TrialSummary, ...]
    missing: tuple[PlannedTrial, ...]
    requests: CombinedPart
    chain: CombinedPart
    steps: tuple[CombinedPart, ...]

    @property
    def counted(self) -> tuple[TrialSummary, ...]:
        """The trials that go into the combined figures."""
        return tuple(trial for trial in self.trials if trial.is_counted)

    @property
    def planned(self) -> int:
        """How many trials were planned: one that was interrupted and run again is one."""
        return len({entry.trial.trial for entry in self.trials} | {planned.trial for planned in self.missing})

    @property
    def parts(self) -> tuple[CombinedPart, ...]:
        """All requests, the chain, then every step."""
        return (self.requests, self.chain, *self.steps)

    @property
    def backends(self) -> tuple[Backend, ...]:
        """The serving nodes of the counted trials together; empty where answers name none."""
        return add_backends(one.backends for one in self.counted)

    @property
    def recoveries(self) -> tuple[CombinedRecovery, ...]:
        """What clients saw of each fault, over the counted trials; empty where there were none."""
        return combine_recoveries([one.recoveries for one in self.counted])

    @property
    def is_unstable(self) -> bool:
        """Whether throughput or the chain's p95 differ too much between trials to rank this cell."""
        return self.requests.throughput_per_s.is_unstable or self.chain.p95_ms.is_unstable


def make_cell(
    topology: str,
    workload: str,
    trials: Sequence[TrialSummary],
    missing: Sequence[PlannedTrial] = (),
    step_order: Sequence[str] = (),
) -> Cell:
    """The cell of the given trials; only those that count are combined."""
    counted = [trial for trial in trials if trial.is_counted]
    names = in_order((step.name for trial in counted for step in trial.steps), step_order)
    return Cell(
        topology,
        workload,
        tuple(trials),
        tuple(missing),
        _combined(ALL_REQUESTS, counted),
        _combined(WORKFLOW_STEP, counted),
        tuple(_combined(name, counted) for name in names),
    )


def _combined(name: str, counted: Sequence[TrialSummary]) -> CombinedPart:
    parts = [trial.part(name) for trial in counted]
    known = [part for part in parts if part is not None]
    return CombinedPart(
        name,
        sum(part.requests for part in known),
        add_outcomes([part.outcomes for part in known]),
        estimate([part.throughput_per_s for part in known]),
        estimate([part.attempted_per_s for part in known]),
        failed_by_trial=tuple((part.failed, part.requests) for part in known),
        **{f"{metric}_ms": estimate([_ms(part, metric) for part in known]) for metric in _LATENCIES},
    )


_LATENCIES = ("p50", "p80", "p95", "p99", "p99_9", "max")


def _ms(part: Part, metric: str) -> float | None:
    value_us: int | None = getattr(part.latency, f"{metric}_us")
    return None if value_us is None else value_us / 1000
