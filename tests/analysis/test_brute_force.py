"""The figures equal what DuckDB and pandas compute from the same file, row by row."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from iam_loadtest.analysis.part import Part
from iam_loadtest.analysis.trial_summary import TrialSummary, summarise_trial
from iam_loadtest.results.sample import Sample
from iam_loadtest.results.trial import SAMPLES_FILE

from .samples import row, trial, write_rows

START_US, END_US = 1_000_000, 3_000_000
LATENCY = st.one_of(st.integers(0, 40), st.integers(0, 2**32 - 1))
SAMPLES = st.lists(
    st.builds(
        row,
        st.one_of(st.integers(-10, 4_000_000), st.sampled_from([START_US - 1, START_US, END_US - 1, END_US])),
        st.sampled_from(["issue", "refresh", "workflow"]),
        LATENCY,
        st.sampled_from(["ok", "ok", "ok", "timeout", "stale_read"]),
        st.sampled_from([0, 0, 7]),
    ),
    max_size=80,
)

# quantile_disc is the smallest value whose cumulative share reaches p: the definition that the report uses.
DUCKDB = """
select step, count(*), count(*) filter (outcome = 'ok'),
       quantile_disc(latency_us + late_us::bigint, [0.5, 0.8, 0.95, 0.99, 0.999]) filter (outcome = 'ok'),
       max(latency_us + late_us::bigint) filter (outcome = 'ok')
from read_parquet($1) where started_us >= $2 and started_us < $3 group by step
"""

Figures = dict[str, tuple[Any, ...]]


@settings(max_examples=60, deadline=None)
@given(SAMPLES)
def test_figures_equal_those_of_duckdb_and_pandas(rows: list[Sample]) -> None:
    """Counts, percentiles and throughput of every step and of the chain."""
    with tempfile.TemporaryDirectory() as directory:
        summary = summarise_trial(write_rows(Path(directory), rows), trial())
        samples = Path(directory) / SAMPLES_FILE
        assert _ours(summary) == _by_duckdb(samples) == _by_pandas(samples)


def _ours(summary: TrialSummary) -> Figures:
    parts: list[Part] = [*summary.steps, *([summary.chain] if summary.chain else [])]
    return {
        part.name: (
            part.requests,
            part.throughput_per_s,
            part.attempted_per_s,
            part.failure_share,
            part.latency.p50_us,
            part.latency.p80_us,
            part.latency.p95_us,
            part.latency.p99_us,
            part.latency.p99_9_us,
            part.latency.max_us,
        )
        for part in parts
    }


def _by_duckdb(samples: Path) -> Figures:
    rows = duckdb.execute(DUCKDB, [str(samples), START_US, END_US]).fetchall()
    return {
        step: (count, ok / 2, count / 2, (count - ok) / count, *(found or [None] * 5), highest)
        for step, count, ok, found, highest in rows
    }


def _by_pandas(samples: Path) -> Figures:
    table = pd.read_parquet(samples)
    table = table[(table["started_us"] >= START_US) & (table["started_us"] < END_US)]
    figures: Figures = {}
    for step, own in table.groupby("step", observed=True):
        good = own[own["outcome"] == "ok"]
        latency = good["latency_us"].astype("int64") + good["late_us"].astype("int64")
        quantiles = [_quantile(latency, p) for p in (500, 800, 950, 990, 999, 1000)]
        figures[str(step)] = (len(own), len(good) / 2, len(own) / 2, (len(own) - len(good)) / len(own), *quantiles)
    return figures


def _quantile(values: pd.Series[int], permille: int) -> int | None:
    ordered = sorted(values.tolist())
    return next((value for i, value in enumerate(ordered, 1) if i * 1000 >= permille * len(ordered)), None)
