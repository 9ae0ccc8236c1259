"""Runs to report on, made once a session, and the switch that rewrites golden files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from iam_loadtest.report import ReportFiles, chart_style, write, write_report

from .synthetic import FakeRun, default_run, write_fake_run


def pytest_addoption(parser: pytest.Parser) -> None:
    """``pytest tests/report --update-golden`` writes the golden files anew; look at the difference before a commit."""
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/report/golden")


@pytest.fixture(scope="session", autouse=True)
def no_pictures() -> Iterator[None]:
    """PNG files without content: drawing them takes half of a report's time. test_charts draws one by itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chart_style, "_png", lambda _: b"")
        yield


@pytest.fixture
def no_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports of words and tables alone, where a test is about nothing else."""
    monkeypatch.setattr(write, "all_charts", lambda *_: [])


@pytest.fixture(scope="session")
def update_golden(pytestconfig: pytest.Config) -> bool:
    """Whether golden files are to be rewritten."""
    return bool(pytestconfig.getoption("--update-golden", default=False))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> ReportFiles:
    """The report of a finished run of two topologies, three workloads and three trials."""
    return write_report(write_fake_run(tmp_path_factory.mktemp("runs") / "two-frontends", default_run()))


@pytest.fixture
def small_run() -> FakeRun:
    """One workload, short windows, for reports of special cases."""
    return replace(default_run(), workloads={"refresh_token": ["issue", "refresh"]}, window_s=2.0, users=4)


@pytest.fixture
def report_of(tmp_path: Path):  # type: ignore[no-untyped-def]  a function from a fake run to its report
    """Write a fake run and its report."""
    return lambda fake: write_report(write_fake_run(tmp_path / "run", fake))
