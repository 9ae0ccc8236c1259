"""Curve chart: a metric over the levels of a numeric factor, every trial a dot, geometric means joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iam_loadtest.analysis.factor import FactorCurve
from iam_loadtest.report.chart_style import (
    LINE_STYLES,
    WIDTH_IN,
    Frame,
    add_axes,
    label_width_in,
    new_figure,
    quiet,
    shortened,
)
from iam_loadtest.report.distribution_chart import spread
from iam_loadtest.report.palette import INK, Look

BODY_IN = 1.9
LABEL_IN = 0.15
LABEL_CHARACTERS = 18
SAMPLE_IN = 0.3

Curve = tuple[str, FactorCurve]
"""What the curve is called at its end, and the curve."""


def curve_figure(
    title: str, axis_label: str, factor: str, caption: str, curves: Sequence[Curve], looks: dict[str, Look]
) -> Figure:
    """The figure from zero; points of unstable cells are hollow and not joined: nothing may be read off them."""
    labels = [shortened(label, LABEL_CHARACTERS) for label, _ in curves]
    frame = Frame(0.6, SAMPLE_IN + label_width_in(labels), 0.4, 0.48)
    figure, height_in = new_figure(title, caption, BODY_IN, frame)
    axes = add_axes(figure, height_in, frame, frame.top, BODY_IN)
    quiet(axes)
    axes.set_xlabel(factor)
    axes.set_ylabel(axis_label)
    axes.set_xticks(sorted({point.level for _, curve in curves for point in curve.points}))
    for index, (_, curve) in enumerate(curves):
        _draw(axes, curve, LINE_STYLES[index % len(LINE_STYLES)], looks)
    axes.set_ylim(0, max(value for _, curve in curves for p in curve.points for value in p.estimate.values) * 1.08)
    _label(axes, curves, labels)
    return figure


def _draw(axes: Axes, curve: FactorCurve, style: Any, looks: dict[str, Look]) -> None:
    joined = [(point.level, point.estimate.value) for point in curve.points if not point.is_unstable]
    known = [(level, value) for level, value in joined if value is not None]
    if known:
        axes.plot(*zip(*known, strict=True), color=INK, linewidth=1.0, linestyle=style)
    for point in curve.points:
        look = looks[point.topology]
        face = "none" if point.is_unstable else look.colour
        axes.scatter(
            [point.level] * point.estimate.trials, point.estimate.values,
            s=20, marker=look.marker, facecolors=face, edgecolors=look.colour, linewidths=0.9, zorder=3, clip_on=False,
        )  # fmt: skip
        if point.estimate.interval:
            axes.vlines(point.level, *point.estimate.interval, colors=INK, linewidth=1.0)


def _label(axes: Axes, curves: Sequence[Curve], labels: Sequence[str]) -> None:
    """Each curve's name beside its end, behind a sample of its line: the last points may be unstable and not joined."""
    top = axes.get_ylim()[1]
    ends = sorted(
        (max(curve.points[-1].estimate.values) / top, index, label)
        for index, ((_, curve), label) in enumerate(zip(curves, labels, strict=True))
    )
    width_in = axes.get_position().width * WIDTH_IN
    for height, (_, index, label) in zip(spread([end for end, *_ in ends], LABEL_IN / BODY_IN), ends, strict=True):
        style = LINE_STYLES[index % len(LINE_STYLES)]
        if label:
            line = [1.03, 1.03 + 0.22 / width_in]
            axes.plot(
                line, [height] * 2, color=INK, linewidth=1.0, linestyle=style, transform=axes.transAxes, clip_on=False
            )
        axes.text(
            1.03 + SAMPLE_IN / width_in,
            height,
            label,
            transform=axes.transAxes,
            va="center",
            fontsize=8,
            fontweight="bold",
        )
