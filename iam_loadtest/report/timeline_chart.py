"""Timeline chart: throughput, p95 and failures of every trial, with ramp, warm-up and measured window marked."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iam_loadtest.analysis.timeline import Timeline
from iam_loadtest.analysis.trial_summary import TrialSummary
from iam_loadtest.report.chart_style import LINE_STYLES, Frame, add_axes, new_figure, shortened
from iam_loadtest.report.palette import MUTED, Look
from iam_loadtest.report.trial_marks import mark_faults, mark_window

HEIGHT_IN = {"requests/s": 0.72, "p95 ms": 0.58, "failed/s": 0.42}
SMALL_GAP_IN = 0.1
GAP_IN = 0.32

Panel = tuple[str, Look, Sequence[TrialSummary]]


def timeline_figure(title: str, caption: str, panels: Sequence[Panel]) -> Figure:
    """A block per topology, the same scales in all of them, one line per trial; failures where there were any."""
    lines = [trial.timeline for _, _, own in panels for trial in own if trial.timeline]
    highest = {name: _highest(lines, name) for name in HEIGHT_IN}
    shown = [name for name in HEIGHT_IN if highest[name] > 0]
    block_in = sum(HEIGHT_IN[name] for name in shown) + SMALL_GAP_IN * (len(shown) - 1)
    body_in = len(panels) * block_in + (len(panels) - 1) * GAP_IN
    frame = Frame(0.62, 0.12, 0.58, 0.46)
    figure, height_in = new_figure(title, caption, body_in, frame)
    longest_s = max(len(line.ok_per_s) * line.bin_s for line in lines)
    axes = None
    for index, (topology, look, own) in enumerate(panels):
        top_in = frame.top + index * (block_in + GAP_IN)
        for name in shown:
            axes = add_axes(figure, height_in, frame, top_in, HEIGHT_IN[name])
            top_in += HEIGHT_IN[name] + SMALL_GAP_IN
            _dress(axes, name, longest_s, highest[name])
            _draw(axes, name, look, own)
            if name == shown[0]:
                axes.set_title(shortened(topology, 40), loc="left", fontsize=8.5, fontweight="bold", pad=3)
    if axes is not None:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("seconds since the trial began, by the moment of sending")
    return figure


def _series(line: Timeline, name: str) -> tuple[int, Sequence[float | None]]:
    """Width of the bins in seconds and the values of a panel."""
    if name == "p95 ms":
        return line.p95_bin_s, line.p95_ms
    return line.bin_s, line.ok_per_s if name == "requests/s" else line.failed_per_s


def _highest(lines: Sequence[Timeline], name: str) -> float:
    return max((value for line in lines for value in _series(line, name)[1] if value is not None), default=0.0)


def _dress(axes: Axes, name: str, longest_s: float, highest: float) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0, labelbottom=False, labelsize=7)
    axes.set_xlim(0, longest_s)
    axes.set_ylim(0, highest * 1.1)
    axes.locator_params(axis="y", nbins=3)
    axes.set_ylabel(name, fontsize=7)


def _draw(axes: Axes, name: str, look: Look, trials: Sequence[TrialSummary]) -> None:
    whole = next((one.trial for one in trials if one.window_s), None)
    if whole is not None:
        mark_window(axes, whole)
        mark_faults(axes, whole, with_words=name == "requests/s")
    for trial in trials:
        if trial.timeline:
            width_s, values = _series(trial.timeline, name)
            middles_s = [(index + 0.5) * width_s for index in range(len(values))]
            heights = [float("nan") if value is None else value for value in values]
            style = LINE_STYLES[(trial.trial.trial - 1) % len(LINE_STYLES)]
            colour = look.colour if trial.is_counted else MUTED
            axes.plot(middles_s, heights, color=colour, linewidth=1.0, linestyle=style)
