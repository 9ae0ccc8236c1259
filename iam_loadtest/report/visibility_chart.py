"""Visibility chart: which share of reads was fresh, by the time since the write; a panel per probe."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from iam_loadtest.analysis.consistency import VisibilityPoint
from iam_loadtest.analysis.probe import BINS_MS
from iam_loadtest.report.chart_style import Frame, add_axes, legend, legend_height_in, new_figure, quiet
from iam_loadtest.report.palette import Look

PANEL_IN = 1.15
HEAD_IN = 0.3
APART = 0.12
MOST_WITH_INTERVALS = 5
"""More topologies than that in a panel would hide each other's points behind their intervals."""
MOST_APART = 0.7
"""Topologies stand so far apart at each delay, all of them together at most so far: one delay is 1."""

Line = tuple[str, Sequence[VisibilityPoint]]
"""A topology and its points."""


def visibility_figure(
    title: str, caption: str, panels: Sequence[tuple[str, Sequence[Line]]], looks: dict[str, Look]
) -> Figure:
    """The figure; topologies stand a little apart at each delay, so that none hides another."""
    names = list(dict.fromkeys(topology for _, lines in panels for topology, _ in lines))
    frame = Frame(0.55, 0.15, 0.36 + legend_height_in(names), 0.5)
    figure, height_in = new_figure(title, caption, (PANEL_IN + HEAD_IN) * len(panels), frame)
    handles: dict[str, PathCollection] = {}
    for number, (kind, lines) in enumerate(panels):
        top_in = frame.top + HEAD_IN + number * (PANEL_IN + HEAD_IN)
        axes = add_axes(figure, height_in, frame, top_in, PANEL_IN)
        _style(axes, kind, is_last=number == len(panels) - 1)
        apart = min(APART, MOST_APART / len(lines))
        for place, (topology, points) in enumerate(lines):
            shift = apart * (place - (len(lines) - 1) / 2)
            handles[topology] = _draw(axes, points, looks[topology], shift)
            if has_intervals(panels):
                _draw_intervals(axes, points, looks[topology], shift)
    legend(figure, height_in, handles)
    return figure


def has_intervals(panels: Sequence[tuple[str, Sequence[Line]]]) -> bool:
    """Whether intervals are drawn."""
    return all(len(lines) <= MOST_WITH_INTERVALS for _, lines in panels)


def _style(axes: Axes, kind: str, is_last: bool) -> None:
    quiet(axes, "y")
    axes.set_title(kind, fontsize=8.5, loc="left", fontweight="bold")
    axes.set_xlim(-0.5, len(BINS_MS) - 0.5)
    axes.set_ylim(0, 104)
    axes.set_yticks([0, 50, 100])
    axes.set_ylabel("fresh, %")
    axes.set_xticks(range(len(BINS_MS)), [f"{ms}" for ms in BINS_MS] if is_last else [])
    if is_last:
        axes.set_xlabel("ms since the acknowledgement of the write, up to the next mark")


def _draw(axes: Axes, points: Sequence[VisibilityPoint], look: Look, shift: float) -> PathCollection:
    """The points of a topology; what the legend shows of them."""
    places = [BINS_MS.index(point.from_ms) + shift for point in points]
    axes.plot(places, [100 * point.smoothed for point in points], color=look.colour, linewidth=1.0, alpha=0.7)
    values = [100 * (point.fresh.value or 0) for point in points]
    return axes.scatter(places, values, s=14, marker=look.marker, color=look.colour, zorder=3, clip_on=False)


def _draw_intervals(axes: Axes, points: Sequence[VisibilityPoint], look: Look, shift: float) -> None:
    for point in points:
        if point.fresh.interval:
            low, high = point.fresh.interval
            place = BINS_MS.index(point.from_ms) + shift
            axes.vlines(place, 100 * low, 100 * high, colors=look.colour, linewidth=0.9, alpha=0.7)
