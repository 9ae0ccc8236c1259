"""Runs that went otherwise than planned: the report says so plainly and claims nothing more."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from iam_loadtest.analysis.part import ALL_REQUESTS
from iam_loadtest.errors import UserError
from iam_loadtest.report import ReportFiles, write_report
from iam_loadtest.results.run import TEMPORARY_PREFIX
from iam_loadtest.results.trial import Caution, TrialStatus, read_trial, write_trial

from .synthetic import FakeRun, FakeTopology, write_fake_run

Report = Callable[[FakeRun], ReportFiles]
IDS = [
    "001-one-refresh_token-t1",
    "002-two-refresh_token-t1",
    "003-two-refresh_token-t2",
    "004-one-refresh_token-t2",
    "005-one-refresh_token-t3",
    "006-two-refresh_token-t3",
]


def words(files: ReportFiles) -> str:
    """The Markdown report without its escapes."""
    return files.markdown.read_text(encoding="utf-8").replace("\\", "")


def test_an_invalid_trial_is_shown_with_its_reason_and_left_out_of_combined_figures(
    small_run: FakeRun, report_of: Report
) -> None:
    """Its own figures stay in the table of trials and as a cross in the charts."""
    endings = {IDS[0]: (TrialStatus.INVALID, "worker 1 was lost")}
    files = report_of(replace(small_run, endings=endings))
    text = words(files)
    assert "5 of 6 planned trials count (1 ended badly or invalid)" in text
    assert "| invalid |" in text
    assert "worker 1 was lost" in text
    assert "Not ranked: “one” has 2 counted trials, 3 are needed." in text
    document = json.loads(files.json.read_text())
    assert document["trials_excluded"] == {IDS[0]: "worker 1 was lost"}
    assert [cell["trials_counted"] for cell in document["cells"]] == [2, 3]
    assert document["trials"][0]["requests"]["requests"] > 0
    assert "× marks trials" in (files.html.parent / "charts" / "throughput.svg").read_text()


def test_an_attempt_that_was_repeated_on_request_stays_in_the_report(small_run: FakeRun, tmp_path: Path) -> None:
    """All trials count, and the reader learns that one of them was tried before, and why that did not do."""
    run = write_fake_run(tmp_path / "run", small_run)
    trial = read_trial(run / "trials" / IDS[1])
    aside = run / "trials" / f"{IDS[1]}.failed1"
    aside.mkdir()
    write_trial(aside, replace(trial, id=aside.name, status=TrialStatus.FAILED, reason="the IAM was not healthy"))
    files = write_report(run)
    text = words(files)
    assert "6 of 6 planned trials count: " in text
    assert f"Set aside by hand, when it was known how they had ended: 1 attempt ({aside.name})." in text
    assert "| failed, set aside |" in text
    assert "| the IAM was not healthy |" in text
    assert "may change when the matrix is complete" not in text
    document = json.loads(files.json.read_text())
    assert (document["trials_counted"], document["trials_excluded"]) == (6, {aside.name: "the IAM was not healthy"})
    assert f'<testcase classname="two.refresh_token" name="{aside.name}"' in files.junit.read_text()
    assert re.search(r'<skipped type="trial failed" message="the IAM was not healthy"', files.junit.read_text())
    assert "<error" not in files.junit.read_text()


@pytest.mark.usefixtures("no_charts")
def test_a_good_trial_that_was_renamed_does_not_count_twice(small_run: FakeRun, tmp_path: Path) -> None:
    """A copy that somebody kept beside it, say: it is shown, as set aside."""
    run = write_fake_run(tmp_path / "run", small_run)
    shutil.copytree(run / "trials" / IDS[0], run / "trials" / f"{IDS[0]}.bak")
    document = json.loads(write_report(run).json.read_text())
    assert document["trials_excluded"] == {f"{IDS[0]}.bak": "it was good, and set aside by hand"}
    assert [cell["trials_counted"] for cell in document["cells"]] == [3, 3]


def test_an_unfinished_run_lists_what_is_missing(small_run: FakeRun, report_of: Report) -> None:
    """Two of six trials have not run; the second topology has one."""
    files = report_of(replace(small_run, missing=frozenset(IDS[2:4])))
    text = words(files)
    assert "4 of 6 planned trials count (2 missing)" in text
    assert text.count("planned, not run yet or not ended") == 2
    assert json.loads(files.json.read_text())["trials_missing"] == IDS[2:4]


def test_a_run_whose_trials_all_failed_has_no_figures_and_says_why(small_run: FakeRun, report_of: Report) -> None:
    """No bar, no zero, no ranking: reasons."""
    endings = dict.fromkeys(IDS, (TrialStatus.FAILED, "every first chain was refused: invalid_client"))
    files = report_of(replace(small_run, endings=endings))
    text = words(files)
    assert "No trial counts: of 6 planned trials" in text
    assert "Most often: every first chain was refused: invalid" in text
    assert "Nothing to draw: no trial has a complete measured window." in text
    assert text.count("| every first chain was refused: invalid_client |") == 6
    assert not (files.html.parent / "charts" / "throughput.svg").exists()
    assert all(cell["requests"]["throughput_per_s"]["geometric_mean"] is None for cell in _cells(files))


def test_a_run_without_any_trial_says_that_there_is_nothing_yet(small_run: FakeRun, report_of: Report) -> None:
    """It is a report all the same."""
    files = report_of(replace(small_run, missing=frozenset(IDS)))
    assert "No trial has ended yet: 6 trials of 2 topologies under 1 workload planned." in words(files)


def test_a_single_trial_has_no_range_and_is_not_ranked(small_run: FakeRun, report_of: Report) -> None:
    """One trial is one number."""
    files = report_of(replace(small_run, trials=1))
    text = words(files)
    assert "Not ranked: “one” has 1 counted trial, 3 are needed." in text
    assert "2 cells with fewer than 3 counted trials" in text
    assert "[" not in text.split("## Results")[1].split("##")[0].split("\n\n")[1]


def test_a_single_topology_compares_nothing(small_run: FakeRun, report_of: Report) -> None:
    """And says so."""
    text = words(report_of(replace(small_run, topologies={"one": FakeTopology(provider="url")})))
    assert "One topology only: nothing is compared." in text
    assert "built-in IAM" not in text.split("## Results")[0].replace("Built-in", "")


def test_without_any_success_throughput_is_zero_and_latency_not_known(small_run: FakeRun, report_of: Report) -> None:
    """100 % failures: each figure that exists is shown, and no other."""
    topologies = {"one": FakeTopology(), "two": FakeTopology(failures={"server_error": 1.0})}
    files = report_of(replace(small_run, topologies=topologies))
    text = words(files)
    assert "“two” 0 [0–0] successful requests/s, no successful chain" in text
    two = next(cell for cell in _cells(files) if cell["topology"] == "two")
    assert (two["requests"]["failure_share"], two["chain"]["p95_ms"]["geometric_mean"]) == (1.0, None)
    assert "| 100 % |" in text
    assert "mostly server_error (any other 5xx, or another status with words of a failed database)" in text
    assert "Over 1 % of requests failed with “two” under refresh_token: what failed" in text


@pytest.mark.usefixtures("no_charts")
def test_every_request_failed_everywhere(small_run: FakeRun, report_of: Report) -> None:
    """Then the answer says exactly that."""
    topologies = {"one": FakeTopology(failures={"timeout": 1.0})}
    text = words(report_of(replace(small_run, topologies=topologies)))
    assert "requests failed, mostly timeout (no complete answer within the time limit)" in text
    assert "Every one of" in text


def test_unstable_trials_are_not_ranked(small_run: FakeRun, report_of: Report) -> None:
    """Trials that differ by half are shown with their range and no ranking word."""
    topologies = {"one": FakeTopology(), "two": FakeTopology(spread=0.6)}
    files = report_of(replace(small_run, topologies=topologies))
    text = words(files)
    assert "Not ranked: the trials of “two” differ too much from each other in throughput and p95." in text
    assert [cell["unstable"] for cell in _cells(files)] == [False, True]
    assert "throughput is" not in text
    chart = (files.html.parent / "charts" / "throughput.svg").read_text(encoding="utf-8")
    assert "hollow without a bar: trials too far apart" in " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", chart))


def test_what_is_not_ranked_has_no_ratio_anywhere(small_run: FakeRun, report_of: Report) -> None:
    """Neither in the page nor in Markdown nor in JSON, and no comparison is said to be allowed for."""
    files = report_of(replace(small_run, trials=2))
    reason = "“one” has 2 counted trials, 3 are needed"
    row = f"| refresh_token | two | throughput | n/a | n/a | not ranked: {reason} | n/a | n/a | n/a |"
    assert row in words(files)
    assert "×" not in words(files).split("### Compared with the baseline")[1].split("###")[0]
    table = files.html.read_text(encoding="utf-8").split('<table id="comparisons"')[1].split("<h3>")[0]
    assert f"not ranked: {reason}" in table
    assert "×" not in table
    assert "allow for" not in table
    found = json.loads(files.json.read_text())["comparisons"]
    assert [(one["ratio"], one["not_ranked_because"]) for one in found] == [(None, reason)] * 2
    assert "ratio_throughput" not in {path.stem for path in files.charts}


def test_a_failure_share_stands_with_its_interval(small_run: FakeRun, report_of: Report) -> None:
    """In the results, the details, the answer, the picture's words, CSV and JSON; one trial has none."""
    topologies = {"one": FakeTopology(), "two": FakeTopology(failures={"timeout": 0.05})}
    files = report_of(replace(small_run, topologies=topologies))
    two = next(cell["requests"] for cell in _cells(files) if cell["topology"] == "two")
    low, share, high = (two[f"failure_share{end}"] for end in ("_ci95_low", "", "_ci95_high"))
    assert low < share < high
    shown = f"{share * 100:.2f} % ({low * 100:.2f}–{high * 100:.2f})"
    text = words(files)
    assert text.count(shown) == 2
    assert f"under refresh_token: {share * 100:.2f} %, 95 % interval {low * 100:.2f}–{high * 100:.2f} %;" in text
    assert re.search(r"\| one \|.* 0 % \(below \d\.\d\d\) \|", text)
    assert f"refresh_token, two: {shown}" in files.html.read_text(encoding="utf-8")
    rows = [row for row in csv.DictReader(files.csv.open()) if row["topology"] == "two" and row["step"] == ALL_REQUESTS]
    found = {row["row"]: row["failure_share"] for row in rows if row["row"] != "trial"}
    assert (float(found["ci95_low"]), float(found["ci95_high"])) == (low, high)


