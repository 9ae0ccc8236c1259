"""Forest chart: the ratio of each topology to the baseline with its interval; one is no difference."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from iam_loadtest.analysis.comparison import Comparison
from iam_loadtest.report.chart_style import (
    HEAD_IN,
    ROW_IN,
    WIDTH_IN,
    Frame,
    add_axes,
    bare,
    group_heading,
    label_width_in,
    new_figure,
    shortened,
)
from iam_loadtest.report.palette import INK, SHADE, Look
from iam_loadtest.report.text import number

VERDICT_IN = 1.35
TICK_IN = 0.36
_ROUND = (1, 2, 0.5, 5, 0.2, 10, 0.1, 20, 0.05, 50, 0.02, 100, 0.01, 1.5, 0.7, 3, 0.3, 1.2, 0.85, 1.1, 0.9, 1.05, 0.95)


def forest_figure(
    title: str,
    axis_label: str,
    caption: str,
    groups: Sequence[tuple[str, Sequence[Comparison]]],
    look: dict[str, Look],
) -> Figure:
    """The figure on a logarithmic scale, so that twice and half are equally far from one; ranked comparisons only."""
    rows = [one for _, own in groups for one in own]
    body_in = HEAD_IN * len(groups) + ROW_IN * len(rows)
    frame = Frame(label_width_in([shortened(one.topology) for one in rows]), VERDICT_IN, 0.36, 0.48)
    figure, height_in = new_figure(title, caption, body_in, frame)
    axes = add_axes(figure, height_in, frame, frame.top, body_in)
    bare(axes)
    _set_scale(axes, rows, WIDTH_IN - frame.left - frame.right)
    axes.set_xlabel(axis_label)
    axes.set_ylim(body_in, 0)
    axes.set_yticks([])
    top = 0.0
    for heading, own in groups:
        group_heading(axes, heading, top)
        top += HEAD_IN
        for one in own:
            _draw_row(axes, one, look[one.topology], top + ROW_IN / 2)
            top += ROW_IN
    return figure


def _set_scale(axes: Axes, rows: Sequence[Comparison], width_in: float) -> None:
    bounds = [bound for one in rows for bound in (one.low, one.high, one.ratio) if bound]
    margin = 1 + rows[0].margin
    low, high = min([*bounds, 1 / margin]) / 1.05, max([*bounds, margin]) * 1.05
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.axvspan(1 / margin, margin, color=SHADE, linewidth=0, zorder=0)
    axes.axvline(1, color=INK, linewidth=0.9)
    axes.set_xticks(ticks(low, high, width_in), minor=False)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"×{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def ticks(low: float, high: float, width_in: float) -> list[float]:
    """Ratios to name on a logarithmic axis: round ones first, as many as do not touch."""
    chosen: list[float] = []
    for value in _ROUND:
        position = width_in * math.log(value / low) / math.log(high / low)
        taken = [width_in * math.log(other / low) / math.log(high / low) for other in chosen]
        if low <= value <= high and all(abs(position - other) >= TICK_IN for other in taken):
            chosen.append(value)
    return sorted(chosen)


def _draw_row(axes: Axes, one: Comparison, look: Look, y: float) -> None:
    beside = axes.get_yaxis_transform()
    axes.text(-0.02, y, shortened(one.topology), transform=beside, ha="right", va="center", fontsize=8.5)
    if one.low and one.high and one.ratio:
        axes.hlines(y, one.low, one.high, colors=look.colour, linewidth=2)
        axes.scatter([one.ratio], [y], s=26, marker=look.marker, color=look.colour, edgecolors="none", zorder=3)
    text = f"×{number(one.ratio)} {one.verdict}" if one.verdict else "not ranked"
    axes.text(1.03, y, text, transform=beside, va="center", fontsize=8)
