"""Charts with one line per trial: the latency distribution, and what happened over time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from iam_loadtest.analysis.distribution import SLOWER_ROWS, Distribution
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.report.chart_style import Chart, draw
from iam_loadtest.report.distribution_chart import distribution_figure
from iam_loadtest.report.load_model import load_words
from iam_loadtest.report.palette import looks
from iam_loadtest.report.text import listed, number
from iam_loadtest.report.timeline_chart import timeline_figure


def distribution_charts(summary: RunSummary) -> Iterator[Chart]:
    """One per workload: the chains of every counted trial, topologies in one picture."""
    look = looks(summary.topologies)
    for index, workload in enumerate(summary.workloads, 1):
        curves = [
            (cell.topology, look[cell.topology], _curves)
            for cell in summary.of_workload(workload)
            if (_curves := [(one.trial.trial, one.distribution) for one in cell.counted if one.distribution])
        ]
        if not curves:
            continue
        title = f"Latency distribution: {workload}"
        caption = (
            "Successful chains of counted trials, solid, dashed, dotted: trial 1, 2, 3; a line ends where fewer than "
            f"{SLOWER_ROWS} chains are slower. Load: {load_words(summary)}."
        )
        words = [f"{topology} {_ends(own)}" for topology, _, own in curves]
        alt = f"{title}, by percentile. The slowest of each line, over trials: {'; '.join(words)}."
        note = (
            "Read upwards from 95: that is the p95 of each trial. A step or a knee in the tail is a cause of its own, "
            "such as a timeout, a retry or a full pool."
        )
        yield draw(f"distribution_{index}", title, alt, note, partial(distribution_figure, title, caption, curves))


def _ends(curves: list[tuple[int, Distribution]]) -> str:
    last = [curve.latency_us[-1] / 1000 for _, curve in curves]
    return f"{number(min(last))} ms" if len(last) == 1 else f"{number(min(last))} to {number(max(last))} ms"


def timeline_charts(summary: RunSummary) -> Iterator[Chart]:
    """One per workload: throughput, p95 and failures of every trial that ended, counted or not."""
    look = looks(summary.topologies)
    for index, workload in enumerate(summary.workloads, 1):
        cells = [cell for cell in summary.of_workload(workload) if any(one.timeline for one in cell.trials)]
        if not cells:
            continue
        title = f"Over time: {workload}"
        panels = [(cell.topology, look[cell.topology], cell.trials) for cell in cells]
        caption = (
            "Successful requests/s, p95 of the chains that started then, and failed requests/s where there were any. "
            "Solid, dashed, dotted: trial 1, 2, 3; grey lines do not count. Shaded: measured window; "
            f"dotted upright: end of the ramp. Load: {load_words(summary)}."
        )
        if any(one.trial.faults for cell in cells for one in cell.trials):
            caption = f"{caption} Red: faults, as the first trial met them."
        alt = f"{title}, one line per trial for {listed([cell.topology for cell in cells])}, measured window shaded."
        note = (
            "Steady lines inside the shaded window are what the figures rest on; a slope or a hole there is a caution."
        )
        yield draw(f"timeline_{index}", title, alt, note, partial(timeline_figure, title, caption, panels))
