"""Samples on their way from a worker to the master: what was appended arrives, and nothing else is taken for it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.results.sample import MAX_LATENCY_US, PACK_FORMAT, Sample, SampleBuffer, unpack

NAME = st.text(max_size=12)
SAMPLE = st.builds(
    Sample,
    started_us=st.integers(-(2**63), 2**63 - 1),
    step=NAME,
    latency_us=st.integers(0, MAX_LATENCY_US),
    late_us=st.integers(0, MAX_LATENCY_US),
    status=st.integers(0, 999),
    outcome=NAME,
    backend=NAME,
    worker=st.just(0),
)
ROW = (1_000, "issue", 2_000, 0, 200, "ok", "node-1")


def packed_row() -> bytes:
    buffer = SampleBuffer()
    buffer.append(*ROW)
    return buffer.pack()


@given(st.lists(SAMPLE, max_size=30))
def test_rows_arrive_as_they_were_appended(rows: list[Sample]) -> None:
    """In order, with every name, also empty ones and those outside of ASCII."""
    buffer = SampleBuffer()
    for row in rows:
        buffer.append(*row[:7])
    assert list(unpack(buffer.pack()).rows()) == rows


@given(st.lists(st.lists(SAMPLE, max_size=8), min_size=2, max_size=5))
def test_each_packet_can_be_read_by_itself(packets: list[list[Sample]]) -> None:
    """The buffer is empty after each, and keeps its tables of names."""
    buffer = SampleBuffer()
    for rows in packets:
        for row in rows:
            buffer.append(*row[:7])
        assert list(unpack(buffer.pack()).rows()) == rows
        assert len(buffer) == 0


def test_rows_carry_the_worker_that_they_are_given() -> None:
    """The wire does not repeat it in each row."""
    assert [row.worker for row in unpack(packed_row()).rows(worker=7)] == [7]


@pytest.mark.parametrize(("given_us", "kept_us"), [(-5, 0), (MAX_LATENCY_US + 1, MAX_LATENCY_US)])
def test_latencies_beyond_the_column_are_clipped(given_us: int, kept_us: int) -> None:
    """A clock that went back gives zero, 71 minutes are the most."""
    buffer = SampleBuffer()
    buffer.append(0, "issue", given_us, given_us, 200, "ok", "")
    (row,) = unpack(buffer.pack()).rows()
    assert (row.latency_us, row.late_us) == (kept_us, kept_us)


def test_bytes_cut_anywhere_are_refused() -> None:
    """At every length short of the whole."""
    packed = packed_row()
    for length in range(len(packed)):
        with pytest.raises(ValueError, match=r"cut short|more bytes"):
            unpack(packed[:length])


def test_bytes_beyond_the_rows_are_refused() -> None:
    """They would be rows of somebody else."""
    with pytest.raises(ValueError, match="more bytes than rows"):
        unpack(packed_row() + b"\0")


def test_another_format_is_refused_by_its_number() -> None:
    """A worker of another version must not be misread."""
    packed = struct.pack("<B", PACK_FORMAT + 1) + packed_row()[1:]
    with pytest.raises(ValueError, match=f"format {PACK_FORMAT + 1}; this version reads {PACK_FORMAT}"):
        unpack(packed)


def test_a_code_without_a_name_is_refused() -> None:
    """The last column is the backend's code; there is one backend."""
    with pytest.raises(ValueError, match="not in their tables"):
        unpack(packed_row()[:-2] + struct.pack("<H", 1))
