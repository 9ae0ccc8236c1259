"""samples.parquet: written by the master in row groups, read by anything that knows Parquet."""

from __future__ import annotations

from array import array
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from iam_loadtest.results.sample import SampleBlock

ROW_GROUP_ROWS = 131_072

_NAME = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("started_us", pa.int64()),
        ("step", _NAME),
        ("latency_us", pa.uint32()),
        ("late_us", pa.uint32()),
        ("status", pa.uint16()),
        ("outcome", _NAME),
        ("backend", _NAME),
        ("worker", pa.uint16()),
    ],
    metadata={"iam_loadtest.format": "1"},
)


class SampleWriter:
    """Appends blocks to a Parquet file; rows are complete on disk only after :meth:`close`."""

    def __init__(self, path: Path) -> None:
        self._writer = pq.ParquetWriter(path, SCHEMA, compression="zstd")
        self._waiting: list[pa.RecordBatch] = []
        self.waiting_rows = 0
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def append(self, block: SampleBlock, worker: int) -> None:
        """Keep the rows of one worker; a row group is written when enough are waiting."""
        if not len(block):
            return
        self._waiting.append(_record_batch(block, worker))
        self.waiting_rows += len(block)
        self.rows += len(block)
        if self.waiting_rows >= ROW_GROUP_ROWS:
            self._write_row_group()

    def close(self) -> None:
        """Write what waits and the file's footer. May be called twice."""
        if self._writer.is_open:
            self._write_row_group()
            self._writer.close()

    def _write_row_group(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting, SCHEMA).unify_dictionaries())
        self._waiting, self.waiting_rows = [], 0


def read_samples(path: Path) -> pa.Table:
    """All rows of one samples file, in the order they arrived."""
    return pq.read_table(path, schema=SCHEMA)


def _record_batch(block: SampleBlock, worker: int) -> pa.RecordBatch:
    rows = len(block)
    columns = [
        _numbers(block.started_us, pa.int64()),
        _names(block.step_code, block.steps),
        _numbers(block.latency_us, pa.uint32()),
        _numbers(block.late_us, pa.uint32()),
        _numbers(block.status, pa.uint16()),
        _names(block.outcome_code, block.outcomes),
        _names(block.backend_code, block.backends),
        pa.repeat(pa.scalar(worker, pa.uint16()), rows),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _numbers(column: array[int], kind: pa.DataType) -> pa.Array:
    return pa.Array.from_buffers(kind, len(column), [None, pa.py_buffer(column)])


def _names(codes: array[int], names: tuple[str, ...]) -> pa.DictionaryArray:
    indices = _numbers(codes, pa.uint16()).cast(pa.int32())
    return pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.string()))
