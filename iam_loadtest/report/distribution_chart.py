"""Distribution chart: latency along the percentile axis, one line per trial, the tail drawn out to 99.9 %."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from iam_loadtest.analysis.distribution import WHOLE, Distribution
from iam_loadtest.report.chart_style import LINE_STYLES, Frame, add_axes, label_width_in, new_figure, quiet, shortened
from iam_loadtest.report.palette import Look
from iam_loadtest.report.text import number

BODY_IN = 2.3
LABEL_IN = 0.15
LABEL_CHARACTERS = 14
LOG_FROM_RATIO = 20
_TICKS = {0: "0", 50_000: "50", 80_000: "80", 90_000: "90", 95_000: "95", 99_000: "99", 99_900: "99.9"}

Lines = tuple[str, Look, Sequence[tuple[int, Distribution]]]
"""A topology, its look, and the curves of its trials with their numbers."""


def distribution_figure(title: str, caption: str, topologies: Sequence[Lines]) -> Figure:
    """The figure; latency starts at zero, or is logarithmic (and says so) where the tail is far from the middle."""
    labels = [shortened(name, LABEL_CHARACTERS) for name, _, _ in topologies]
    frame = Frame(0.6, label_width_in(labels), 0.4, 0.48)
    figure, height_in = new_figure(title, caption, BODY_IN, frame)
    axes = add_axes(figure, height_in, frame, frame.top, BODY_IN)
    _dress(axes)
    logarithmic = _set_scale(axes, [curve for _, _, curves in topologies for _, curve in curves])
    axes.set_ylabel("latency, ms, log scale" if logarithmic else "latency, ms")
    for _, look, curves in topologies:
        for trial, curve in curves:
            style = LINE_STYLES[(trial - 1) % len(LINE_STYLES)]
            axes.plot(*_points(curve), color=look.colour, linewidth=1.1, linestyle=style)
    _draw_labels(axes, topologies, labels)
    return figure


def tail_position(part: int) -> float:
    """Where a percentile stands on the axis: 0, 90, 99 and 99.9 % are equally far apart."""
    return -math.log10(1 - part / WHOLE)


def _points(curve: Distribution) -> tuple[list[float], list[float]]:
    return [tail_position(part) for part in curve.positions], [value / 1000 for value in curve.latency_us]


def _dress(axes: Axes) -> None:
    quiet(axes)
    axes.set_xlim(0, tail_position(99_900))
    axes.set_xticks([tail_position(part) for part in _TICKS], list(_TICKS.values()))
    axes.set_xlabel("percentile of successful chains, tail drawn out")


def _set_scale(axes: Axes, curves: Sequence[Distribution]) -> bool:
    highest = max(curve.latency_us[-1] for curve in curves) / 1000
    lowest = min(curve.latency_us[0] for curve in curves) / 1000
    middle = min(curve.latency_us[len(curve.latency_us) // 4] for curve in curves) / 1000
    logarithmic = lowest > 0 and highest / middle > LOG_FROM_RATIO
    if logarithmic:
        axes.set_yscale("log")
        axes.set_ylim(lowest / 1.2, highest * 1.2)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_ylim(0, highest * 1.06)
        axes.locator_params(axis="y", nbins=6)
    return logarithmic


def _draw_labels(axes: Axes, topologies: Sequence[Lines], labels: Sequence[str]) -> None:
    """Each topology's name beside the ends of its lines, moved apart where they would overlap."""
    to_axes = axes.transData + axes.transAxes.inverted()
    wanted = []
    for (_, look, curves), label in zip(topologies, labels, strict=True):
        ends_ms = [curve.latency_us[-1] / 1000 for _, curve in curves]
        height = float(to_axes.transform((0, math.fsum(ends_ms) / len(ends_ms)))[1])
        wanted.append((height, label, look))
    wanted.sort(key=lambda one: one[0])
    heights = spread([height for height, _, _ in wanted], LABEL_IN / BODY_IN)
    for height, (_, label, look) in zip(heights, wanted, strict=True):
        axes.text(
            1.02, height, label, transform=axes.transAxes, va="center",
            fontsize=8, fontweight="bold", color=look.colour,
        )  # fmt: skip


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Rising heights moved at least a gap apart and kept below 1 where they fit."""
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + gap) if placed else height)
    limit = 1.0
    for i in range(len(placed) - 1, -1, -1):
        placed[i] = min(placed[i], limit)
        limit = placed[i] - gap
    return placed
