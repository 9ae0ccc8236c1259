"""The largest matrix that the suite is made for: 63 trials on one page."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from iam_loadtest.report import ReportFiles, write_report

from .html_page import Page, parse_page
from .synthetic import WORKLOADS, FakeTopology, default_run, write_fake_run

FAILURES = {"write_conflict": 0.01, "stale_read": 0.004}
TOPOLOGIES = {
    f"frontends{n}": FakeTopology(1 / n, FAILURES, factors={"frontends": n}, nodes=("a", "b")) for n in range(1, 8)
}


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> ReportFiles:
    """Seven topologies, three workloads, three trials; failures, nodes and a factor, so that every chart is drawn."""
    fake = replace(default_run(), topologies=TOPOLOGIES, users=2, window_s=2.0)
    return write_report(write_fake_run(tmp_path_factory.mktemp("runs") / "matrix", fake))


@pytest.fixture(scope="module")
def page(matrix: ReportFiles) -> Page:
    return parse_page(matrix.html.read_text(encoding="utf-8"))


def test_the_page_of_63_trials_is_well_below_five_megabytes(matrix: ReportFiles) -> None:
    """It can be mailed, and attached to a ticket."""
    assert matrix.html.stat().st_size < 2_500_000


def test_every_cell_and_every_trial_has_its_row(matrix: ReportFiles) -> None:
    """21 rows of results in the order of the scenario, 63 trials in the order they ran."""
    text = matrix.markdown.read_text(encoding="utf-8").replace("\\", "")
    results = _rows(text.split("## Results")[1].split("###")[0])
    assert [tuple(row[:2]) for row in results] == list(product(WORKLOADS, TOPOLOGIES))
    assert [row[-1] for row in results] == ["3 of 3"] * 21
    trials = _rows(text.split("## Every trial")[1].split("![")[0])
    assert [row[0] for row in trials] == [str(position) for position in range(1, 64)]


def test_the_page_s_tables_hold_as_many_rows(matrix: ReportFiles) -> None:
    """What the Markdown has, the page has too."""
    html = matrix.html.read_text(encoding="utf-8")
    bodies = [html.split(f'<table id="{name}"')[1].split("</table>")[0] for name in ("results", "trials")]
    assert [body.count("<tr>") - 1 for body in bodies] == [21, 63]


def test_the_page_of_63_trials_asks_nobody_for_anything(page: Page) -> None:
    """Every chart is in it."""
    targets = page.values("href", "src", "xlink:href", "action", "srcset")
    assert all(target.startswith(("#", "data:")) for target in targets)
    assert len([*page.named("svg"), *page.named("img")]) > 10


def _rows(markdown: str) -> list[list[str]]:
    """The cells of a table's body."""
    lines = [line for line in markdown.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
