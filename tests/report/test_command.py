"""``iam-loadtest report``: which runs, what is printed, what is imported."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from iam_loadtest.cli import cli
from iam_loadtest.errors import UserError

from .synthetic import FakeRun, write_fake_run

pytestmark = pytest.mark.usefixtures("unmeasured")


@pytest.mark.usefixtures("no_charts")
def test_the_newest_run_is_reported_when_none_is_named(small_run: FakeRun, tmp_path: Path) -> None:
    """The command prints what counts, a table without trailing blanks, and the paths."""
    run = write_fake_run(tmp_path / "reports" / "run", replace(small_run, trials=1))
    result = CliRunner().invoke(cli, ["report", "--reports", str(tmp_path / "reports")], catch_exceptions=False)
    lines = result.output.splitlines()
    assert result.exit_code == 0
    assert lines[0].startswith("2 of 2 planned trials count: 2 topologies under 1 workload; closed model, 4 users")
    assert lines[2].split()[:2] == ["Workload", "Topology"]
    assert str(run / "report.html") in lines
    assert all(line == line.rstrip() for line in lines)
    assert (run / "report.html").is_file()


@pytest.mark.usefixtures("no_charts")
def test_every_named_run_is_reported(small_run: FakeRun, tmp_path: Path) -> None:
    """One after the other."""
    runs = [write_fake_run(tmp_path / name, replace(small_run, trials=1)) for name in ("a", "b")]
    CliRunner().invoke(cli, ["report", *map(str, runs)], catch_exceptions=False)
    assert all((run / "report.md").is_file() for run in runs)


def test_a_directory_without_runs_is_refused(tmp_path: Path) -> None:
    """The front door prints the line and exits with 1."""
    with pytest.raises(UserError, match="holds no run"):
        CliRunner().invoke(cli, ["report", "--reports", str(tmp_path)], catch_exceptions=False)


def test_help_does_not_import_what_is_slow() -> None:
    """Neither matplotlib nor pandas nor pyarrow nor numpy."""
    script = (
        "import sys; from click.testing import CliRunner; from iam_loadtest.cli.report import report\n"
        "assert 'newest run' in CliRunner().invoke(report, ['--help']).output\n"
        "print([name for name in ('matplotlib', 'pandas', 'pyarrow', 'numpy', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_report_needs_no_pyplot_and_no_pandas(small_run: FakeRun, tmp_path: Path) -> None:
    """No window system is asked for, no global state is kept, and reading samples imports nothing slow."""
    run = write_fake_run(tmp_path / "run", replace(small_run, trials=1))
    script = (
        "import sys, pathlib, iam_loadtest.report\n"
        "from iam_loadtest.analysis.summary import summarise_directory\n"
        "summarise_directory(pathlib.Path(sys.argv[1]))\n"
        "print([n for n in ('matplotlib.pyplot', 'pandas') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script, str(run)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
