"""Factors and demand in the report: effects with their intervals, curves, and how far the demand is carried."""

from __future__ import annotations

import json
import re

import pytest

from iam_loadtest.report import ReportFiles, write_report

from .synthetic import FakeRun, FakeTopology, write_fake_run


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> ReportFiles:
    """Two databases at 0, 30 and 100 ms, one of them also at 200 ms, where its trials are unstable."""
    topologies = {
        f"{database}-{latency_ms}": FakeTopology(
            (1 + latency_ms / 40) * slowness,
            provider="url",
            factors={"database": database, "latency_ms": latency_ms},
        )
        for database, slowness in (("galera", 1.0), ("replication", 2.0))
        for latency_ms in (0, 30, 100)
    }
    topologies["galera-200"] = FakeTopology(
        6.0, spread=0.5, provider="url", factors={"database": "galera", "latency_ms": 200}
    )
    fake = FakeRun(topologies, workloads={"refresh": ["issue", "refresh"]}, users=3, window_s=8.0, name="study")
    run = write_fake_run(tmp_path_factory.mktemp("runs") / "study", fake)
    document = json.loads((run / "run.json").read_text())
    document["scenario"]["demand"] = {"tokens_per_hour": 2000, "peak_factor": 9}
    document["scenario"]["objectives"] = ["p95 < 300ms"]
    (run / "run.json").write_text(json.dumps(document))
    return write_report(run)


@pytest.fixture(scope="module")
def text(study: ReportFiles) -> str:
    """The Markdown report without its escapes."""
    return study.markdown.read_text(encoding="utf-8").replace("\\", "")


def test_the_answer_states_what_a_factor_does_with_its_interval(text: str) -> None:
    """Half as fast with replication, in every surroundings or common to them; 100 ms are 3.5 times slower."""
    answer = text.split("## The answer")[1].split("## Results", maxsplit=1)[0]
    found = re.search(
        r"\*\*latency_ms 0 → 100\*\*: throughput ×0\.2\d+ \[0\.\d+–0\.\d+\] under refresh",
        answer,
    )
    assert found
    assert re.search(r"\*\*database galera → replication \(pooled [^*]*\)\*\*: throughput ×0\.(49|5)", answer)


def test_the_table_of_effects_names_the_pairs_it_rests_on(text: str) -> None:
    """And says why nothing is stated of the unstable topology."""
    table = text.split("### What each factor does")[1].split("###", maxsplit=1)[0]
    assert "| galera-0 → replication-0 (latency_ms 0) |" in table
    assert "not stated: the trials of “galera-200” differ too much from each other" in table


def test_a_pooled_effect_says_over_what_it_was_pooled(text: str, study: ReportFiles) -> None:
    """Of galera against replication at each latency; the caption says how, and that workloads are not pooled."""
    table = text.split("### What each factor does")[1].split("###", maxsplit=1)[0]
    pairs = "galera-0 → replication-0; galera-30 → replication-30; galera-100 → replication-100"
    assert f"| {pairs} (pooled over latency_ms 0, 30 and 100) |" in table
    assert "(not pooled over database galera and replication) |" in table
    assert "no workloads are pooled, nor pairs whose effects differ (F test)" in table
    pooled = [one for one in json.loads(study.json.read_text())["effects"] if one["pooled_over"]]
    assert {"latency_ms": [0, 30, 100]} in [one["pooled_over"] for one in pooled]


def test_a_numeric_factor_has_a_curve_for_each_surroundings(study: ReportFiles) -> None:
    """Labelled by what tells them apart; every level is on the axis."""
    svg = (study.html.parent / "charts" / "curve_1.svg").read_text(encoding="utf-8")
    words = set(re.findall(r"<text[^>]*>([^<]*)</text>", svg))
    assert {"galera", "replication", "0", "30", "100", "200", "latency_ms", "successful requests/s"} <= words
    assert svg.count("stroke-dasharray") >= 2, "the dashed curve and its sample beside the name"
    assert (study.html.parent / "charts" / "curve_2.svg").exists()


def test_the_demand_is_carried_only_within_the_objectives(text: str) -> None:
    """2,000 tokens an hour at nine times the average are 5 a second; slow topologies answer more, too late."""
    answer = text.split("## The answer")[1].split("## Results", maxsplit=1)[0]
    assert "the peak of 5.00 tokens/s was carried at least so many times over: “galera-0” ×" in answer
    assert re.search(r"“galera-0” ×[\d.]+ \(under refresh, 95 % interval [\d.]+–[\d.]+\)", answer)
    missed = re.search(r"no workload shows that (.*) would carry the tokens of the peak", answer)
    assert missed
    assert "“replication-100”" in missed[1]
    table = text.split("### Against the demand")[1].split("###", maxsplit=1)[0]
    assert "| refresh | replication-100 | tokens | 5.00 |" in table
    assert "| missed |" in table


def test_without_factors_or_demand_there_are_no_such_sections(finished: ReportFiles) -> None:
    """One and two frontends have factors; a demand was not set."""
    page = finished.markdown.read_text(encoding="utf-8")
    assert "### What each factor does" in page
    assert "### Against the demand" not in page
    assert not (finished.html.parent / "charts" / "curve_1.svg").exists()
