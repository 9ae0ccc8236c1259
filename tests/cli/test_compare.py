"""`compare`: its exit codes for pipelines, its table, its JSON, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from iam_loadtest.results.trial import TrialStatus
from tests.cli.front_door import call
from tests.report.synthetic import FakeRun, FakeTopology, planned_trials, write_fake_run

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
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three trials each, five per cent apart, of the same server."""
    runs = [write_fake_run(tmp_path / f"run{seed}", fake(spread=0.05, seed=seed)) for seed in (3, 4)]
    assert call(capsys, "compare", *runs).code == 0
    assert call(capsys, "compare", *runs, "--strict").code == 5


@pytest.mark.parametrize("option", [(), ("--strict",)])
def test_too_few_trials_everywhere_are_no_success(
    option: tuple[str, ...], baseline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two trials compare nothing, whatever they show: exit code 1, below the table that has no bare ratio."""
    candidate = write_fake_run(tmp_path / "after", replace(fake(1.5), trials=2))
    called = call(capsys, "compare", baseline, candidate, *option)
    assert called.code == 1
    assert called.err == (
        f"{candidate}: no topology and workload has 3 counted trials in both runs, nothing is compared; "
        "run more trials.\n"
    )
    assert called.out.count("not ranked: “the candidate” has 2 counted trials, 3 are needed") == 2
    assert "×" not in called.out
    assert "BETTER and WORSE" not in called.out


def test_a_candidate_without_a_counted_trial_is_exit_code_1(
    baseline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every trial of it was invalid; programs read the same code."""
    ids = [f"00{i}-one-access_token-t{i}" for i in (1, 2, 3)]
    lost = replace(fake(), endings=dict.fromkeys(ids, (TrialStatus.INVALID, "worker 1 was lost")))
    candidate = write_fake_run(tmp_path / "after", lost)
    called = call(capsys, "compare", baseline, candidate, "--json")
    assert (called.code, json.loads(called.out)["exit_code"]) == (1, 1)
    assert called.err == f"{candidate}: none of its trials counts, nothing is compared; its report names the reasons.\n"


def test_one_topology_without_a_counted_trial_is_exit_code_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other one is compared and no worse; the one that broke is named."""
    both = replace(fake(), topologies={"one": FakeTopology(spread=0.002), "two": FakeTopology(spread=0.002)})
    broken = [planned.id for planned in planned_trials(both) if planned.topology == "two"]
    runs = [
        write_fake_run(tmp_path / "before", both),
        write_fake_run(tmp_path / "after", replace(both, endings=dict.fromkeys(broken, (TrialStatus.FAILED, "down")))),
    ]
    called = call(capsys, "compare", *runs)
    assert called.code == 3
    assert "Without a counted trial in one of the runs: two / access_token" in called.out


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
