"""Dot chart: every trial as a dot, a bar to the geometric mean and its number, grouped by workload."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iam_loadtest.analysis.estimate import Estimate
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
from iam_loadtest.report.palette import CARD, INK, MUTED, Look
from iam_loadtest.report.text import NO_DATA, number

LOG_FROM_RATIO = 60


@dataclass(frozen=True)
class DotRow:
    """One row: the counted trials as an estimate, and the values of trials that do not count."""

    label: str
    look: Look
    estimate: Estimate
    excluded: tuple[float, ...] = ()


@dataclass(frozen=True)
class DotGroup:
    """Rows under one heading."""

    title: str
    rows: tuple[DotRow, ...]


def dot_figure(title: str, axis_label: str, caption: str, groups: Sequence[DotGroup]) -> Figure:
    """The figure; the scale starts at zero, or is logarithmic (and says so) where values are far apart."""
    rows = [row for group in groups for row in group.rows]
    body_in = HEAD_IN * len(groups) + ROW_IN * len(rows)
    frame = Frame(label_width_in([shortened(row.label) for row in rows]), 0.62, 0.36, 0.48)
    figure, height_in = new_figure(title, caption, body_in, frame)
    axes = add_axes(figure, height_in, frame, frame.top, body_in)
    bare(axes)
    logarithmic = _set_scale(axes, rows)
    axes.set_xlabel(f"{axis_label}, log scale" if logarithmic else axis_label)
    axes.set_ylim(body_in, 0)
    axes.set_yticks([])
    _draw_groups(axes, groups, logarithmic)
    return figure


def _set_scale(axes: Axes, rows: Sequence[DotRow]) -> bool:
    values = [value for row in rows for value in (*row.estimate.values, *row.excluded, *(row.estimate.interval or ()))]
    highest = max(values, default=0)
    lowest = min((value for value in values if value > 0), default=0)
    logarithmic = lowest > 0 and min(values) > 0 and highest / lowest > LOG_FROM_RATIO
    if logarithmic:
        axes.set_xscale("log")
        axes.set_xlim(lowest / 1.5, highest * 1.5)
    else:
        axes.set_xlim(0, highest * 1.04 or 1)
        axes.locator_params(axis="x", nbins=5)
    return logarithmic


def _draw_groups(axes: Axes, groups: Sequence[DotGroup], logarithmic: bool) -> None:
    top = 0.0
    for group in groups:
        group_heading(axes, group.title, top)
        top += HEAD_IN
        for row in group.rows:
            _draw_row(axes, row, top + ROW_IN / 2, logarithmic)
            top += ROW_IN


def _draw_row(axes: Axes, row: DotRow, y: float, logarithmic: bool) -> None:
    one = row.estimate
    beside = axes.get_yaxis_transform()
    axes.text(-0.02, y, shortened(row.label), transform=beside, ha="right", va="center", fontsize=8.5)
    if one.value is not None:
        if not (logarithmic or one.is_unstable):
            axes.barh(y, one.value, ROW_IN * 0.62, color=row.look.colour, alpha=0.22, linewidth=0)
        axes.vlines(one.value, y - ROW_IN * 0.34, y + ROW_IN * 0.34, colors=INK, linewidth=1.6)
    if one.interval:
        axes.hlines(y, *one.interval, colors=INK, linewidth=1.0)
    _draw_trials(axes, row, y)
    label = NO_DATA if not one.trials else "varies" if one.value is None else number(one.value)
    axes.text(1.02, y, label, transform=beside, va="center", fontweight="bold", fontsize=8.5)


def _draw_trials(axes: Axes, row: DotRow, y: float) -> None:
    """A dot for each counted trial, hollow where they are unstable, and a cross for each that does not count."""
    heights = [y + offset for offset in _offsets(row.estimate.trials)]
    face = CARD if row.estimate.is_unstable else row.look.colour
    dots: dict[str, Any] = {"s": 20, "marker": row.look.marker, "facecolors": face, "edgecolors": row.look.colour}
    axes.scatter(row.estimate.values, heights, zorder=3, clip_on=False, linewidths=0.9, **dots)
    if row.excluded:
        crosses: dict[str, Any] = {"s": 18, "marker": "x", "color": MUTED, "linewidths": 1.1}
        axes.scatter(row.excluded, [y] * len(row.excluded), zorder=3, clip_on=False, **crosses)


def _offsets(count: int) -> list[float]:
    """Small shifts so that equal trials stay visible."""
    return [(i - (count - 1) / 2) * min(0.055, 0.16 / max(count, 1)) for i in range(count)]
