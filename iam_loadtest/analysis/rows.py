"""Rows: the samples of one trial, read batch by batch with only the columns that figures need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from iam_loadtest.results.sample import is_chain_step

BATCH_ROWS = 131_072
_COLUMNS = ["started_us", "step", "latency_us", "late_us", "outcome", "backend"]


class UnreadableSamplesError(Exception):
    """The samples file of a trial is not there, cut short, or not ours; the message says which."""


@dataclass(frozen=True)
class Rows:
    """A batch of samples as columns; ``step``, ``outcome`` and ``backend`` index into the tuples of names.

    ``latency_us`` is late + latency: from the intended start to the last byte. In the closed model late is zero.
    """

    started_us: npt.NDArray[np.int64]
    latency_us: npt.NDArray[np.int64]
    late_us: npt.NDArray[np.int64]
    step: npt.NDArray[np.int64]
    outcome: npt.NDArray[np.int64]
    backend: npt.NDArray[np.int64]
    steps: tuple[str, ...]
    outcomes: tuple[str, ...]
    backends: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.started_us)

    @property
    def is_request(self) -> npt.NDArray[np.bool_]:
        """For each row whether it is a request, not a whole chain."""
        if not len(self):
            return np.zeros(0, bool)
        return np.array([not is_chain_step(step) for step in self.steps], bool)[self.step]


def read_rows(path: Path) -> Iterator[Rows]:
    """Every row of a samples file in batches; raises UnreadableSamplesError where the file is not usable."""
    if not path.is_file():
        raise UnreadableSamplesError(f"{path.name} is missing")
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=_COLUMNS):
                yield _rows(batch)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise UnreadableSamplesError(f"{path.name} is not readable: {_first_line(error)}") from error


def _rows(batch: pa.RecordBatch) -> Rows:
    step, steps = _codes(batch.column("step"))
    outcome, outcomes = _codes(batch.column("outcome"))
    backend, backends = _codes(batch.column("backend"))
    late_us = _numbers(batch.column("late_us"))
    latency_us = _numbers(batch.column("latency_us")) + late_us
    started_us = _numbers(batch.column("started_us"))
    return Rows(started_us, latency_us, late_us, step, outcome, backend, steps, outcomes, backends)


def _numbers(column: pa.Array) -> npt.NDArray[np.int64]:
    """The values; by DLPack, since ``to_numpy`` imports pandas, which takes longer than a small report."""
    return np.from_dlpack(column).astype(np.int64)


def _codes(column: pa.Array) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    encoded: Any = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    return _numbers(encoded.indices), tuple(encoded.dictionary.to_pylist())


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
