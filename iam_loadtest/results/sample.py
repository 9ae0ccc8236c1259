"""Samples: one row per request, exact, in columns that pack small and read fast.

Workers fill a :class:`SampleBuffer` and send :meth:`SampleBuffer.pack`; the master opens it with
:func:`unpack` and hands it to :class:`iam_loadtest.results.sample_file.SampleWriter`.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

WORKFLOW_STEP = "workflow"
"""The step name of rows that time a whole chain; ``workflow:NAME`` where chains of several workloads are mixed."""
_CHAIN_PREFIX = WORKFLOW_STEP + ":"

MAX_LATENCY_US = 2**32 - 1
PACK_FORMAT = 1
_HEAD = struct.Struct("<BIHHH")
_TYPECODES = "qIIHHHH"
ROWS_AT_A_TIME = 256
_CODE_COLUMNS = ("step", "outcome", "backend")


def chain_step(workload: str) -> str:
    """The step name of rows that time whole chains of one workload of a mix."""
    return f"{WORKFLOW_STEP}:{workload}"


def is_chain_step(step: str) -> bool:
    """Whether rows with this step name time whole chains, which are no requests."""
    return step == WORKFLOW_STEP or step.startswith(_CHAIN_PREFIX)


class Sample(NamedTuple):
    """One request. Times in microseconds; started_us counts from the trial's origin on the master's clock."""

    started_us: int
    step: str
    latency_us: int
    late_us: int
    status: int
    outcome: str
    backend: str
    worker: int


@dataclass(frozen=True)
class SampleBlock:
    """Unpacked rows of one worker, as columns of equal length; names are indices into the three tables."""

    started_us: array[int]
    latency_us: array[int]
    late_us: array[int]
    status: array[int]
    step_code: array[int]
    outcome_code: array[int]
    backend_code: array[int]
    steps: tuple[str, ...]
    outcomes: tuple[str, ...]
    backends: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.started_us)

    def rows(self, worker: int = 0) -> Iterator[Sample]:
        """The rows as values, for tests and small data."""
        for i in range(len(self)):
            yield Sample(
                self.started_us[i],
                self.steps[self.step_code[i]],
                self.latency_us[i],
                self.late_us[i],
                self.status[i],
                self.outcomes[self.outcome_code[i]],
                self.backends[self.backend_code[i]],
                worker,
            )


class SampleBuffer:
    """Rows waiting to be shipped. Not thread-safe: one per gevent hub.

    Rows are put into columns some at a time: the hot path appends one tuple to ``waiting``, as :meth:`append` would,
    calls :meth:`settle` where ROWS_AT_A_TIME are there, and no long pause follows. ``elapsed`` turns the ``started_us``
    of several rows into time since the trial's origin, where they are given in another.
    """

    def __init__(self, elapsed: Callable[[Sequence[int]], Sequence[int]] = lambda started_us: started_us) -> None:
        self._elapsed = elapsed
        self._names: dict[str, dict[str, int]] = {column: {} for column in _CODE_COLUMNS}
        self._clear_columns()
        self.waiting: list[tuple[int, str, int, int, int, str, str]] = []

    def __len__(self) -> int:
        return len(self._started_us) + len(self.waiting)

    def append(
        self,
        started_us: int,
        step: str,
        latency_us: int,
        late_us: int,
        status: int,
        outcome: str,
        backend: str,
    ) -> None:
        """Keep one row; latencies are clipped to the column's range of 71 minutes."""
        self.waiting.append((started_us, step, latency_us, late_us, status, outcome, backend))
        if len(self.waiting) >= ROWS_AT_A_TIME:
            self.settle()

    def pack(self) -> bytes:
        """All rows as bytes, and the buffer is empty afterwards."""
        self.settle()
        tables = [list(self._names[column]) for column in _CODE_COLUMNS]
        head = _HEAD.pack(PACK_FORMAT, len(self), *(len(table) for table in tables))
        names = b"".join(_pack_name(name) for table in tables for name in table)
        columns = (
            self._started_us,
            self._latency_us,
            self._late_us,
            self._status,
            self._step,
            self._outcome,
            self._backend,
        )
        body = b"".join(_little_endian(column).tobytes() for column in columns)
        self._clear_columns()
        return head + names + body

    def settle(self) -> None:
        """Put waiting rows into the columns."""
        if not self.waiting:
            return
        started_us, step, latency_us, late_us, status, outcome, backend = zip(*self.waiting, strict=True)
        self._started_us.extend(self._elapsed(started_us))
        self._latency_us.extend(_clipped(latency_us))
        self._late_us.extend(_clipped(late_us))
        self._status.extend(status)
        self._step.extend(_codes(self._names["step"], step))
        self._outcome.extend(_codes(self._names["outcome"], outcome))
        self._backend.extend(_codes(self._names["backend"], backend))
        self.waiting.clear()

    def _clear_columns(self) -> None:
        self._started_us = array("q")
        self._latency_us = array("I")
        self._late_us = array("I")
        self._status = array("H")
        self._step = array("H")
        self._outcome = array("H")
        self._backend = array("H")


