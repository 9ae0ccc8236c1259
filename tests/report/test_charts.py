"""Charts of a run: what each is made of, and which are not drawn because they would mislead."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import replace

import pytest

from iam_loadtest.analysis.estimate import estimate
from iam_loadtest.report import ReportFiles, chart_style
from iam_loadtest.report.chart_style import shortened
from iam_loadtest.report.distribution_chart import spread, tail_position
from iam_loadtest.report.dot_chart import DotGroup, DotRow, dot_figure
from iam_loadtest.report.forest_chart import ticks
from iam_loadtest.report.palette import CARD, NODE_LINES, Look

from .synthetic import FakeRun, FakeTopology

PNG = chart_style._png
Report = Callable[[FakeRun], ReportFiles]


def texts(files: ReportFiles, name: str) -> list[str]:
    """The texts of a chart in the order they were drawn."""
    svg = (files.html.parent / "charts" / f"{name}.svg").read_text(encoding="utf-8")
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def drawn(files: ReportFiles) -> set[str]:
    """The names of all charts."""
    return {path.stem for path in files.charts}


def test_a_picture_is_as_wide_as_it_is_meant_to_be_and_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """4.4 inches at 160 dots each; no moment and no chance is in the file."""
    monkeypatch.setattr(chart_style, "_png", PNG)
    groups = [DotGroup("access", (DotRow("one", Look("#0072b2", "o", 0), estimate([1.0, 1.1, 1.2])),))]
    one, two = (
        chart_style.draw("x", "A chart", "", "", lambda: dot_figure("A chart", "ms", "Caption", groups)).png
        for _ in range(2)
    )
    assert one == two
    assert one.startswith(b"\x89PNG")
    assert struct.unpack(">I", one[16:20]) == (704,)


def test_lines_of_nodes_stand_out_from_both_backgrounds() -> None:
    """By 3 : 1 or more, as WCAG 2.1 asks of graphics (1.4.11); the dark card is that of the page's style."""
    for card in (CARD, "#161b22"):
        assert min(_contrast(colour, card) for colour in NODE_LINES) >= 3


def _contrast(one: str, other: str) -> float:
    low, high = sorted(map(_luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_the_tail_of_the_percentile_axis_is_as_long_as_its_middle() -> None:
    """0, 90, 99 and 99.9 % at 0, 1, 2 and 3."""
    assert [round(tail_position(part), 9) for part in (0, 90_000, 99_000, 99_900)] == [0, 1, 2, 3]


def test_the_distribution_names_its_topologies_and_percentiles(finished: ReportFiles) -> None:
    """At the ends of their lines, and on the axis."""
    found = texts(finished, "distribution_1")
    assert {"0", "50", "80", "90", "95", "99", "99.9", "one", "two", "latency, ms"} <= set(found)


def test_labels_that_would_overlap_are_moved_apart() -> None:
    """And down again from the upper edge."""
    assert spread([0.5, 0.52, 0.9], 0.1) == pytest.approx([0.5, 0.6, 0.9])
    assert spread([0.95, 0.97, 0.99], 0.1) == pytest.approx([0.8, 0.9, 1.0])


def test_a_tail_far_from_the_middle_has_a_logarithmic_scale_that_says_so(small_run: FakeRun, report_of: Report) -> None:
    """One topology answers a hundred times slower than the other."""
    topologies = {"one": FakeTopology(0.1), "two": FakeTopology(10.0)}
    files = report_of(replace(small_run, topologies=topologies, trials=1, users=10, window_s=8.0))
    assert "latency, ms, log scale" in texts(files, "distribution_1")


def test_time_shows_failures_only_where_there_were_any(
    finished: ReportFiles, small_run: FakeRun, report_of: Report
) -> None:
    """A flat line at zero says less than the sentence below failures."""
    assert {"requests/s", "p95 ms", "failed/s"} <= set(texts(finished, "timeline_1"))
    healthy = report_of(replace(small_run, topologies={"one": FakeTopology()}, trials=1))
    assert "failed/s" not in texts(healthy, "timeline_1")


def test_nodes_are_drawn_where_a_topology_has_more_than_one(finished: ReportFiles) -> None:
    """Topology one names no node: it is not in the picture, and not in the table."""
    found = texts(finished, "backends")
    assert {"frontend-1", "frontend-2", "no node named", "two"} <= set(found)
    assert "one" not in found
    text = finished.markdown.read_text(encoding="utf-8").split("### By serving node")[1].split("##")[0]
    assert "| access\\_token | two | frontend-1 |" in text
    assert "| one |" not in text


def test_more_nodes_than_colours_are_numbered(small_run: FakeRun, report_of: Report) -> None:
    """The table has their names."""
    topologies = {
        "one": FakeTopology(nodes=tuple(f"10.0.0.{i}" for i in range(6))),
        "two": FakeTopology(nodes=tuple(f"10.0.1.{i}" for i in range(5))),
    }
    files = report_of(replace(small_run, topologies=topologies, trials=1))
    found = texts(files, "backends")
    assert {"node 1", "node 6", "6 nodes", "5 nodes"} <= set(found)
    assert not any(text.startswith("10.") for text in found)
    assert "| 10.0.1.4 |" in files.markdown.read_text(encoding="utf-8")


def test_a_run_without_any_chain_that_succeeded_has_no_distribution(small_run: FakeRun, report_of: Report) -> None:
    """And none over nodes that nobody named."""
    files = report_of(replace(small_run, topologies={"one": FakeTopology(failures={"timeout": 1.0})}, trials=1))
    assert not {name for name in drawn(files) if name.startswith(("distribution", "backends"))}
    assert "timeline_1" in drawn(files)


def test_a_long_name_keeps_its_end() -> None:
    """Where topologies of one family differ."""
    assert shortened("multi5-galera-30ms-vpn", 14) == "multi5-g…s-vpn"
    assert shortened("multi5-galera", 14) == "multi5-galera"


def test_ratios_on_the_axis_are_round_and_do_not_touch() -> None:
    """A wide range has few; a narrow one has the fine ones that fit."""
    assert ticks(0.4, 2.5, 2.0) == [0.5, 0.7, 1, 2]
    assert ticks(0.4, 2.5, 1.0) == [0.5, 1, 2]
    assert ticks(0.94, 1.06, 2.0) == [0.95, 1, 1.05]