@pytest.mark.usefixtures("no_charts")
def test_a_caution_stands_with_its_remedy_and_its_trials(small_run: FakeRun, report_of: Report) -> None:
    """The same caution of two trials stands once."""
    caution = Caution("generator", "The busiest worker used 97 % of its core.", "Use more workers.")
    files = report_of(replace(small_run, cautions={IDS[0]: (caution,), IDS[1]: (caution,)}))
    text = words(files)
    assert text.count("Use more workers.") == 1
    assert f"({IDS[0]}, {IDS[1]})" in text


@pytest.mark.usefixtures("no_charts")
def test_samples_that_are_gone_take_their_trial_out(small_run: FakeRun, tmp_path: Path) -> None:
    """With the reason, while the others are reported."""
    run = write_fake_run(tmp_path / "run", small_run)
    (run / "trials" / IDS[0] / "samples.parquet").unlink()
    text = words(write_report(run))
    assert "5 of 6 planned trials count" in text
    assert "samples.parquet is missing" in text


@pytest.mark.usefixtures("no_charts")
def test_what_a_killed_runner_left_is_ignored(small_run: FakeRun, tmp_path: Path) -> None:
    """A whole trial's files under the name of a trial in progress, and an empty directory: both trials are missing."""
    run = write_fake_run(tmp_path / "run", small_run)
    trials = run / "trials"
    (trials / IDS[4]).rename(trials / f"{TEMPORARY_PREFIX}{IDS[4]}")
    shutil.rmtree(trials / IDS[5])
    (trials / f"{TEMPORARY_PREFIX}{IDS[5]}").mkdir()
    files = write_report(run)
    assert "4 of 6 planned trials count (2 missing)" in words(files)
    assert TEMPORARY_PREFIX not in words(files)
    document = json.loads(files.json.read_text())
    assert (document["trials_missing"], document["trials_excluded"]) == (IDS[4:], {})
    assert [cell["trials_counted"] for cell in document["cells"]] == [2, 2]


