"""An SVG file made part of a page: its colours follow the page's scheme, its ids collide with no other chart's."""

from __future__ import annotations

import re
from html import escape

from iam_loadtest.report.chart_style import Chart
from iam_loadtest.report.palette import CARD, FAULT, INK, LINE, MUTED, SERIES, SHADE

_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    SHADE: "var(--shade)",
    CARD: "var(--card)",
    FAULT: f"var(--bad, {FAULT})",
    **{colour: f"var(--series-{index})" for index, colour in enumerate(SERIES)},
}
_COLOUR = re.compile("|".join(_VARIABLES))
_ID = re.compile(r'(\bid="|url\(#|href="#)')


def inline_svg(chart: Chart) -> str:
    """The svg element of a chart with its description; safe to put into the page as it is."""
    start = chart.svg.index("<svg ")
    body = re.sub(r"<metadata>.*?</metadata>", "", chart.svg[start:], flags=re.DOTALL)
    body = _ID.sub(lambda match: f"{match.group(1)}{chart.name}-", body)
    body = re.sub(r'style="[^"]*"', lambda match: _COLOUR.sub(lambda c: _VARIABLES[c.group()], match.group()), body)
    head_end = body.index(">")
    head = re.sub(r'\s(width|height|xmlns:xlink|version)="[^"]*"', "", body[:head_end])
    return f'{head} role="img" aria-label="{escape(chart.alt)}">{body[head_end + 1 :]}'.strip()
