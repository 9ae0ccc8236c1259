"""The numbers in summary.json and summary.csv are those of the samples, computed another way."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import duckdb
import pytest

from iam_loadtest.report import ReportFiles

# quantile_disc is the smallest value whose cumulative share reaches p.
TRIAL = """
select count(*) filter (step <> 'workflow'), count(*) filter (step <> 'workflow' and outcome = 'ok'),
       quantile_disc(latency_us, [0.5, 0.8, 0.95, 0.99]) filter (step = 'workflow' and outcome = 'ok')
from read_parquet($1) where started_us >= $2 and started_us < $3
"""


def test_every_trial_has_the_figures_of_its_samples(finished: ReportFiles) -> None:
    """Requests, throughput and percentiles of the chain."""
    for one in json.loads(finished.json.read_text())["trials"]:
        requests, ok, percentiles, window_s = by_duckdb(finished.html.parent, one["id"])
        assert (one["requests"]["requests"], one["requests"]["failed"]) == (requests, requests - ok)
        assert one["requests"]["throughput_per_s"] == pytest.approx(ok / window_s)
        assert [one["chain"][f"{name}_ms"] for name in ("p50", "p80", "p95", "p99")] == [p / 1000 for p in percentiles]


def test_combined_figures_are_geometric_means_and_ranges_of_the_trials(finished: ReportFiles) -> None:
    """From the rows of summary.csv alone: what stands over the trials follows from the trials."""
    rows = list(csv.DictReader(finished.csv.open()))
    for mean in (row for row in rows if row["row"] == "geometric_mean"):
        key = ("topology", "workload", "step")
        same = [row for row in rows if all(row[name] == mean[name] for name in key)]
        for name in ("throughput_per_s", "p50_ms", "p95_ms", "max_ms"):
            values = [float(row[name]) for row in same if row["row"] == "trial" and row[name]]
            if mean["step"] == "all requests" and name != "throughput_per_s":
                assert not mean[name]
                continue
            assert len(values) == 3
            assert float(mean[name]) == pytest.approx(math.prod(values) ** (1 / 3))
            found = {row["row"]: row[name] for row in same}
            assert (float(found["minimum"]), float(found["maximum"])) == (min(values), max(values))


def test_the_csv_has_a_row_for_every_trial_and_step(finished: ReportFiles) -> None:
    """Six cells of three trials with one, two and three steps, the chain and all requests."""
    rows = [row for row in csv.DictReader(finished.csv.open()) if row["row"] == "trial"]
    assert len(rows) == 2 * 3 * (1 + 2 + 3 + 3 * 2)
    assert len({(row["trial_id"], row["step"]) for row in rows}) == len(rows)


def by_duckdb(run: Path, trial: str) -> tuple[int, int, list[int], float]:
    marks: dict[str, Any] = json.loads((run / "trials" / trial / "trial.json").read_text())["marks"]
    start_us, end_us = marks["window_start_us"], marks["window_end_us"]
    samples = str(run / "trials" / trial / "samples.parquet")
    found = duckdb.execute(TRIAL, [samples, start_us, end_us]).fetchone()
    assert found is not None
    return (*found, (end_us - start_us) / 1e6)