def test_charts_that_are_no_longer_drawn_are_removed(small_run: FakeRun, tmp_path: Path) -> None:
    """A chart of failures from before must not stand beside a report without any."""
    run = write_fake_run(tmp_path / "run", small_run)
    write_report(run)
    assert (run / "charts" / "failures.svg").exists()
    shutil.rmtree(run / "trials")
    healthy = {"one": FakeTopology(), "two": FakeTopology()}
    write_report(write_fake_run(run, replace(small_run, topologies=healthy)))
    assert not (run / "charts" / "failures.svg").exists()
    assert (run / "charts" / "throughput.svg").exists()


@pytest.mark.usefixtures("no_charts")
def test_optional_parts_of_the_scenario_may_be_missing(small_run: FakeRun, tmp_path: Path) -> None:
    """A run.json with a bare scenario gives a report."""
    run = write_fake_run(tmp_path / "run", small_run)
    document = json.loads((run / "run.json").read_text())
    document.update(scenario={}, machine={}, versions={})
    (run / "run.json").write_text(json.dumps(document))
    assert "6 of 6 planned trials count: 2 topologies under 1 workload; closed model." in words(write_report(run))


@pytest.mark.usefixtures("no_charts")
def test_objectives_are_judged_per_cell(small_run: FakeRun, tmp_path: Path) -> None:
    """Met and missed stand in the table; what nobody can read is left out."""
    run = write_fake_run(tmp_path / "run", small_run)
    document = json.loads((run / "run.json").read_text())
    document["scenario"]["objectives"] = [{"expect": "p95 < 1ms"}, "failures < 99%", {"expect": "beauty > 3"}, 7]
    (run / "run.json").write_text(json.dumps(document))
    text = words(write_report(run))
    assert text.count("| missed |") == 2
    assert text.count("| met |") == 2
    assert "beauty" not in text


