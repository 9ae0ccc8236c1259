"""More topologies than fit into a sentence, and figures that are far apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from iam_loadtest.report import ReportFiles, write_report

from .synthetic import FakeRun, FakeTopology, write_fake_run

Report = Callable[[FakeRun], ReportFiles]
SLOWNESS = {"base": 1.0, "same": 1.0, "fast": 0.5, "faster": 0.25, "slow": 2.0, "slower": 40.0}


def five(spread: float = 0.01) -> dict[str, FakeTopology]:
    return {name: FakeTopology(slowness, spread=spread, provider="url") for name, slowness in SLOWNESS.items()}


@pytest.fixture(scope="module")
def far_apart(tmp_path_factory: pytest.TempPathFactory) -> ReportFiles:
    """The report of five topologies against the baseline."""
    fake = FakeRun(five(), {"refresh_token": ["issue", "refresh"]}, users=4, window_s=3.0)
    return write_report(write_fake_run(tmp_path_factory.mktemp("runs") / "run", fake))


def test_the_answer_names_ratios_and_leaves_intervals_to_the_table(far_apart: ReportFiles) -> None:
    """Grouped by what they came to; the fastest stands with the better ones, the slow with the worse."""
    text = far_apart.markdown.read_text(encoding="utf-8").replace("\\", "")
    answer = text.split("## The answer")[1].split("## Results")[0]
    throughput = answer.split("throughput is ")[1].split(". Against")[0]
    higher, lower = throughput.split("; lower with ")
    assert "“fast” (×" in higher
    assert "“faster” (×" in higher
    assert "“slow” (×" in lower
    assert "interval" not in throughput
    assert "| faster | throughput |" in text


def test_figures_far_apart_have_a_logarithmic_scale_that_says_so(far_apart: ReportFiles) -> None:
    """Forty times slower and four times faster are 160 apart: bars from zero would hide the small ones."""
    svg = (far_apart.html.parent / "charts" / "p50.svg").read_text(encoding="utf-8")
    assert "ms (less is better), log scale" in svg


@pytest.mark.usefixtures("no_charts")
def test_trials_that_cannot_tell_are_inconclusive_in_words_and_numbers(small_run: FakeRun, report_of: Report) -> None:
    """Seven per cent between trials of the same server."""
    same = {"base": FakeTopology(spread=0.05), "same": FakeTopology(spread=0.05)}
    files = report_of(replace(small_run, topologies=same, seed=3))
    text = files.markdown.read_text(encoding="utf-8")
    found = json.loads(files.json.read_text())["comparisons"]
    ranked = [one for one in found if one["verdict"]]
    assert ranked
    assert {one["verdict"] for one in ranked} == {"INCONCLUSIVE"}
    assert "without a difference shown with “same”" in text
    assert "No difference shown is not the same as no difference" in text


@pytest.mark.usefixtures("no_charts")
def test_many_that_cannot_be_ranked_are_named_once(small_run: FakeRun, report_of: Report) -> None:
    """The reasons stand in the table of comparisons."""
    files = report_of(replace(small_run, topologies=five(), trials=2))
    text = files.markdown.read_text(encoding="utf-8").replace("\\", "")
    assert "Not ranked: “same”, “fast”, “faster”, “slow” and “slower”; the table of comparisons says why." in text
    assert "“base” has 2 counted trials, 3 are needed" in text
