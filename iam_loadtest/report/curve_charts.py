"""Charts of numeric factors: throughput and p95 over the levels of each, by workload."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from iam_loadtest.analysis.comparison import THROUGHPUT, Compared
from iam_loadtest.analysis.factor import FactorCurve, factor_curves
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.report.chart_style import Chart, draw
from iam_loadtest.report.curve_chart import curve_figure
from iam_loadtest.report.load_model import load_words
from iam_loadtest.report.metric import NAME_OF
from iam_loadtest.report.palette import looks
from iam_loadtest.report.text import with_range


def curve_charts(summary: RunSummary) -> Iterator[Chart]:
    """One per factor with three levels or more, workload and metric; the curves of unlike surroundings in one."""
    found = factor_curves(summary)
    keys = dict.fromkeys((curve.factor, curve.workload, curve.metric) for curve in found)
    for number, (factor, workload, metric) in enumerate(keys, 1):
        own = [curve for curve in found if (curve.factor, curve.workload, curve.metric) == (factor, workload, metric)]
        yield _chart(summary, number, own)


def _chart(summary: RunSummary, number: int, curves: list[FactorCurve]) -> Chart:
    first = curves[0]
    name = NAME_OF[first.metric.name]
    title = f"{name[0].upper()}{name[1:]} by {first.factor}: {first.workload}"
    caption = (
        "Each mark is one trial in its topology's colour; lines join geometric means, uprights are 95 % intervals. "
        f"Hollow marks: unstable, not joined. Load: {load_words(summary)}."
    )
    named = [(_surroundings(curve, curves), curve) for curve in curves]
    words = [f"{label or 'all'}: {_in_words(curve)}" for label, curve in named]
    alt = f"{title}. Geometric mean and range of the trials by level. {'; '.join(words)}."
    note = "Only topologies that differ in this factor alone are joined. Between the levels nothing was measured."
    make = partial(curve_figure, title, _axis(first.metric), first.factor, caption, named, looks(summary.topologies))
    return draw(f"curve_{number}", title, alt, note, make)


def _axis(metric: Compared) -> str:
    return "successful requests/s" if metric is THROUGHPUT else "chain p95, ms"


def _surroundings(curve: FactorCurve, curves: list[FactorCurve]) -> str:
    """What tells the curve from the others: the levels of the factors that are not the same in all of them."""
    differing = [
        name for name, level in curve.surroundings.items() if any(one.surroundings.get(name) != level for one in curves)
    ]
    return ", ".join(str(curve.surroundings[name]) for name in differing)


def _in_words(curve: FactorCurve) -> str:
    return ", ".join(f"{point.level:g} {with_range(point.estimate)}" for point in curve.points)