def test_a_directory_that_is_no_run_is_refused(tmp_path: Path) -> None:
    """With a line that says what to name instead."""
    with pytest.raises(UserError, match=r"is not a run: it has no run\.json"):
        write_report(tmp_path)


@pytest.mark.usefixtures("no_charts")
def test_a_directory_that_cannot_hold_charts_is_refused(small_run: FakeRun, tmp_path: Path) -> None:
    """A file is in the way."""
    run = write_fake_run(tmp_path / "run", replace(small_run, trials=1))
    (run / "charts").write_text("in the way")
    with pytest.raises(UserError, match="charts: cannot be made"):
        write_report(run)


@pytest.mark.usefixtures("no_charts")
def test_the_csv_of_a_trial_without_figures_names_it(small_run: FakeRun, report_of: Report) -> None:
    """One row with its status, and nothing invented."""
    files = report_of(replace(small_run, endings={IDS[0]: (TrialStatus.FAILED, "the IAM is down")}))
    rows = [row for row in csv.DictReader(files.csv.open()) if row["trial_id"] == IDS[0]]
    assert [(row["status"], row["counted"], row["step"], row["requests"]) for row in rows] == [("failed", "no", "", "")]


def _cells(files: ReportFiles) -> list[dict]:  # type: ignore[type-arg]  plain JSON
    found: list[dict] = json.loads(files.json.read_text())["cells"]  # type: ignore[type-arg]  plain JSON
    return found


@pytest.mark.usefixtures("no_charts")
def test_what_became_of_stale_reads_is_counted_over_the_trials(small_run: FakeRun, tmp_path: Path) -> None:
    """Two trials of one topology had some; the other topology has no row."""
    run = write_fake_run(tmp_path, small_run)
    for trial, counts in ((IDS[0], {"confirmed": 3, "unconfirmed": 1}), (IDS[3], {"confirmed": 4, "not_followed": 2})):
        path = run / "trials" / trial / "trial.json"
        document = json.loads(path.read_text())
        document["counts"]["stale_reads"] = counts
        path.write_text(json.dumps(document))
    text = words(write_report(run))
    assert "| refresh_token | one | 7 | 1 | 0 | 2 |" in text
    assert text.count("Accepted later:") == 1
