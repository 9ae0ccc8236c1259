"""The files for programs and pull requests, from fixed data, as they were when somebody last looked at them."""

from __future__ import annotations

from pathlib import Path

import pytest

from iam_loadtest.report import ReportFiles, write_report

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", ["summary.json", "summary.csv", "junit.xml", "report.md"])
def test_the_file_is_what_was_looked_at(finished: ReportFiles, name: str, update_golden: bool) -> None:
    """Where a difference is meant: pytest tests/report --update-golden, and read the diff."""
    written = (finished.html.parent / name).read_text(encoding="utf-8")
    if update_golden:
        (GOLDEN / name).write_text(written, encoding="utf-8")
    assert written == (GOLDEN / name).read_text(encoding="utf-8")


def test_a_second_report_has_the_same_bytes(finished: ReportFiles) -> None:
    """Every file, charts included: nothing in them depends on the moment or on chance."""
    before = {path: path.read_bytes() for path in finished.paths}
    again = write_report(finished.html.parent)
    assert {path: path.read_bytes() for path in again.paths} == before
