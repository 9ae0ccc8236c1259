"""The charts of a report, each from the summary alone. What would mislead or be empty is not drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from iam_loadtest.analysis.cell import Cell
from iam_loadtest.analysis.comparison import COMPARED, Comparison
from iam_loadtest.analysis.part import ALL_REQUESTS
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.report.chart_style import Chart, draw
from iam_loadtest.report.comparisons import ratio_words
from iam_loadtest.report.consistency import consistency_charts
from iam_loadtest.report.curve_charts import curve_charts
from iam_loadtest.report.dot_chart import DotGroup, DotRow, dot_figure
from iam_loadtest.report.forest_chart import forest_figure
from iam_loadtest.report.load_model import load_words
from iam_loadtest.report.metric import HEADLINE, NAME_OF, Metric
from iam_loadtest.report.palette import Look, looks
from iam_loadtest.report.servers import server_charts
from iam_loadtest.report.share_charts import backend_chart, failure_chart
from iam_loadtest.report.stale_reads import stale_chart
from iam_loadtest.report.text import quoted, with_range
from iam_loadtest.report.trial_charts import distribution_charts, timeline_charts

DOTS = "Each mark is one trial; upright and number are the geometric mean"


def all_charts(summary: RunSummary, comparisons: Sequence[Comparison]) -> list[Chart]:
    """Every chart that has something to show, in the order of the page."""
    return said_once(
        [
            *_headline(summary),
            *_ratios(summary, comparisons),
            *curve_charts(summary),
            *distribution_charts(summary),
            *failure_chart(summary),
            *stale_chart(summary),
            *consistency_charts(summary),
            *_steps(summary),
            *backend_chart(summary),
            *timeline_charts(summary),
            *server_charts(summary),
        ]
    )


def said_once(charts: Sequence[Chart]) -> list[Chart]:
    """The charts, each note with the first one that has it."""
    first = {chart.note: chart.name for chart in reversed(charts)}
    return [chart if first[chart.note] == chart.name else replace(chart, note="") for chart in charts]


def _headline(summary: RunSummary) -> Iterator[Chart]:
    for metric in HEADLINE:
        groups = [_group(summary, metric, workload) for workload in summary.workloads]
        if any(row.estimate.trials or row.excluded for group in groups for row in group.rows):
            caption = _caption(summary, groups)
            alt = f"{metric.title}. {_in_words(groups, metric.unit)}"
            make = partial(dot_figure, metric.title, metric.axis, caption, groups)
            yield draw(metric.name, metric.title, alt, metric.note, make)


def _group(summary: RunSummary, metric: Metric, workload: str) -> DotGroup:
    look = looks(summary.topologies)
    rows = tuple(_row(cell, metric, look[cell.topology]) for cell in summary.of_workload(workload))
    return DotGroup(workload, rows)


def _row(cell: Cell, metric: Metric, look: Look) -> DotRow:
    part = cell.requests if metric.part == ALL_REQUESTS else cell.chain
    values = [metric.of_trial(trial.part(metric.part)) for trial in cell.trials if not trial.is_counted]
    excluded = tuple(value for value in values if value is not None)
    return DotRow(cell.topology, look, metric.of(part), excluded)


def _ratios(summary: RunSummary, comparisons: Sequence[Comparison]) -> Iterator[Chart]:
    for metric in COMPARED:
        own = [one for one in comparisons if one.metric is metric]
        if not any(one.verdict for one in own):
            continue
        name = NAME_OF[metric.name]
        title = f"{name[0].upper()}{name[1:]} relative to {quoted(own[0].baseline)}"
        groups = [(workload, [one for one in own if one.workload == workload]) for workload in summary.workloads]
        groups = [(workload, found) for workload, found in groups if found]
        better = "right of ×1 is better" if metric.more_is_better else "left of ×1 is better"
        caption = (
            f"Ratio of geometric means with 95 % interval over trials, for all topologies of a workload at once. "
            f"Shaded: margin of {own[0].margin * 100:g} %. Load: {load_words(summary)}."
        )
        words = [f"{one.workload}, {one.topology}: {ratio_words(one)}" for one in own]
        alt = f"{title}, ratio with 95 % interval. {'; '.join(words)}."
        note = "An interval that crosses ×1 shows no difference; inside the shaded margin it would not matter."
        axis = f"ratio, log scale ({better})"
        make = partial(forest_figure, title, axis, caption, groups, looks(summary.topologies))
        yield draw(f"ratio_{metric.name}", title, alt, note, make)


def _steps(summary: RunSummary) -> Iterator[Chart]:
    look = looks(summary.topologies)
    groups = [group for workload in summary.workloads for group in _step_groups(summary, workload, look)]
    if not any(row.estimate.trials for group in groups for row in group.rows):
        return
    title = "Latency of single requests, p95 per step"
    axis = "p95 of successful requests, ms (less is better)"
    alt = f"{title}. {_in_words(groups, 'ms')}"
    note = "95 % of the successful requests of a step in a trial took at most this long, send to last byte."
    make = partial(dot_figure, title, axis, _caption(summary, groups), groups)
    yield draw("step_p95", title, alt, note, make)


def _step_groups(summary: RunSummary, workload: str, look: dict[str, Look]) -> list[DotGroup]:
    cells = summary.of_workload(workload)
    names = dict.fromkeys(step.name for cell in cells for step in cell.steps)
    return [
        DotGroup(
            f"{workload}: {name}",
            tuple(
                DotRow(cell.topology, look[cell.topology], step.p95_ms)
                for cell in cells
                for step in cell.steps
                if step.name == name
            ),
        )
        for name in names
    ]


def _caption(summary: RunSummary, groups: list[DotGroup]) -> str:
    crosses = any(row.excluded for group in groups for row in group.rows)
    excluded = "; × marks trials that do not count" if crosses else ""
    intervals = any(row.estimate.interval for group in groups for row in group.rows)
    interval = "; the line is its 95 % interval" if intervals else ""
    hollow = any(row.estimate.is_unstable for group in groups for row in group.rows)
    unstable = "; hollow without a bar: trials too far apart to rank" if hollow else ""
    return f"{DOTS}{interval}{unstable}{excluded}. Load: {load_words(summary)}."


def _in_words(groups: list[DotGroup], unit: str) -> str:
    words = [f"{group.title}, {row.label}: {with_range(row.estimate)}" for group in groups for row in group.rows]
    return f"Geometric mean and range of the trials in {unit}. {'; '.join(words)}."
