"""Write a report: everything below is made anew from the run's samples, and the same samples give the same files."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from iam_loadtest.analysis.comparison import Comparison, compare
from iam_loadtest.analysis.summary import RunSummary, summarise_directory
from iam_loadtest.errors import UserError
from iam_loadtest.report.chart_style import Chart
from iam_loadtest.report.charts import all_charts
from iam_loadtest.report.consistency_files import consistency_csv
from iam_loadtest.report.junit import junit_xml
from iam_loadtest.report.objectives import judged
from iam_loadtest.report.page import html_page, markdown_page
from iam_loadtest.report.summary_csv import summary_csv
from iam_loadtest.report.summary_json import summary_document
from iam_loadtest.results.json_file import write_json, write_text

CHARTS_DIRECTORY = "charts"
CONSISTENCY_FILE = "consistency.csv"
"""There where probes ran."""


@dataclass(frozen=True)
class ReportFiles:
    """What a report consists of, and the figures it was made from."""

    summary: RunSummary
    comparisons: tuple[Comparison, ...]
    html: Path
    markdown: Path
    csv: Path
    json: Path
    junit: Path
    charts: tuple[Path, ...]
    consistency: tuple[Path, ...] = ()

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every file that was written, the page first."""
        return (self.html, self.markdown, self.csv, self.json, self.junit, *self.consistency, *self.charts)


def write_report(run_directory: Path) -> ReportFiles:
    """Make the report of a run, finished or not, in its directory.

    Raises UserError where the directory is no run or cannot be written. Charts of an earlier report that this
    one does not draw are removed.
    """
    summary = summarise_directory(run_directory)
    comparisons = compare(summary)
    charts = all_charts(summary, comparisons)
    html, markdown = run_directory / "report.html", run_directory / "report.md"
    table, document, cases = (run_directory / name for name in ("summary.csv", "summary.json", "junit.xml"))
    write_json(document, summary_document(summary, comparisons))
    write_text(table, summary_csv(summary))
    consistency = _write_or_remove(run_directory / CONSISTENCY_FILE, consistency_csv(summary))
    write_text(cases, junit_xml(summary, judged(summary)))
    write_text(markdown, markdown_page(summary, comparisons, charts))
    drawn = _write_charts(run_directory / CHARTS_DIRECTORY, charts)
    write_text(html, html_page(summary, comparisons, charts))
    return ReportFiles(summary, comparisons, html, markdown, table, document, cases, drawn, consistency)


def _write_or_remove(path: Path, text: str) -> tuple[Path, ...]:
    """The file, where there is anything to write; one of an earlier report goes else."""
    if text:
        write_text(path, text)
        return (path,)
    path.unlink(missing_ok=True)
    return ()


def _write_charts(directory: Path, charts: list[Chart]) -> tuple[Path, ...]:
    _make_directory(directory)
    paths: list[Path] = []
    for chart in charts:
        svg, png = directory / f"{chart.name}.svg", directory / f"{chart.name}.png"
        write_text(svg, chart.svg)
        _write_bytes(png, chart.png)
        paths += [svg, png]
    for path in (*directory.glob("*.svg"), *directory.glob("*.png")):
        if path not in paths:
            path.unlink()
    return tuple(paths)


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"{directory}: cannot be made: {error.strerror}; make the run's directory writable.") from error


def _write_bytes(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise UserError(f"{path}: cannot be written: {error.strerror}; free some space.") from error
