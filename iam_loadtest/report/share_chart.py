"""Share chart: bars of parts stacked to a share of all requests, one per topology, grouped by workload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from iam_loadtest.analysis.contrast import Interval
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
from iam_loadtest.report.palette import INK

LEGEND_IN = 0.19


@dataclass(frozen=True)
class ShareRow:
    """One bar: its parts as shares of 1 in the order they are stacked, the text at its end, and the sum's interval."""

    label: str
    parts: Mapping[str, float]
    text: str
    interval: Interval | None = None

    @property
    def end(self) -> float:
        """The share that the scale must reach."""
        return max(sum(self.parts.values()), self.interval[1] if self.interval else 0)


def share_figure(
    title: str,
    axis_label: str,
    caption: str,
    colours: Mapping[str, str],
    groups: Sequence[tuple[str, Sequence[ShareRow]]],
) -> Figure:
    """The figure, in per cent from zero; ``colours`` names every part in the order of the legend."""
    rows = [row for _, own in groups for row in own]
    legend_in = LEGEND_IN * -(-len(colours) // 3) + 0.08
    body_in = HEAD_IN * len(groups) + ROW_IN * len(rows)
    frame = Frame(label_width_in([shortened(row.label) for row in rows]), 0.72, 0.36 + legend_in, 0.48)
    figure, height_in = new_figure(title, caption, body_in, frame)
    axes = add_axes(figure, height_in, frame, frame.top, body_in)
    bare(axes)
    axes.set_xlim(0, max((row.end for row in rows), default=0) * 104 or 1)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlabel(axis_label)
    axes.set_ylim(body_in, 0)
    axes.set_yticks([])
    _draw_groups(axes, groups, colours)
    _draw_legend(figure, height_in, colours)
    return figure


def _draw_groups(axes: Axes, groups: Sequence[tuple[str, Sequence[ShareRow]]], colours: Mapping[str, str]) -> None:
    top = 0.0
    for title, rows in groups:
        group_heading(axes, title, top)
        top += HEAD_IN
        for row in rows:
            _draw_row(axes, row, top + ROW_IN / 2, colours)
            top += ROW_IN


def _draw_row(axes: Axes, row: ShareRow, y: float, colours: Mapping[str, str]) -> None:
    beside = axes.get_yaxis_transform()
    axes.text(-0.02, y, shortened(row.label), transform=beside, ha="right", va="center", fontsize=8.5)
    left = 0.0
    for name, part in row.parts.items():
        axes.barh(y, 100 * part, ROW_IN * 0.66, left=left, color=colours[name], edgecolor=INK, linewidth=0.3)
        left += 100 * part
    if row.interval:
        axes.hlines(y, 100 * row.interval[0], 100 * row.interval[1], colors=INK, linewidth=1.0)
    axes.text(1.02, y, row.text, transform=beside, va="center", fontweight="bold", fontsize=8.5)


def _draw_legend(figure: Figure, height_in: float, colours: Mapping[str, str]) -> None:
    handles = [
        Patch(facecolor=colour, edgecolor=INK, linewidth=0.3, label=shortened(name)) for name, colour in colours.items()
    ]
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
