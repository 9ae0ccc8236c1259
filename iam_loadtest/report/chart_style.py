"""How every chart looks: one width that stays readable at 400 pixels, no pyplot, the same bytes each time."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iam_loadtest.report.palette import CARD, INK, LINE, MUTED

WIDTH_IN = 4.4
CAPTION_IN = 0.135
CAPTION_CHARACTERS = 74
PNG_DPI = 160
ROW_IN = 0.25
HEAD_IN = 0.27
LINE_STYLES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))
"""Trial 1, 2, 3 and 4 of a topology, where each is a line; then again."""

_STYLE: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 8,
    "axes.facecolor": CARD,
    "figure.facecolor": CARD,
    "savefig.facecolor": CARD,
    "grid.color": LINE,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "iam-loadtest",
}


@dataclass(frozen=True)
class Chart:
    """A drawn chart. ``alt`` says in words what it shows; ``note`` is what the page prints below it."""

    name: str
    title: str
    alt: str
    note: str
    svg: str
    png: bytes


def draw(name: str, title: str, alt: str, note: str, make: Callable[[], Figure]) -> Chart:
    """Draw with the common style and render both formats; names in the data are never read as mathematics."""
    with mpl.rc_context(_STYLE):
        figure = make()
        return Chart(name, title, alt, note, _svg(figure), _png(figure))


def _svg(figure: Figure) -> str:
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=PNG_DPI, metadata={"Software": None})
    return file.getvalue()


@dataclass(frozen=True)
class Frame:
    """Space around the axes of a figure, in inches."""

    left: float
    right: float
    top: float
    bottom: float


def new_figure(title: str, caption: str, body_in: float, frame: Frame) -> tuple[Figure, float]:
    """A titled figure with its caption at the foot, and its height in inches."""
    lines = textwrap.wrap(caption, CAPTION_CHARACTERS, break_on_hyphens=False)
    height_in = frame.top + body_in + frame.bottom + CAPTION_IN * len(lines)
    figure = Figure(figsize=(WIDTH_IN, height_in))
    figure.text(0.02, 1 - 0.08 / height_in, title, va="top", fontsize=10.5, fontweight="bold")
    figure.text(0.02, 0.05 / height_in, "\n".join(lines), va="bottom", fontsize=7.3, color=MUTED)
    return figure, height_in


def add_axes(figure: Figure, height_in: float, frame: Frame, body_top_in: float, body_in: float) -> Axes:
    """Axes that start ``body_top_in`` below the figure's upper edge."""
    width = WIDTH_IN - frame.left - frame.right
    bottom = height_in - body_top_in - body_in
    return figure.add_axes((frame.left / WIDTH_IN, bottom / height_in, width / WIDTH_IN, body_in / height_in))


def bare(axes: Axes) -> None:
    """Only a quiet horizontal scale with its grid."""
    quiet(axes, "x")
    axes.spines["left"].set_visible(False)


def quiet(axes: Axes, grid: Literal["both", "x", "y"] = "both") -> None:
    """Axes without a box and marks, above a thin grid."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    axes.set_axisbelow(True)
    axes.grid(axis=grid, linewidth=0.6)


def group_heading(axes: Axes, title: str, top: float) -> None:
    """The heading of a group of rows, at the figure's left edge; ``top`` in the units of the vertical scale."""
    axes.annotate(
        shortened(title, 40),
        (0, top + HEAD_IN * 0.62),
        xycoords=("figure fraction", "data"),
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
        fontweight="bold",
        annotation_clip=False,
        bbox={"facecolor": CARD, "edgecolor": "none", "pad": 1.0},
    )


LEGEND_ROW_IN = 0.17
_FOUR_FIT = 11
_THREE_FIT = 16


def legend_columns(names: Sequence[str]) -> int:
    """How many columns of a legend fit beside each other."""
    longest = max(map(len, names), default=0)
    return 4 if longest <= _FOUR_FIT else 3 if longest <= _THREE_FIT else 2


def legend_height_in(names: Sequence[str]) -> float:
    """The height of a legend of these names below the title."""
    return LEGEND_ROW_IN * -(-len(names) // legend_columns(names)) + 0.1


def legend(figure: Figure, height_in: float, handles: Mapping[str, Any]) -> None:
    """A legend below the title: what each name is drawn as."""
    names = list(handles)
    figure.legend(
        list(handles.values()),
        [shortened(name) for name in names],
        loc="upper left",
        ncols=legend_columns(names),
        frameon=False,
        fontsize=8,
        borderpad=0,
        columnspacing=1.2,
        handletextpad=0.3,
        labelspacing=0.25,
        bbox_to_anchor=(0.01, 1 - 0.3 / height_in),
    )


def shortened(text: str, limit: int = 24) -> str:
    """The text, cut in the middle where it would not fit: names of topologies often differ at their ends."""
    if len(text) <= limit:
        return text
    tail = (limit - 1) * 2 // 5
    return f"{text[: limit - 1 - tail]}…{text[-tail:]}"


def label_width_in(labels: list[str]) -> float:
    """Space for row labels at their size, in inches."""
    return 0.16 + 0.078 * max((len(label) for label in labels), default=0)
