"""What is marked in charts over time: the measured window, the end of the ramp, and faults."""

from __future__ import annotations

from matplotlib.axes import Axes

from iam_loadtest.report.palette import FAULT, MUTED, SHADE
from iam_loadtest.results.trial import Trial


def mark_window(axes: Axes, trial: Trial) -> None:
    """Shade the measured window, and dot the end of the ramp."""
    marks = trial.marks
    if marks.window_start_us is None or marks.window_end_us is None:
        return
    axes.axvspan(marks.window_start_us / 1e6, marks.window_end_us / 1e6, color=SHADE, linewidth=0, zorder=0)
    if marks.ramp_end_us is not None:
        axes.axvline(marks.ramp_end_us / 1e6, color=MUTED, linewidth=0.7, linestyle=":")


def mark_faults(axes: Axes, trial: Trial, with_words: bool = False) -> None:
    """A line where a fault began, shaded where it lasted; named where there is room, on the side that has more."""
    begun = sorted((one.started_us, one) for one in trial.faults if one.started_us is not None)
    for place, (started_us, fault) in enumerate(begun):
        start_s = started_us / 1e6
        axes.axvline(start_s, color=FAULT, linewidth=0.8, zorder=1)
        if fault.ended_us is not None:
            axes.axvspan(start_s, fault.ended_us / 1e6, color=FAULT, alpha=0.12, linewidth=0, zorder=0)
        if with_words:
            height = 0.99 - 0.17 * (place % 3)
            is_late = start_s > sum(axes.get_xlim()) / 2
            axes.annotate(
                fault.words,
                (start_s, height),
                xycoords=("data", "axes fraction"),
                xytext=(-2 if is_late else 2, 0),
                textcoords="offset points",
                va="top",
                ha="right" if is_late else "left",
                fontsize=6.2,
                color=FAULT,
            )
