"""The table of figures in docs/providers.md, made of runs."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def figures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_provider_figures", DOCS / "make_provider_figures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def estimate(mean: float, low: float | None, high: float | None, trials: int = 2) -> dict[str, float | None]:
    spread = {"geometric_mean": mean, "minimum": 1.0, "maximum": 1234.0, "sd_log": 1.0, "trials": trials}
    return {**spread, "ci95_low": low, "ci95_high": high}


CHAIN = {
    "throughput_per_s": estimate(100.4, 90.04, 111.6),
    "p50_ms": estimate(1.2345, None, None),
    "p95_ms": estimate(7, 6, 8),
}
CELLS = [
    {
        "workload": "refresh",
        "trials_counted": 3,
        "requests": {"failure_share": 0.00126},
        "chain": CHAIN,
        "steps": {"issue": {"p95_ms": estimate(5.5, None, None)}, "refresh": {"p95_ms": None}},
    },
    {"workload": "workflow", "trials_counted": 0, "requests": None, "chain": None, "steps": {}},
]
RUN = {
    "scenario": {"load": {"users": 10, "duration_s": 30.0, "warm_up_s": 2.5}},
    "machine": {"cores": 2},
}


def write_run(reports: Path, directory: str, started_at: str, cells: object = CELLS) -> None:
    (reports / directory).mkdir(parents=True)
    (reports / directory / "run.json").write_text(json.dumps({**RUN, "started_at": started_at}))
    (reports / directory / "summary.json").write_text(json.dumps({"cells": cells}))


def test_each_workload_is_a_row_with_its_intervals(figures: ModuleType, tmp_path: Path) -> None:
    """An interval, or the range of the trials, which says so; n/a, never 0, where no trial counted."""
    write_run(tmp_path, "2026-01-02T0304-keycloak", "2026-01-02T03:04:05+00:00")
    lines = figures.table(tmp_path, ["keycloak"]).splitlines()
    assert lines[2] == (
        "| keycloak | refresh | 3 | 100 (90 to 112) | 1.23 ms (range 1 to 1234) | 7 ms (6 to 8) "
        "| issue 5.5, refresh n/a ms | 0.13 % |"
    )
    assert lines[3] == "| keycloak | workflow | 0 | n/a | n/a | n/a | n/a | n/a |"
    assert lines[5] == "- keycloak: 10 users, 30 s a trial after 2.5 s of warm-up, 2026-01-02, 2 cores"


def test_trials_that_differ_too_much_have_a_wide_interval_and_a_mark(figures: ModuleType) -> None:
    """Of four trials with a spread of 1: Student's 3.182 / 2 on the log scale is a factor of 4.91, and the range."""
    assert figures.interval(estimate(100, None, None, trials=4), " ms") == "100 ms (1 to 1234 ‡)"
    narrow = {**estimate(100, None, None, trials=4), "minimum": 90.0, "maximum": 120.0}
    assert figures.interval(narrow, "") == "100 (20.4 to 491 ‡)"


def test_the_newest_run_of_the_scenario_is_taken(figures: ModuleType, tmp_path: Path) -> None:
    write_run(tmp_path, "2026-01-02T0304-keycloak", "2026-01-02T03:04:05+00:00")
    write_run(tmp_path, "2026-01-02T0304-keycloak-2", "2026-01-02T03:04:59+00:00")
    write_run(tmp_path, "2026-01-09T0304-nanoidp", "2026-01-09T03:04:05+00:00")
    assert figures.newest_run(tmp_path, "keycloak").name == "2026-01-02T0304-keycloak-2"
    with pytest.raises(SystemExit, match="no run of oidc-provider"):
        figures.newest_run(tmp_path, "oidc-provider")


def test_the_page_has_the_marks_that_the_table_goes_between(figures: ModuleType) -> None:
    text = (DOCS / "providers.md").read_text(encoding="utf-8")
    assert text.count(figures.BEGIN) == text.count(figures.END) == 1
    assert text.index(figures.BEGIN) < text.index(figures.END)
