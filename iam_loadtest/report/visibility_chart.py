"""Visibility chart: which share of reads was fresh, by the time since the write; a panel per probe."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iam_loadtest.analysis.consistency import VisibilityPoint
from iam_loadtest.analysis.probe import BINS_MS
from iam_loadtest.report.chart_style import Frame, add_axes, new_figure
from iam_loadtest.report.palette import Look

PANEL_IN = 1.15
HEAD_IN = 0.3
LEGEND_IN = 0.3

Line = tuple[str, Sequence[VisibilityPoint]]
"""A topology and its points."""


def visibility_figure(
    title: str, caption: str, panels: Sequence[tuple[str, Sequence[Line]]], looks: dict[str, Look]
) -> Figure:
    """The figure; topologies stand a little apart at each delay, so that none hides another."""
    frame = Frame(0.55, 0.15, 0.36 + LEGEND_IN, 0.5)
    figure, height_in = new_figure(title, caption, (PANEL_IN + HEAD_IN) * len(panels), frame)
    for number, (kind, lines) in enumerate(panels):
        top_in = frame.top + HEAD_IN + number * (PANEL_IN + HEAD_IN)
        axes = add_axes(figure, height_in, frame, top_in, PANEL_IN)
        _style(axes, kind, is_last=number == len(panels) - 1)
        for place, (topology, points) in enumerate(lines):
            shift = 0.12 * (place - (len(lines) - 1) / 2)
            _draw(axes, points, looks[topology], shift, topology)
    names = {topology: None for _, lines in panels for topology, _ in lines}
    handles = {
        label: handle for axes in figure.axes for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        [handles[name] for name in names], list(names), loc="upper left", ncols=4, frameon=False, fontsize=8,
        bbox_to_anchor=(0.01, 1 - 0.28 / height_in),
    )  # fmt: skip
    return figure


def _style(axes: Axes, kind: str, is_last: bool) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    axes.set_axisbelow(True)
    axes.grid(axis="y", linewidth=0.6)
    axes.set_title(kind, fontsize=8.5, loc="left", fontweight="bold")
    axes.set_xlim(-0.5, len(BINS_MS) - 0.5)
    axes.set_ylim(0, 104)
    axes.set_yticks([0, 50, 100])
    axes.set_ylabel("fresh, %")
    axes.set_xticks(range(len(BINS_MS)), [f"{ms}" for ms in BINS_MS] if is_last else [])
    if is_last:
        axes.set_xlabel("ms since the acknowledgement of the write, up to the next mark")


def _draw(axes: Axes, points: Sequence[VisibilityPoint], look: Look, shift: float, label: str) -> None:
    places = [BINS_MS.index(point.from_ms) + shift for point in points]
    axes.plot(places, [100 * point.smoothed for point in points], color=look.colour, linewidth=1.0, alpha=0.7)
    values = [100 * (point.fresh.value or 0) for point in points]
    axes.scatter(places, values, s=14, marker=look.marker, color=look.colour, zorder=3, label=label, clip_on=False)
    for place, point in zip(places, points, strict=True):
        if point.fresh.interval:
            low, high = point.fresh.interval
            axes.vlines(place, 100 * low, 100 * high, colors=look.colour, linewidth=0.9, alpha=0.7)