def unpack(packed: bytes) -> SampleBlock:
    """The rows that :meth:`SampleBuffer.pack` made; raises ValueError where the bytes are not that."""
    try:
        version, rows, *sizes = _HEAD.unpack_from(packed)
    except struct.error as error:
        raise ValueError("packed samples are cut short") from error
    if version != PACK_FORMAT:
        raise ValueError(f"packed samples have format {version}; this version reads {PACK_FORMAT}")
    tables, offset = _unpack_tables(packed, sizes)
    columns: list[array[int]] = []
    for typecode in _TYPECODES:
        column, offset = _unpack_column(packed, offset, typecode, rows)
        columns.append(column)
    if offset != len(packed):
        raise ValueError("packed samples carry more bytes than rows")
    block = _block(columns, tables)
    _check_codes(block)
    return block


def _clipped(values: Sequence[int]) -> Sequence[int]:
    if min(values) >= 0 and max(values) <= MAX_LATENCY_US:
        return values
    return [min(max(value, 0), MAX_LATENCY_US) for value in values]


def _codes(table: dict[str, int], names: Sequence[str]) -> Iterator[int]:
    for name in dict.fromkeys(names):
        if name not in table:
            table[name] = len(table)
    return map(table.__getitem__, names)


def _pack_name(name: str) -> bytes:
    encoded = name.encode()
    return struct.pack("<H", len(encoded)) + encoded


def _unpack_tables(packed: bytes, sizes: list[int]) -> tuple[list[tuple[str, ...]], int]:
    offset, tables = _HEAD.size, []
    for size in sizes:
        names = []
        for _ in range(size):
            if offset + 2 > len(packed):
                raise ValueError("packed samples are cut short")
            (length,) = struct.unpack_from("<H", packed, offset)
            names.append(packed[offset + 2 : offset + 2 + length].decode())
            offset += 2 + length
        tables.append(tuple(names))
    return tables, offset


def _block(columns: list[array[int]], tables: list[tuple[str, ...]]) -> SampleBlock:
    started_us, latency_us, late_us, status, step, outcome, backend = columns
    steps, outcomes, backends = tables
    return SampleBlock(started_us, latency_us, late_us, status, step, outcome, backend, steps, outcomes, backends)


def _unpack_column(packed: bytes, offset: int, typecode: str, rows: int) -> tuple[array[int], int]:
    column: array[int] = array(typecode)
    end = offset + rows * column.itemsize
    if end > len(packed):
        raise ValueError("packed samples are cut short")
    column.frombytes(packed[offset:end])
    return _little_endian(column), end


def _check_codes(block: SampleBlock) -> None:
    for codes, names in (
        (block.step_code, block.steps),
        (block.outcome_code, block.outcomes),
        (block.backend_code, block.backends),
    ):
        if len(codes) and max(codes) >= len(names):
            raise ValueError("packed samples name something that is not in their tables")


def _little_endian(column: array[int]) -> array[int]:
    if sys.byteorder == "big":  # pragma: no cover  no such machine in CI
        column = array(column.typecode, column)
        column.byteswap()
    return column
