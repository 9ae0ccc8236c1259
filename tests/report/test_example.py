"""reports/example: a real run with the report that this version makes of it, and the README's picture."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from iam_loadtest.report import ReportFiles, write_report
from iam_loadtest.scenario.load_file import load_scenario

pytestmark = pytest.mark.usefixtures("unmeasured")

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "reports" / "example"
TEXTS = ("summary.json", "summary.csv", "junit.xml", "report.md")


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> ReportFiles:
    """The report made anew from the example's samples."""
    copy = tmp_path_factory.mktemp("reports") / "example"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("charts", "report.*", "summary.*", "junit.xml"))
    return write_report(copy)


@pytest.mark.parametrize("name", TEXTS)
def test_the_example_is_what_this_version_makes_of_its_samples(again: ReportFiles, name: str) -> None:
    """Where a difference is meant: make report RUN=reports/example, and read the diff."""
    assert (again.html.parent / name).read_text(encoding="utf-8") == (EXAMPLE / name).read_text(encoding="utf-8")


def test_the_example_has_every_chart_and_no_other(again: ReportFiles) -> None:
    """The pictures themselves depend on the version of matplotlib."""
    assert {path.name for path in (EXAMPLE / "charts").iterdir()} == {path.name for path in again.charts}


def test_the_example_is_small() -> None:
    """A checkout is not burdened with it."""
    assert sum(path.stat().st_size for path in EXAMPLE.rglob("*") if path.is_file()) < 3_000_000


def test_the_example_names_neither_directories_nor_people() -> None:
    """Of the machine that made it; addresses are loopback's."""
    for path in EXAMPLE.rglob("*"):
        if path.is_file() and path.suffix not in {".png", ".parquet"}:
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"/(?:home|root|tmp|work|Users)/", text), path
            assert set(re.findall(r"\b\d+\.\d+\.\d+\.\d+\b", text)) <= {"127.0.0.1"}, path


def test_the_example_s_scenario_can_be_run_again() -> None:
    """It is read as any other scenario."""
    assert load_scenario(EXAMPLE / "scenario.yaml").name == "example"


@pytest.mark.skipif(not shutil.which("chromedriver"), reason="chromium is not installed: the picture is not taken")
def test_the_picture_is_taken_by_its_command(tmp_path: Path) -> None:
    """As wide as a page, and as tall as the answer, the table and four charts."""
    picture = tmp_path / "report.png"
    command = [sys.executable, str(ROOT / "docs" / "make_picture.py"), str(EXAMPLE), str(picture)]
    subprocess.run(command, check=True, timeout=120)
    width, height = struct.unpack(">II", picture.read_bytes()[16:24])
    assert width == 1280
    assert 1200 < height < 4000
