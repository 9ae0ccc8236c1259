"""The page and its Markdown twin: everything a reader sees, from the summary and the charts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from iam_loadtest.analysis.comparison import Comparison
from iam_loadtest.analysis.demand import carried
from iam_loadtest.analysis.factor import factor_effects
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.report import tables, trial_tables
from iam_loadtest.report.answer import answer
from iam_loadtest.report.calibration import calibration_table
from iam_loadtest.report.chart_style import Chart
from iam_loadtest.report.comparisons import comparison_table, resolution_table
from iam_loadtest.report.consistency import audit_table, read_table, redemption_table
from iam_loadtest.report.factors import demand_table, effect_table
from iam_loadtest.report.inline_svg import inline_svg
from iam_loadtest.report.load_model import load_words
from iam_loadtest.report.objectives import judged, objective_table
from iam_loadtest.report.palette import CARD, INK, LINE, MUTED, SERIES, SERIES_DARK, SHADE, looks
from iam_loadtest.report.recovery import recovery_table
from iam_loadtest.report.servers import server_table
from iam_loadtest.report.stale_reads import stale_read_table
from iam_loadtest.report.table import Table


@dataclass(frozen=True)
class CautionLine:
    """A caution with every trial that carries it."""

    kind: str
    text: str
    remedy: str
    trials: tuple[str, ...]


@dataclass(frozen=True)
class TopologySection:
    """The details of one topology."""

    name: str
    colour_index: int
    facts: Table
    steps: Table


def html_page(summary: RunSummary, comparisons: Sequence[Comparison], charts: list[Chart]) -> str:
    """report.html: one file, no request to anywhere."""
    package = files("iam_loadtest.report") / "templates"
    style, script = ((package / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    return _render(
        "report.html.j2",
        _context(summary, comparisons, charts),
        style=Markup(style),  # noqa: S704  our own file
        script=Markup(script),  # noqa: S704  our own file
        script_hash=_hash(script),
        light=_scheme(SERIES),
        dark=_scheme(SERIES_DARK),
        base={"ink": INK, "muted": MUTED, "line": LINE, "shade": SHADE, "card": CARD},
        svg=lambda chart: Markup(inline_svg(chart)),  # noqa: S704  matplotlib escapes names; inline_svg escapes the rest
    )


def markdown_page(summary: RunSummary, comparisons: Sequence[Comparison], charts: list[Chart]) -> str:
    """report.md: the same order and figures, for a pull request; it shows charts/*.png beside it."""
    return _render("report.md.j2", _context(summary, comparisons, charts))


def cautions(summary: RunSummary) -> list[CautionLine]:
    """Every caution once, with the trials that carry it in running order."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for one in summary.trials:
        for caution in one.cautions:
            found.setdefault((caution.kind, caution.text, caution.remedy), []).append(one.trial.id)
    return [CautionLine(*key, tuple(trials)) for key, trials in found.items()]


def _render(template: str, context: dict[str, Any], **more: Any) -> str:
    return _environment().get_template(template).render(**context, **more)


def _context(summary: RunSummary, comparisons: Sequence[Comparison], charts: list[Chart]) -> dict[str, Any]:
    scenario = summary.run.info.scenario
    return {
        "title": summary.run.info.name,
        "description": scenario.get("description") or "",
        "started_at": summary.run.info.started_at,
        "load": load_words(summary),
        "answer": answer(summary, comparisons),
        "comparisons": comparison_table(comparisons),
        "resolution": resolution_table(comparisons),
        "results": tables.headline_table(summary),
        "headline_charts": [chart for chart in charts if chart.name in {"throughput", "p50", "p80", "p95"}],
        "objectives": objective_table(judged(summary)),
        "effects": effect_table(factor_effects(summary)),
        "demand": demand_table(carried(summary)),
        "curve_charts": [chart for chart in charts if chart.name.startswith("curve")],
        "ratio_charts": [chart for chart in charts if chart.name.startswith("ratio")],
        "failure_charts": [chart for chart in charts if chart.name in {"failures", "stale_reads"}],
        "consistency_charts": [
            chart for chart in charts if chart.name.startswith(("price", "visibility", "probe_nodes"))
        ],
        "probe_reads": read_table(summary),
        "redemptions": redemption_table(summary),
        "audit": audit_table(summary),
        "distribution_charts": [chart for chart in charts if chart.name.startswith("distribution")],
        "distributions": trial_tables.distribution_table(summary),
        "steadiness": trial_tables.steadiness_table(summary),
        "over_time": trial_tables.timeline_table(summary),
        "backend_charts": [chart for chart in charts if chart.name == "backends"],
        "backends": tables.backend_table(summary),
        "failures": tables.failure_table(summary),
        "stale_reads": stale_read_table(summary),
        "detail_charts": [chart for chart in charts if chart.name == "step_p95"],
        "recovery": recovery_table(summary),
        "server_charts": [chart for chart in charts if chart.name.startswith("servers")],
        "servers": server_table(summary),
        "timeline_charts": [chart for chart in charts if chart.name.startswith("timeline")],
        "topologies": _sections(summary),
        "trials": tables.trial_table(summary),
        "generator": tables.generator_table(summary),
        "calibration": calibration_table(summary),
        "cautions": cautions(summary),
        "environment": tables.environment_table(summary),
        "has_counted": bool(summary.counted),
        "is_complete": len(summary.counted) == len(summary.run.info.plan),
    }


def _sections(summary: RunSummary) -> list[TopologySection]:
    look = looks(summary.topologies)
    return [
        TopologySection(
            name,
            look[name].index,
            tables.factor_table(summary, name, number),
            tables.step_table(summary, name, number),
        )
        for number, name in enumerate(summary.topologies, 1)
    ]


def _scheme(colours: tuple[str, ...]) -> dict[str, str]:
    return {f"series-{index}": colour for index, colour in enumerate(colours)}


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def markdown_text(text: object) -> str:
    """Text that Markdown shows as it is: no markup, no HTML, no table separator, one line."""
    escaped = "".join(f"\\{char}" if char in r"\`*_{}[]<>#|!~$" else char for char in str(text))
    return " ".join(escaped.replace("&", "&amp;").split())


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("iam_loadtest.report"),
        autoescape=select_autoescape(("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["md"] = markdown_text
    return environment
