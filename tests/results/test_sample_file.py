"""samples.parquet: every row, readable by anything that knows Parquet."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from iam_loadtest.results import sample_file
from iam_loadtest.results.sample import SampleBlock, SampleBuffer, unpack
from iam_loadtest.results.sample_file import SCHEMA, SampleWriter, read_samples


def block(count: int, step: str = "issue", outcome: str = "ok") -> SampleBlock:
    buffer = SampleBuffer()
    for i in range(count):
        buffer.append(i, step, 10 * i, 1, 200, outcome, f"node-{i % 2}")
    return unpack(buffer.pack())


def test_rows_of_several_workers_keep_their_worker_and_their_names(tmp_path: Path) -> None:
    """Blocks with different tables of names end up in one file."""
    with SampleWriter(tmp_path / "samples.parquet") as writer:
        writer.append(block(2, "issue"), 0)
        writer.append(block(1, "refresh", "timeout"), 3)
        assert writer.rows == 3
    rows = read_samples(tmp_path / "samples.parquet").to_pylist()
    assert [(row["step"], row["outcome"], row["worker"]) for row in rows] == [
        ("issue", "ok", 0),
        ("issue", "ok", 0),
        ("refresh", "timeout", 3),
    ]
    assert rows[1] == {
        "started_us": 1,
        "step": "issue",
        "latency_us": 10,
        "late_us": 1,
        "status": 200,
        "outcome": "ok",
        "backend": "node-1",
        "worker": 0,
    }


def test_pandas_and_duckdb_read_the_file(tmp_path: Path) -> None:
    """Without a word about its schema."""
    path = tmp_path / "samples.parquet"
    with SampleWriter(path) as writer:
        writer.append(block(5), 1)
    assert list(pd.read_parquet(path).columns) == SCHEMA.names
    query = "select sum(latency_us), min(step) from read_parquet($1)"
    assert duckdb.execute(query, [str(path)]).fetchone() == (100, "issue")


def test_row_groups_are_written_when_enough_rows_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six and one rows with groups of at least five: two groups, no row lost."""
    monkeypatch.setattr(sample_file, "ROW_GROUP_ROWS", 5)
    path = tmp_path / "samples.parquet"
    with SampleWriter(path) as writer:
        for count in (3, 3, 1):
            writer.append(block(count), 0)
    assert pq.ParquetFile(path).metadata.num_row_groups == 2
    assert read_samples(path).num_rows == 7


def test_a_trial_without_a_request_has_an_empty_file(tmp_path: Path) -> None:
    """Empty blocks are no rows; closing twice does no harm."""
    writer = SampleWriter(tmp_path / "samples.parquet")
    writer.append(block(0), 0)
    writer.close()
    writer.close()
    assert read_samples(tmp_path / "samples.parquet").num_rows == 0
