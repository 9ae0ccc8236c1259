"""Failure chart: the share of requests that failed, stacked by outcome, per workload and topology."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from iam_loadtest.analysis.cell import Cell
from iam_loadtest.analysis.part import add_outcomes
from iam_loadtest.report.chart_style import (
    HEAD_IN,
    ROW_IN,
    Frame,
    add_axes,
    bare,
    group_heading,
    label_width_in,
    new_figure,
    shortened,
)
from iam_loadtest.report.palette import INK, outcome_colour
from iam_loadtest.report.text import share
from iam_loadtest.results.outcome import Outcome

LEGEND_IN = 0.19


def failure_figure(title: str, caption: str, groups: Sequence[tuple[str, Sequence[Cell]]]) -> Figure:
    """The figure over the counted trials of each cell; the scale starts at zero."""
    cells = [cell for _, own in groups for cell in own]
    outcomes = [name for name in add_outcomes([cell.requests.outcomes for cell in cells]) if name != Outcome.OK]
    legend_in = LEGEND_IN * -(-len(outcomes) // 3) + 0.08
    body_in = HEAD_IN * len(groups) + ROW_IN * len(cells)
    frame = Frame(label_width_in([shortened(cell.topology) for cell in cells]), 0.72, 0.36 + legend_in, 0.48)
    figure, height_in = new_figure(title, caption, body_in, frame)
    axes = add_axes(figure, height_in, frame, frame.top, body_in)
    bare(axes)
    axes.set_xlim(0, max((cell.requests.failure_share or 0 for cell in cells), default=0) * 104 or 1)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel("failed requests, % of all requests (less is better)")
    axes.set_ylim(body_in, 0)
    axes.set_yticks([])
    _draw_groups(axes, groups, outcomes)
    _draw_legend(figure, height_in, outcomes)
    return figure


def _draw_groups(axes: Axes, groups: Sequence[tuple[str, Sequence[Cell]]], outcomes: Sequence[str]) -> None:
    top = 0.0
    for title, cells in groups:
        group_heading(axes, title, top)
        top += HEAD_IN
        for cell in cells:
            _draw_row(axes, cell, top + ROW_IN / 2, outcomes)
            top += ROW_IN


def _draw_row(axes: Axes, cell: Cell, y: float, outcomes: Sequence[str]) -> None:
    beside = axes.get_yaxis_transform()
    axes.text(-0.02, y, shortened(cell.topology), transform=beside, ha="right", va="center", fontsize=8.5)
    left = 0.0
    for name in outcomes:
        part = cell.requests.outcomes.get(name, 0)
        if part and cell.requests.requests:
            width = 100 * part / cell.requests.requests
            axes.barh(y, width, ROW_IN * 0.66, left=left, color=outcome_colour(name), edgecolor=INK, linewidth=0.3)
            left += width
    text = share(cell.requests.failure_share)
    axes.text(1.02, y, text, transform=beside, va="center", fontweight="bold", fontsize=8.5)


def _draw_legend(figure: Figure, height_in: float, outcomes: Sequence[str]) -> None:
    handles = [Patch(facecolor=outcome_colour(name), edgecolor=INK, linewidth=0.3, label=name) for name in outcomes]
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.01, 1 - 0.3 / height_in),
        ncols=min(3, max(1, len(handles))),
        frameon=False,
        fontsize=8,
        handlelength=1.0,
        columnspacing=1.2,
        borderaxespad=0,
    )
