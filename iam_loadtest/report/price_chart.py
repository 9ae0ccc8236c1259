"""Price chart: latency of each topology against the share of its reads that were stale; lower left is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from iam_loadtest.analysis.consistency import Share
from iam_loadtest.analysis.estimate import Estimate
from iam_loadtest.report.chart_style import Frame, add_axes, legend, legend_height_in, new_figure, quiet
from iam_loadtest.report.palette import Look

BODY_IN = 1.9


@dataclass(frozen=True)
class PricePoint:
    """One topology under one workload: its stale reads at once, of all probes together, and p95 of the chain in ms."""

    topology: str
    stale: Share
    p95_ms: Estimate


def price_figure(title: str, caption: str, points: Sequence[PricePoint], looks: dict[str, Look]) -> Figure:
    """The figure from zero on both axes; points of unstable trials are hollow, their place is not to be relied on."""
    frame = Frame(0.6, 0.2, 0.36 + legend_height_in([point.topology for point in points]), 0.48)
    figure, height_in = new_figure(title, caption, BODY_IN, frame)
    axes = add_axes(figure, height_in, frame, frame.top, BODY_IN)
    quiet(axes)
    axes.set_xlabel("stale reads at once, %")
    axes.set_ylabel("chain p95, ms")
    legend(figure, height_in, {point.topology: _draw(axes, point, looks[point.topology]) for point in points})
    axes.set_xlim(0, max(1.0, max(_highest_share(point) for point in points) * 104))
    axes.set_ylim(0, max(value for point in points for value in _heights(point)) * 1.08)
    return figure


def _draw(axes: Axes, point: PricePoint, look: Look) -> PathCollection:
    """The point with its intervals; what the legend shows of it."""
    share, p95_ms = 100 * (point.stale.value or 0.0), point.p95_ms.value or 0.0
    face = "none" if point.p95_ms.is_unstable else look.colour
    mark = axes.scatter(
        [share], [p95_ms], s=30, marker=look.marker, facecolors=face, edgecolors=look.colour, zorder=3, clip_on=False
    )
    if point.stale.interval:
        low, high = point.stale.interval
        axes.hlines(p95_ms, 100 * low, 100 * high, colors=look.colour, linewidth=1.0)
    if point.p95_ms.interval:
        axes.vlines(share, *point.p95_ms.interval, colors=look.colour, linewidth=1.0)
    return mark


def _highest_share(point: PricePoint) -> float:
    _, highest = point.stale.interval or (0.0, 0.0)
    return max(point.stale.value or 0.0, highest)


def _heights(point: PricePoint) -> tuple[float, ...]:
    return (point.p95_ms.value or 0.0, *(point.p95_ms.interval or ()))
