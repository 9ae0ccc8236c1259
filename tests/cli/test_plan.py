"""`plan` shows the trials, their order and the time, and starts nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from iam_loadtest.units import parse_duration_s
from tests.cli.front_door import call

SCENARIO = """\
name: small
topologies:
  one: {provider: embedded}
  two: {provider: embedded, frontends: 2}
workloads: {access: [issue], refresh: [issue_for_user, refresh]}
load: {users: 20, spawn_rate_per_s: 10, warm_up: 3s, duration: 50s, cool_down: 0s, rest: 10s, trials: 2, workers: 2}
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    """Two topologies, two workloads, two trials: 5 s start, 2 s ramp, 3 s warm-up, 50 s measured are 60 s a trial."""
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


def test_the_whole_plan_is_printed(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There and back, a trial every 70 s, eight trials of a minute and seven rests: 9m10s."""
    called = call(capsys, "plan", scenario)
    assert (called.code, called.err) == (0, "")
    *lines, summary, time = called.out.splitlines()
    assert [line.split() for line in lines] == [
        ["no", "starts", "at", "topology", "workload", "trial"],
        ["1", "0s", "one", "access", "1"],
        ["2", "1m10s", "one", "refresh", "1"],
        ["3", "2m20s", "two", "access", "1"],
        ["4", "3m30s", "two", "refresh", "1"],
        ["5", "4m40s", "two", "refresh", "2"],
        ["6", "5m50s", "two", "access", "2"],
        ["7", "7m", "one", "refresh", "2"],
        ["8", "8m10s", "one", "access", "2"],
    ]
    assert summary == "8 trials of 1m each: 20 users at 10/s, 3s warm-up, 50s measured, 2 workers."
    assert time == "Expected time: 9m10s."


def test_options_change_the_plan(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The plan that is shown is that of `run` with the same options."""
    options = ["--trials", "1", "--duration", "30s", "--warm-up", "0", "--users", "40", "--workers", "3"]
    called = call(capsys, "plan", scenario, *options, "--only", "two/access")
    assert called.out.splitlines()[1].split() == ["1", "0s", "two", "access", "1"]
    assert called.out.splitlines()[-2:] == [
        "1 trial of 39s each: 40 users at 10/s, 0s warm-up, 30s measured, 3 workers.",
        "Expected time: 39s.",
    ]


def test_an_unknown_name_lists_the_known_ones(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1."""
    called = call(capsys, "plan", scenario, "--only", "three")
    assert (called.code, called.out) == (1, "")
    assert called.err == (
        "--only three: must be a topology (one, two), a workload (access, refresh) or TOPOLOGY/WORKLOAD.\n"
    )


QUICK = "quick: {load: {duration: 5s, warm_up: 0s, trials: 3}, only: [one, two/access]}\n"


def test_the_quick_size_is_the_scenario_s_own(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """5 s start, 2 s ramp, 5 s measured are 12 s; three trials of three cells with eight rests of 10 s: 3m08s."""
    scenario.write_text(SCENARIO + QUICK, encoding="utf-8")
    *lines, summary, time = call(capsys, "plan", scenario, "--quick").out.splitlines()
    assert [line.split()[2:] for line in lines[1:4]] == [
        ["one", "access", "1"],
        ["one", "refresh", "1"],
        ["two", "access", "1"],
    ]
    assert len(lines) == 1 + 9
    assert summary == "9 trials of 12s each: 20 users at 10/s, 0s warm-up, 5s measured, 2 workers."
    assert time == "Expected time: 3m08s."


def test_options_go_on_top_of_the_quick_size(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What --only names is kept in place of what quick keeps; quick changes the rest."""
    scenario.write_text(SCENARIO + QUICK, encoding="utf-8")
    called = call(capsys, "plan", scenario, "--quick", "--trials", "1", "--only", "two/refresh")
    assert called.out.splitlines()[-2] == ("1 trial of 12s each: 20 users at 10/s, 0s warm-up, 5s measured, 2 workers.")


def test_a_scenario_without_a_quick_size_says_how_to_give_it_one(
    scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    called = call(capsys, "plan", scenario, "--quick")
    assert called.code == 1
    assert called.err == (
        f"{scenario}: has no quick size; add quick: {{load: {{duration: 5s}}}}, or leave --quick out.\n"
    )


def test_the_time_counts_the_start_of_a_lab(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A trial whose topology has to be built takes longer than one whose topology stands at once."""
    scenario.write_text(SCENARIO.replace("two: {provider: embedded", "two: {provider: lab"), encoding="utf-8")
    summary = call(capsys, "plan", scenario).out.splitlines()[-2]
    shortest, longest = summary.split(" each")[0].split(" of ")[1].split(" to ")
    assert shortest == "1m"
    assert parse_duration_s(longest) > 60


def test_the_open_model_is_named_with_its_rates(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is asked each second, not who asks."""
    stages = "stages: [{duration: 20s, arrival_rate_per_s: 50}, {duration: 20s, arrival_rate_per_s: 75.5}]"
    scenario.write_text(SCENARIO.replace("load: {", f"load: {{arrival_rate_per_s: 50, {stages}, "), encoding="utf-8")
    summary = call(capsys, "plan", scenario).out.splitlines()[-2]
    assert "each: open model, 50, 75.5 chains/s, up to 20 at once, 3s warm-up, 50s measured" in summary


def test_a_workload_without_trials_of_its_own_cannot_be_chosen(
    scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names those that have some."""
    scenario.write_text(SCENARIO + "trials_of: [refresh]\n", encoding="utf-8")
    called = call(capsys, "plan", scenario, "--only", "access")
    assert called.err == "--only access: must be a topology (one, two), a workload (refresh) or TOPOLOGY/WORKLOAD.\n"


def test_the_time_counts_the_audit_of_probes(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """4 s to settle, then half of the 53 s in which they wrote: 60 s become 1m30s; a workload without them stays."""
    scenario.write_text(SCENARIO + "probes: {settle: 4s}\n", encoding="utf-8")
    summary = call(capsys, "plan", scenario, "--trials", "1").out.splitlines()[-2]
    assert summary.startswith("4 trials of 1m30s each: ")
    alone = "workloads: {access: [issue], alone: {probes: [issue-introspect]}}"
    text = SCENARIO.replace("workloads: {access: [issue], refresh: [issue_for_user, refresh]}", alone)
    scenario.write_text(text, encoding="utf-8")
    summary = call(capsys, "plan", scenario, "--trials", "1").out.splitlines()[-2]
    assert summary.startswith("4 trials of 1m to 1m28s each: ")


def test_a_long_audit_is_counted_as_long_as_it_may_take(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten minutes of probes: 2 s to settle and a minute, on top of 5 s start, 2 s ramp, 3 s warm-up: 11m12s."""
    scenario.write_text(SCENARIO + "probes: {}\n", encoding="utf-8")
    called = call(capsys, "plan", scenario, "--duration", "10m", "--trials", "1", "--only", "one/access")
    assert called.out.splitlines()[-1] == "Expected time: 11m12s."


def test_more_workers_than_cores_are_noted(
    scenario: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before hours were spent on trials that do not count; as many as there are cores are as it should be."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    assert call(capsys, "plan", scenario, "--workers", "3").err == ""
    called = call(capsys, "plan", scenario, "--workers", "4")
    assert called.code == 0
    assert called.err.startswith("Note: 4 workers share 3 cores here. ")
    assert called.err.endswith("by load.workers or --workers 3.\n")
