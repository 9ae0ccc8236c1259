"""Heat chart: something by two nodes, one panel per topology, its figure in every square."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from iam_loadtest.report.chart_style import WIDTH_IN, Frame, add_axes, label_width_in, new_figure, shortened
from iam_loadtest.report.palette import INK, SERIES

SQUARE_IN = 0.3
HEAD_IN = 0.62
GAP_IN = 0.2
LABEL_CHARACTERS = 14
CHARACTER_IN = 0.068

Square = tuple[float, str]
"""How dark a square is, from 0 to 1, and what stands in it."""
Panel = tuple[str, Sequence[str], Mapping[tuple[str, str], Square]]
"""A topology, its nodes, and squares by the node of the row and the node of the column; what is not there is empty."""


def heat_figure(title: str, row_label: str, column_label: str, caption: str, panels: Sequence[Panel]) -> Figure:
    """The figure, one panel below the other."""
    heights = [HEAD_IN + SQUARE_IN * len(nodes) + GAP_IN for _, nodes, _ in panels]
    labels = [shortened(node, LABEL_CHARACTERS) for _, nodes, _ in panels for node in nodes]
    frame = Frame(label_width_in(labels) + 0.2, 0.15, 0.42, 0.1)
    figure, height_in = new_figure(title, caption, sum(heights), frame)
    top_in = frame.top
    for (topology, nodes, squares), panel_in in zip(panels, heights, strict=True):
        figure.text(0.02, 1 - top_in / height_in, shortened(topology, 40), va="top", fontsize=8.5, fontweight="bold")
        axes = add_axes(figure, height_in, frame, top_in + HEAD_IN, SQUARE_IN * len(nodes))
        axes.set_title(f"{column_label} →", fontsize=7.5, loc="left", pad=14)
        axes.set_ylabel(f"← {row_label}", fontsize=7.5)
        _draw(axes, nodes, squares, WIDTH_IN - frame.left - frame.right)
        top_in += panel_in
    return figure


def _draw(axes: Axes, nodes: Sequence[str], squares: Mapping[tuple[str, str], Square], width_in: float) -> None:
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_xlim(0, len(nodes))
    axes.set_ylim(len(nodes), 0)
    longest = max((len(text) for _, text in squares.values()), default=0)
    is_narrow = longest * CHARACTER_IN > width_in / len(nodes)
    for row, first in enumerate(nodes):
        for column, then in enumerate(nodes):
            shade, text = squares.get((first, then), (0.0, ""))
            square = Rectangle((column + 0.03, row + 0.05), 0.94, 0.9, color=SERIES[1], alpha=0.08 + 0.7 * shade)
            axes.add_patch(square)
            axes.text(
                column + 0.5, row + 0.5, text.replace(" ", "\n", 1) if is_narrow else text,
                ha="center", va="center", fontsize=6.5 if is_narrow else 8, linespacing=1.0, color=INK,
            )  # fmt: skip
    fits = max(int(width_in / len(nodes) / 0.075), 4)
    middles = [index + 0.5 for index in range(len(nodes))]
    axes.set_xticks(middles, [shortened(node, min(fits, LABEL_CHARACTERS)) for node in nodes])
    axes.set_yticks(middles, [shortened(node, LABEL_CHARACTERS) for node in nodes])
    axes.tick_params(length=0, labelsize=7, labeltop=True, labelbottom=False)
