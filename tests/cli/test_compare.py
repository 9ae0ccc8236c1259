"""`compare`: its exit codes for pipelines, its table, its JSON, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.front_door import call
from tests.report.synthetic import FakeRun, FakeTopology, write_fake_run

WORKLOADS = {"access_token": ["issue"]}


def fake(slowness: float = 1.0, spread: float = 0.002, seed: int = 7) -> FakeRun:
    """Three trials of one topology."""
    return FakeRun({"one": FakeTopology(slowness, spread=spread)}, WORKLOADS, seed=seed, users=6, window_s=8)


@pytest.fixture
def baseline(tmp_path: Path) -> Path:
    return write_fake_run(tmp_path / "before", fake())


def test_a_slower_candidate_is_exit_code_4(baseline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Half as slow again; the table says so, and that the runs were not interleaved."""
    candidate = write_fake_run(tmp_path / "after", fake(1.5, seed=8))
    called = call(capsys, "compare", baseline, candidate)
    assert called.code == 4
    lines = called.out.splitlines()
    assert lines[0] == "after over before"
    assert lines[3].split()[:3] == ["access_token", "one", "throughput"]
    assert lines[3].endswith("WORSE, materially")
    assert "not interleaved" in called.out


def test_a_faster_candidate_is_exit_code_0_and_json_says_the_same(
    baseline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For programs."""
    candidate = write_fake_run(tmp_path / "after", fake(0.6, seed=8))
    called = call(capsys, "compare", baseline, candidate, "--json", "--strict")
    document = json.loads(called.out)
    assert (called.code, document["exit_code"], document["worse"]) == (0, 0, False)
    assert [one["verdict"] for one in document["comparisons"]] == ["BETTER", "BETTER"]


def test_an_inconclusive_comparison_is_exit_code_5_only_where_asked_for(
    baseline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two trials rank nothing."""
    candidate = write_fake_run(tmp_path / "after", replace(fake(), trials=2))
    assert call(capsys, "compare", baseline, candidate).code == 0
    assert call(capsys, "compare", baseline, candidate, "--strict").code == 5


def test_unlike_runs_are_exit_code_1_and_may_be_allowed(
    baseline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The field and both values; allowed, it is said below the table."""
    candidate = write_fake_run(tmp_path / "after", replace(fake(), users=7))
    called = call(capsys, "compare", baseline, candidate)
    assert called.code == 1
    assert called.err.startswith(f"{candidate}: is unlike {baseline}: load.users: 6 and 7; measure both alike, or ")
    assert "Differs: load.users: 6 and 7" in call(capsys, "compare", baseline, candidate, "--allow", "load.users").out


def test_what_cannot_be_compared_is_exit_code_1(
    baseline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run itself, a directory that is none, and a run of other topologies."""
    other = write_fake_run(tmp_path / "after", FakeRun({"two": FakeTopology()}, WORKLOADS, users=6, window_s=8))
    for candidate, words in ((baseline, "is the baseline itself"), (tmp_path, "is not a run"), (other, "in common")):
        called = call(capsys, "compare", baseline, candidate)
        assert called.code == 1
        assert words in called.err
