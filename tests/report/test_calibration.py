"""What the generator alone can do, beside the trials that came nearest to that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from iam_loadtest.analysis.summary import RunSummary, summarise_directory
from iam_loadtest.report.calibration import calibration_table
from tests.report.synthetic import FakeRun, write_fake_run


def shown(summary: RunSummary) -> dict[str, list[str]]:
    return {row[0].text: [entry.text for entry in row[1:]] for row in calibration_table(summary).rows}


def test_the_trials_are_shown_as_a_share_of_what_the_generator_can_offer(tmp_path: Path, small_run: FakeRun) -> None:
    """Two workers on two cores can offer 40,000/s at 20,000/s each."""
    summary = summarise_directory(write_fake_run(tmp_path / "run", small_run))
    rows = shown(summary)
    rate = max(one.requests.attempted_per_s or 0 for one in summary.trials if one.requests)
    assert rows["Requests/s per core"][0] == "20,000"
    assert rows["Requests/s of 2 workers on 2 cores"][0] == "40,000"
    assert rows["Requests/s of 2 workers on 2 cores"][2] == f"{100 * rate / 40_000:.1f} %"
    lowest_ms = min(step.latency.p50_us or 0 for one in summary.trials for step in one.steps) / 1000
    assert rows["Latency of a request, p50 ms"][2] == f"{100 * 0.11 / lowest_ms:.1f} %"


def test_a_trial_near_the_generator_s_limit_is_marked(tmp_path: Path, small_run: FakeRun) -> None:
    summary = summarise_directory(write_fake_run(tmp_path / "run", small_run))
    rate = max(one.requests.attempted_per_s or 0 for one in summary.trials if one.requests)
    info = summary.run.info
    weak = replace(info, calibration={**(info.calibration or {}), "requests_per_cpu_s": rate})
    marked = calibration_table(replace(summary, run=replace(summary.run, info=weak)))
    assert marked.rows[1][3].text == "50.0 %"
    assert marked.rows[1][3].mark == "", "half of it is the limit itself"
    weaker = replace(info, calibration={**(info.calibration or {}), "requests_per_cpu_s": 0.9 * rate})
    assert calibration_table(replace(summary, run=replace(summary.run, info=weaker))).rows[1][3].mark == "bad"


def test_one_worker_is_no_plural(tmp_path: Path, small_run: FakeRun) -> None:
    """Of two cores it uses one."""
    summary = summarise_directory(write_fake_run(tmp_path / "run", replace(small_run, trials=1)))
    load = {**summary.run.info.scenario["load"], "workers": 1}
    info = replace(summary.run.info, scenario={**summary.run.info.scenario, "load": load})
    rows = shown(replace(summary, run=replace(summary.run, info=info)))
    assert rows["Requests/s of 1 worker on 2 cores"][0] == "20,000"


def test_without_a_calibration_there_is_no_row(tmp_path: Path, small_run: FakeRun) -> None:
    summary = summarise_directory(write_fake_run(tmp_path / "run", small_run))
    bare = replace(summary.run, info=replace(summary.run.info, calibration=None))
    assert calibration_table(replace(summary, run=bare)).rows == ()
