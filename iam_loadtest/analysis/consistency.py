"""Consistency of a topology under a workload, as probes saw it over the counted trials.

The unit of repetition is the trial: intervals of shares are over trials where there are three or more. Below that they
are Wilson's, of reads as if these were independent, which says too little about another trial. Of what was never seen
an upper bound is given: with 95 % confidence it is rarer than that (the rule of three, 3 in n, in its exact form), for
reads as if they were independent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from scipy import stats

from iam_loadtest.analysis.cell import Cell
from iam_loadtest.analysis.contrast import LEVEL, Interval
from iam_loadtest.analysis.percentile import percentile_rank
from iam_loadtest.analysis.probe import BINS_MS, TrialProbes
from iam_loadtest.analysis.share import share_interval, wilson
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.results.probe import ProbeKind, ProbeVerdict

FRESH_SHARE: Final = 0.99
_JUDGED = (ProbeVerdict.ONCE, ProbeVerdict.DOUBLED, ProbeVerdict.RECOVERED, ProbeVerdict.LOST)


@dataclass(frozen=True)
class Share:
    """``chosen`` of ``total`` over all trials, with those of each trial that had any."""

    by_trial: tuple[tuple[int, int], ...]

    @property
    def chosen(self) -> int:
        """How many were."""
        return sum(chosen for chosen, _ in self.by_trial)

    @property
    def total(self) -> int:
        """How many could have been."""
        return sum(total for _, total in self.by_trial)

    @property
    def value(self) -> float | None:
        """The share, of all trials together; None of nothing."""
        return self.chosen / self.total if self.total else None

    @property
    def is_over_trials(self) -> bool:
        """Whether the interval allows for the spread between trials."""
        return share_interval(self.by_trial) is not None

    @property
    def interval(self) -> Interval | None:
        """The 95 % interval; None of nothing."""
        if not self.total:
            return None
        return share_interval(self.by_trial) or wilson(self.chosen, self.total)

    @property
    def bound(self) -> float | None:
        """Where none was chosen: the share that it stays below with 95 % confidence; else None."""
        return upper_bound_of_none(self.total) if self.total and not self.chosen else None


@dataclass(frozen=True)
class VisibilityPoint:
    """Reads sent ``from_ms`` after the acknowledgement, up to the next point: which share of them was fresh.

    ``smoothed`` is the share that does not fall with time (pool-adjacent-violators): a write once visible stays so.
    """

    from_ms: int
    fresh: Share
    smoothed: float


@dataclass(frozen=True)
class Consistency:
    """One kind of probe in one cell. ``failed`` reads gave no verdict and are in no share.

    ``stale_balanced`` is of the reads at once whose nodes the balancer chose, which ``stale_at_once`` has, too.

    ``missing`` is of the credentials audited; None where no read of the audit ever found any of that token, so that it
    cannot tell. ``unaudited`` are those that some node was not asked for, or gave no verdict on.
    """

    topology: str
    workload: str
    kind: ProbeKind
    reads: int
    failed: int
    unwritten: int
    stale_at_once: Share
    stale_balanced: Share
    stale: Share
    curve: tuple[VisibilityPoint, ...]
    visible_us: tuple[int, ...]
    unseen: int
    doubled: Share
    lost: Share
    recovered: int
    reusable: int
    missing: Share | None
    unaudited: int

    @property
    def t99_ms(self) -> int | None:
        """The delay at which the reads show that 99 % are fresh, with 95 % confidence as if they were independent.

        It may be so sooner. What is fresh at a delay is so later on: reads at shorter delays, from the first one at
        which the smoothed curve reaches 99 %, count for a longer one as well; those at longer ones show nothing of a
        shorter. None where too few reads show it: 299 without a stale one are the fewest that can.
        """
        fresh = total = 0
        for point in self.curve:
            if point.smoothed >= FRESH_SHARE:
                fresh, total = fresh + point.fresh.chosen, total + point.fresh.total
                if lower_bound(fresh, total) >= FRESH_SHARE:
                    return point.from_ms
        return None

    def visible_ms(self, permille: int) -> float | None:
        """The percentile of the time after which a stale write was seen, an upper bound.

        Those that were not seen took longer than all others, for all that is known; None where one of them is meant.
        """
        delays = self.visible_us
        rank = percentile_rank(len(delays) + self.unseen, permille) if delays else 1
        return delays[rank - 1] / 1000 if rank <= len(delays) else None


def upper_bound_of_none(total: int) -> float:
    """What the share of something not seen once in ``total`` stays below, with 95 % confidence; nearly 3 in n."""
    return float(1 - (1 - LEVEL) ** (1 / total))


def lower_bound(chosen: int, total: int) -> float:
    """What a share stays above with 95 % confidence (Clopper and Pearson 1934, one-sided); 0 of nothing."""
    return float(stats.beta.ppf(1 - LEVEL, chosen, total - chosen + 1)) if chosen else 0.0


def consistency(summary: RunSummary) -> tuple[Consistency, ...]:
    """Every kind of probe in every cell whose counted trials had any, in the order of the run."""
    return tuple(one for cell in summary.cells for one in cell_consistency(cell))


@dataclass(frozen=True)
class Overall:
    """All kinds of probes of a topology together: what a reader must know first."""

    topology: str
    stale_at_once: Share
    still_active: Share
    doubled: Share
    missing: Share


def overall(summary: RunSummary) -> tuple[Overall, ...]:
    """Every topology that was probed. ``still_active`` is of revoked tokens, introspected at once."""
    probed = {
        topology: [trial for cell in summary.of_topology(topology) for trial in _probed(cell)]
        for topology in summary.topologies
    }
    return tuple(_overall(topology, trials) for topology, trials in probed.items() if trials)


def _overall(topology: str, trials: Sequence[TrialProbes]) -> Overall:
    revoked = [_of(trial.at_once, ProbeKind.REVOKE_INTROSPECT) for trial in trials]
    audits = [_audits(kind, trials) for kind in ProbeKind]
    missing = [tuple(map(sum, zip(*of_trial, strict=True))) for of_trial in zip(*audits, strict=True)]
    return Overall(
        topology,
        _stale([_of_all(trial.at_once) for trial in trials]),
        _stale(revoked),
        _among([_of_all(trial.redemptions) for trial in trials], ProbeVerdict.DOUBLED, _JUDGED),
        _share((lost, kept) for lost, kept in missing),
    )


def stale_at_once(cell: Cell) -> Share:
    """Stale reads of those that came at once, all kinds together, over the counted trials of a cell."""
    return _stale([_of_all(trial.at_once) for trial in _probed(cell)])


def node_shares(cells: Iterable[Cell]) -> dict[tuple[str, str], Share]:
    """Stale reads of those that came at once, by issuing and reading node, over the counted trials of the cells."""
    trials = [trial for cell in cells for trial in _probed(cell)]
    pairs = sorted({(issued, read) for trial in trials for issued, read, _ in trial.pairs})
    return {
        pair: _share((trial.pairs.get((*pair, True), 0), trial.pairs.get((*pair, False), 0)) for trial in trials)
        for pair in pairs
    }


def smoothed(points: Sequence[tuple[int, int]]) -> list[float]:
    """Shares of (chosen, total) pairs that never fall, by pooling neighbours that do (isotonic regression)."""
    pools: list[tuple[int, int, int]] = []
    for chosen, total in points:
        pools.append((chosen, total, 1))
        while len(pools) > 1 and pools[-2][0] * pools[-1][1] > pools[-1][0] * pools[-2][1]:
            last, before = pools.pop(), pools.pop()
            pools.append((before[0] + last[0], before[1] + last[1], before[2] + last[2]))
    return [chosen / total for chosen, total, size in pools for _ in range(size)]


def _probed(cell: Cell) -> list[TrialProbes]:
    return [trial.probes for trial in cell.counted if trial.probes is not None]


def cell_consistency(cell: Cell) -> list[Consistency]:
    """Every kind of probe in the counted trials of a cell."""
    trials = _probed(cell)
    kinds = {kind for trial in trials for kind in trial.kinds}
    return [_of_kind(cell, kind, trials) for kind in ProbeKind if kind in kinds]


def _of_kind(cell: Cell, kind: ProbeKind, trials: Sequence[TrialProbes]) -> Consistency:
    redeemed = [_of(trial.redemptions, kind) for trial in trials]
    at_once = [_of(trial.at_once, kind) for trial in trials]
    reads = [_by_verdict(trial, kind) for trial in trials]
    return Consistency(
        topology=cell.topology,
        workload=cell.workload,
        kind=kind,
        reads=sum(one.get(ProbeVerdict.FRESH, 0) + one.get(ProbeVerdict.STALE, 0) for one in reads),
        failed=sum(one.get(ProbeVerdict.FAILED, 0) for one in (*reads, *redeemed)),
        unwritten=sum(trial.unwritten.get(kind, 0) for trial in trials),
        stale_at_once=_stale(at_once),
        stale_balanced=_stale([_of(trial.balanced, kind) for trial in trials]),
        stale=_stale(reads),
        curve=_curve(kind, trials),
        visible_us=tuple(sorted(delay for trial in trials for delay in trial.visible_us.get(kind, ()))),
        unseen=sum(trial.unseen.get(kind, 0) for trial in trials),
        doubled=_among(redeemed, ProbeVerdict.DOUBLED, _JUDGED),
        lost=_among(redeemed, ProbeVerdict.LOST, _JUDGED),
        recovered=sum(one.get(ProbeVerdict.RECOVERED, 0) for one in redeemed),
        reusable=sum(one.get(ProbeVerdict.REUSABLE, 0) for one in redeemed),
        missing=_missing(kind, trials),
        unaudited=sum(
            number
            for trial in trials
            for (own, _, verdict), number in trial.audit.items()
            if own == kind and verdict == ProbeVerdict.FAILED
        ),
    )


def _curve(kind: str, trials: Sequence[TrialProbes]) -> tuple[VisibilityPoint, ...]:
    """A point for each bin of delays that has reads."""

    def count(trial: TrialProbes, bin_number: int, verdict: ProbeVerdict) -> int:
        return trial.reads.get((kind, bin_number, verdict.value), 0)

    found: list[tuple[int, Share]] = []
    for number, from_ms in enumerate(BINS_MS):
        fresh = _share(
            (count(one, number, ProbeVerdict.FRESH), count(one, number, ProbeVerdict.STALE)) for one in trials
        )
        if fresh.total:
            found.append((from_ms, fresh))
    levels = smoothed([(fresh.chosen, fresh.total) for _, fresh in found])
    return tuple(VisibilityPoint(*point, level) for point, level in zip(found, levels, strict=True))


def _missing(kind: str, trials: Sequence[TrialProbes]) -> Share | None:
    """None where the audit of the only tokens there are never found one: it may have no way to."""
    share = _share(_audits(kind, trials))
    return share if share.total else None


def _audits(kind: str, trials: Sequence[TrialProbes]) -> list[tuple[int, int]]:
    """Missing and kept credentials of each trial, of the tokens that the audit found at all."""
    readable = {token for trial in trials for (own, token, verdict) in trial.audit if own == kind and verdict == "kept"}
    return [
        (_audit(trial, kind, readable, ProbeVerdict.MISSING), _audit(trial, kind, readable, ProbeVerdict.KEPT))
        for trial in trials
    ]


def _audit(trial: TrialProbes, kind: str, tokens: Iterable[str], verdict: ProbeVerdict) -> int:
    return sum(trial.audit.get((kind, token, verdict.value), 0) for token in tokens)


def _by_verdict(trial: TrialProbes, kind: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for (own, _, verdict), number in trial.reads.items():
        if own == kind:
            counts[verdict] = counts.get(verdict, 0) + number
    return counts


def _of(counts: Mapping[tuple[str, str], int], kind: str) -> dict[str, int]:
    return {verdict: number for (own, verdict), number in counts.items() if own == kind}


def _of_all(counts: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """Of all kinds together."""
    total: dict[str, int] = {}
    for (_, verdict), number in counts.items():
        total[verdict] = total.get(verdict, 0) + number
    return total


def _stale(trials: Sequence[Mapping[str, int]]) -> Share:
    return _among(trials, ProbeVerdict.STALE, (ProbeVerdict.STALE, ProbeVerdict.FRESH))


def _among(trials: Sequence[Mapping[str, int]], wanted: ProbeVerdict, judged: Sequence[ProbeVerdict]) -> Share:
    """The wanted of all that were judged."""
    others = [one for one in judged if one is not wanted]
    return _share((one.get(wanted, 0), sum(one.get(other, 0) for other in others)) for one in trials)


def _share(counts: Iterable[tuple[int, int]]) -> Share:
    """From (chosen, others) of each trial."""
    return Share(tuple((chosen, chosen + others) for chosen, others in counts if chosen + others))
