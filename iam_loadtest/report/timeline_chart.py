"""Timeline chart: successful requests per second of every trial, with ramp, warm-up and measured window marked."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from iam_loadtest.analysis.timeline import Timeline
from iam_loadtest.analysis.trial_summary import TrialSummary
from iam_loadtest.report.chart_style import Frame, add_axes, new_figure, shortened
from iam_loadtest.report.palette import INK, MUTED, SHADE, Look

PANEL_IN = 0.95
GAP_IN = 0.3
LINE_STYLES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))


def timeline_figure(title: str, caption: str, panels: Sequence[tuple[str, Look, Sequence[TrialSummary]]]) -> Figure:
    """One panel per topology on common scales, one line per trial; failures are the thin line at the foot."""
    body_in = len(panels) * PANEL_IN + (len(panels) - 1) * GAP_IN
    frame = Frame(0.55, 0.12, 0.58, 0.46)
    figure, height_in = new_figure(title, caption, body_in, frame)
    trials = [trial for _, _, own in panels for trial in own]
    highest = max((max(trial.timeline.ok_per_s) for trial in trials if trial.timeline), default=0.0)
    longest_s = max((_length_s(trial) for trial in trials), default=1.0)
    for index, (name, look, own) in enumerate(panels):
        top_in = frame.top + index * (PANEL_IN + GAP_IN)
        axes = add_axes(figure, height_in, frame, top_in, PANEL_IN)
        axes.set_xlim(0, longest_s)
        axes.set_ylim(0, highest * 1.1 or 1)
        _draw_panel(axes, name, look, own)
        if index < len(panels) - 1:
            axes.tick_params(labelbottom=False)
        else:
            axes.set_xlabel("seconds since the trial began; requests at the moment they were sent")
    return figure


def _draw_panel(axes: Axes, name: str, look: Look, trials: Sequence[TrialSummary]) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    axes.locator_params(axis="y", nbins=4)
    axes.set_title(shortened(name, 40), loc="left", fontsize=8.5, fontweight="bold", pad=3)
    axes.set_ylabel("requests/s", fontsize=7)
    _mark_window(axes, trials)
    for trial in trials:
        if trial.timeline:
            _draw_trial(axes, trial, trial.timeline, look)


def _mark_window(axes: Axes, trials: Sequence[TrialSummary]) -> None:
    marks = next((one.trial.marks for one in trials if one.window_s), None)
    if marks is None or marks.window_start_us is None or marks.window_end_us is None:
        return
    axes.axvspan(marks.window_start_us / 1e6, marks.window_end_us / 1e6, color=SHADE, linewidth=0, zorder=0)
    if marks.ramp_end_us is not None:
        axes.axvline(marks.ramp_end_us / 1e6, color=MUTED, linewidth=0.7, linestyle=":")


def _draw_trial(axes: Axes, trial: TrialSummary, line: Timeline, look: Look) -> None:
    starts_s = [index * line.bin_s for index in range(len(line.ok_per_s))]
    edges_s = [*starts_s, starts_s[-1] + line.bin_s]
    style = LINE_STYLES[(trial.trial.trial - 1) % len(LINE_STYLES)]
    colour = look.colour if trial.is_counted else MUTED
    axes.stairs(line.ok_per_s, edges_s, baseline=None, color=colour, linewidth=1.1, linestyle=style)
    if any(line.failed_per_s):
        axes.stairs(line.failed_per_s, edges_s, baseline=None, color=INK, linewidth=0.7)


def _length_s(trial: TrialSummary) -> float:
    return len(trial.timeline.ok_per_s) * trial.timeline.bin_s if trial.timeline else 1.0
