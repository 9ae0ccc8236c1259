"""Small trials on disk for tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from iam_loadtest.results.sample import Sample, SampleBuffer, unpack
from iam_loadtest.results.sample_file import SampleWriter
from iam_loadtest.results.trial import SAMPLES_FILE, Trial, TrialCounts, TrialStatus, WindowMarks

WINDOW = WindowMarks(ramp_end_us=0, window_start_us=1_000_000, window_end_us=3_000_000, ended_us=4_000_000)


def row(started_us: int, step: str, latency_us: int, outcome: str = "ok", late_us: int = 0) -> Sample:
    """A sample of worker 0 without a backend."""
    return Sample(started_us, step, latency_us, late_us, 200 if outcome == "ok" else 500, outcome, "", 0)


def trial(
    status: TrialStatus = TrialStatus.OK,
    reason: str | None = None,
    marks: WindowMarks = WINDOW,
    received: int | None = None,
    number: int = 1,
) -> Trial:
    """A trial of topology one under workload refresh with a window of two seconds."""
    counts = TrialCounts(received=received)
    identity = (f"{number:03d}-one-refresh-t{number}", number, "one", "refresh", number)
    return Trial(
        *identity, status, reason, "2026-11-22T15:00:00+00:00", "2026-11-22T15:00:10+00:00", marks, counts=counts
    )


def write_rows(directory: Path, rows: Iterable[Sample]) -> Path:
    """Write the samples file of a trial and return the trial's directory."""
    directory.mkdir(parents=True, exist_ok=True)
    buffer = SampleBuffer()
    for one in rows:
        buffer.append(*one[:7])
    with SampleWriter(directory / SAMPLES_FILE) as writer:
        writer.append(unpack(buffer.pack()), 0)
    return directory
