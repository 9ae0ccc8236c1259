"""Server chart: CPU, requests and conflicts of every node of a trial over time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from iam_loadtest.analysis.server import NodeSeries, Point
from iam_loadtest.report.chart_style import LINE_STYLES, Frame, add_axes, new_figure, shortened
from iam_loadtest.report.palette import INK, NODE_LINES, node_colours
from iam_loadtest.report.trial_marks import mark_faults, mark_window
from iam_loadtest.results.trial import Trial

HEIGHT_IN = 0.62
SMALL_GAP_IN = 0.1
GAP_IN = 0.32
LEGEND_IN = 0.17
_COLUMNS = 3
GAP_S = 2.5
"""Rows further apart than that had a second without an answer between them: the line is broken there."""

_VALUES: Mapping[str, Callable[[NodeSeries], Sequence[Point]]] = {
    "CPU %": lambda one: one.cpu_percent,
    "requests/s": lambda one: one.requests_per_s,
    "conflicts/s": lambda one: one.conflicts_per_s,
}


@dataclass(frozen=True)
class ServerPanel:
    """The nodes of one trial of a topology."""

    topology: str
    nodes: tuple[NodeSeries, ...]
    trial: Trial


def server_figure(title: str, caption: str, panels: Sequence[ServerPanel]) -> Figure:
    """A block per topology, a row of it for each value that is not zero throughout; a line per node."""
    names = sorted({one.node for panel in panels for one in panel.nodes})
    highest = {name: _highest(panels, name) for name in _VALUES}
    shown = [name for name in _VALUES if highest[name] > 0]
    legend_in = LEGEND_IN * -(-len(names) // _COLUMNS) + 0.08
    block_in = HEIGHT_IN * len(shown) + SMALL_GAP_IN * (len(shown) - 1)
    body_in = len(panels) * block_in + (len(panels) - 1) * GAP_IN
    frame = Frame(0.62, 0.12, 0.58 + legend_in, 0.46)
    figure, height_in = new_figure(title, caption, body_in, frame)
    styles = _styles(names)
    axes = None
    for index, panel in enumerate(panels):
        top_in = frame.top + index * (block_in + GAP_IN)
        for name in shown:
            axes = add_axes(figure, height_in, frame, top_in, HEIGHT_IN)
            top_in += HEIGHT_IN + SMALL_GAP_IN
            _draw(axes, name, panel, styles, highest[name])
            if name == shown[0]:
                axes.set_title(shortened(panel.topology, 40), loc="left", fontsize=8.5, fontweight="bold", pad=3)
    if axes is not None:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("seconds since the trial began")
    _legend(figure, styles, height_in)
    return figure


def _draw(axes: Axes, name: str, panel: ServerPanel, styles: Mapping[str, tuple[str, object]], highest: float) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0, labelbottom=False, labelsize=7)
    axes.set_ylim(0, highest * 1.1)
    axes.set_xlim(0, (panel.trial.marks.ended_us or panel.trial.marks.window_end_us or 1_000_000) / 1e6)
    axes.locator_params(axis="y", nbins=3)
    axes.set_ylabel(name, fontsize=7)
    mark_window(axes, panel.trial)
    mark_faults(axes, panel.trial)
    for one in panel.nodes:
        colour, style = styles[one.node]
        moments, values = _broken(_VALUES[name](one))
        axes.plot(moments, values, color=colour, linewidth=1.0, linestyle=style)


def _broken(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    moments: list[float] = []
    values: list[float] = []
    for at_s, value in points:
        if moments and at_s - moments[-1] > GAP_S:
            moments.append(at_s)
            values.append(float("nan"))
        moments.append(at_s)
        values.append(value)
    return moments, values


def _styles(names: Sequence[str]) -> dict[str, tuple[str, object]]:
    """A colour for each kind of node in turn, and another line where colours begin again."""
    colours = node_colours(names, NODE_LINES)
    fresh = len(set(colours.values()))
    return {name: (colours[name], LINE_STYLES[(i // fresh) % len(LINE_STYLES)]) for i, name in enumerate(names)}


def _legend(figure: Figure, styles: Mapping[str, tuple[str, object]], height_in: float) -> None:
    lines = [Line2D([], [], color=colour, linestyle=style) for colour, style in styles.values()]  # type: ignore[arg-type]
    figure.legend(
        lines,
        [shortened(name, 18) for name in styles],
        loc="upper left",
        bbox_to_anchor=(0.01, 1 - 0.26 / height_in),
        ncols=_COLUMNS,
        frameon=False,
        fontsize=7,
        labelcolor=INK,
        handlelength=1.6,
        columnspacing=1.2,
        borderpad=0,
    )


def _highest(panels: Sequence[ServerPanel], name: str) -> float:
    return max((value for panel in panels for one in panel.nodes for _, value in _VALUES[name](one)), default=0.0)
