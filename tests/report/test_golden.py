"""The files for programs and pull requests, from fixed data, as they were when somebody last looked at them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from iam_loadtest.report import ReportFiles

pytestmark = pytest.mark.usefixtures("unmeasured")

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", ["summary.json", "summary.csv", "junit.xml", "report.md"])
def test_the_file_is_what_was_looked_at(finished: ReportFiles, name: str, update_golden: bool) -> None:
    """Where a difference is meant: pytest tests/report --update-golden, and read the diff."""
    written = (finished.html.parent / name).read_text(encoding="utf-8")
    if update_golden:
        (GOLDEN / name).write_text(written, encoding="utf-8")
    assert written == (GOLDEN / name).read_text(encoding="utf-8")


def test_a_second_report_has_the_same_bytes(finished: ReportFiles) -> None:
    """Every file, by a process that puts sets into another order: nothing depends on the moment or on chance."""
    before = {path: path.read_bytes() for path in finished.paths}
    script = (
        "import sys, pathlib\n"
        "from iam_loadtest.report import chart_style, write_report\n"
        "chart_style._png = lambda _: b''\n"
        "write_report(pathlib.Path(sys.argv[1]))"
    )
    environ = {**os.environ, "PYTHONHASHSEED": "1"}
    subprocess.run([sys.executable, "-c", script, str(finished.html.parent)], check=True, env=environ)
    assert {path: path.read_bytes() for path in finished.paths} == before
    assert sorted(path.name for path in finished.charts[0].parent.iterdir()) == sorted(p.name for p in finished.charts)
