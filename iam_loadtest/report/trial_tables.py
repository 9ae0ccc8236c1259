"""The figures behind the charts that have one line per trial."""

from __future__ import annotations

from collections.abc import Sequence

from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.analysis.trial_summary import TrialSummary
from iam_loadtest.report.table import Column, Entry, Table, figure, whole, words
from iam_loadtest.report.text import seconds

_IDENTITY = (Column("Workload"), Column("Topology"), Column("Trial", True))
_PERCENTILES = ("p50_us", "p80_us", "p95_us", "p99_us", "p99_9_us", "max_us")


def distribution_table(summary: RunSummary) -> Table:
    """One row per counted trial with a successful chain: its percentiles up to the slowest."""
    names = (name.removesuffix("_us").replace("_", ".") for name in _PERCENTILES)
    columns = (*_IDENTITY, Column("Chains", True), *(Column(f"{name} ms", True) for name in names))
    rows = [
        (*_identity(one), whole(one.chain.ok), *(figure(_ms(one, name)) for name in _PERCENTILES))
        for cell in summary.cells
        for one in cell.counted
        if one.chain is not None and one.chain.ok
    ]
    return Table("distributions", "Successful chains of the measured window, trial by trial.", columns, tuple(rows))


def timeline_table(summary: RunSummary) -> Table:
    """One row per trial with a measured window: the lowest and highest of what is drawn over time, inside of it."""
    columns = (
        *_IDENTITY,
        Column("Bin", True),
        Column("Lowest requests/s", True),
        Column("Highest requests/s", True),
        Column("Lowest p95 ms", True),
        Column("Highest p95 ms", True),
        Column("Most failed/s", True),
    )
    rows = [_timeline_row(one) for cell in summary.cells for one in cell.trials if one.timeline and one.window_s]
    caption = (
        "The lowest and highest bin of each trial that lies wholly inside its measured window. Bins of p95 are wider "
        "where chains are few."
    )
    return Table("over-time", caption, columns, tuple(rows))


def steadiness_table(summary: RunSummary) -> Table:
    """One row per trial with a measured window: whether it had settled, and what says so."""
    columns = (
        *_IDENTITY,
        Column("2nd half requests/s", True),
        Column("2nd half p95", True),
        Column("Settled after", True),
        Column("Warm-up", True),
        Column("Verdict"),
    )
    rows = [_steadiness_row(one) for cell in summary.cells for one in cell.trials if one.window_s]
    caption = (
        "2nd half: change from the first to the second half of the measured window. Settled after: how long after the "
        "ramp throughput had settled by the rule MSER-5 (White 1997), n/a where the trial is too short for it; later "
        "than the warm-up means that warming up was measured. A change below 5 % of throughput or 10 % of p95, or "
        "within chance, is steady; in windows under a minute what is not is a caution only."
    )
    return Table("steadiness", caption, columns, tuple(rows))


def _steadiness_row(one: TrialSummary) -> tuple[Entry, ...]:
    found, marks = one.steadiness, one.trial.marks
    warm_up_s = None
    if marks.ramp_end_us is not None and marks.window_start_us is not None:
        warm_up_s = (marks.window_start_us - marks.ramp_end_us) / 1e6
    return (
        *_identity(one),
        _change(found.half_change),
        _change(found.p95_change),
        _seconds(found.settled_s),
        _seconds(warm_up_s),
        Entry("not steady", mark="bad") if found.cautions else words("steady"),
    )


def _change(value: float | None) -> Entry:
    return words(None) if value is None else Entry(f"{100 * value:+.1f} %", value)


def _seconds(value: float | None) -> Entry:
    return words(None) if value is None else Entry(seconds(round(value, 1)), value)


def _timeline_row(one: TrialSummary) -> tuple[Entry, ...]:
    line = one.timeline
    assert line is not None
    ok, failed = (_inside(one, values, line.bin_s) for values in (line.ok_per_s, line.failed_per_s))
    p95 = _inside(one, line.p95_ms, line.p95_bin_s)
    return (
        *_identity(one),
        Entry(f"{line.bin_s} s", line.bin_s),
        *(figure(value) for value in (*_ends(ok), *_ends(p95))),
        figure(max(failed, default=None)),
    )


def _inside(one: TrialSummary, values: Sequence[float | None], width_s: int) -> list[float]:
    marks = one.trial.marks
    first_us, last_us = marks.window_start_us or 0, marks.window_end_us or 0
    bins = enumerate(values)
    inside = (v for i, v in bins if i * width_s * 1e6 >= first_us and (i + 1) * width_s * 1e6 <= last_us)
    return [value for value in inside if value is not None]


def _ends(values: Sequence[float]) -> tuple[float | None, float | None]:
    return min(values, default=None), max(values, default=None)


def _identity(one: TrialSummary) -> tuple[Entry, ...]:
    return words(one.trial.workload), words(one.trial.topology), whole(one.trial.trial)


def _ms(one: TrialSummary, name: str) -> float | None:
    value_us: int | None = getattr(one.chain.latency, name) if one.chain else None
    return None if value_us is None else value_us / 1000
