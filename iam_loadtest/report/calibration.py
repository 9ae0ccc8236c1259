"""What the generator alone can do, beside what was measured with it: results near its own limits are its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.report.load_model import load_of
from iam_loadtest.report.table import Column, Entry, Table, figure, words
from iam_loadtest.report.text import plural

NEAR = 0.5
"""Trials that asked for more than this share of what the generator can offer are marked."""
FLOOR_SHARE = 0.1
"""A step whose p50 is made of the generator's floor by more than this is marked."""


def calibration_table(summary: RunSummary) -> Table:
    """The generator's limits and the trials that came nearest to them; without rows where it was not calibrated."""
    found = summary.run.info.calibration
    columns = (Column("What"), Column("Generator alone", True), Column("Nearest trial", True), Column("Share", True))
    if found is None:
        return Table("calibration", "", columns, ())
    scheme = "TLS" if found["tls"] else "plain HTTP"
    caption = (
        f"The generator alone: workload {found['workload']} on a null token server over {scheme}, measured for "
        f"{found['seconds']:g} s by one process on this machine before the first trial. The nearest trial has the "
        "highest request rate, or the step with the lowest p50. Near its own limits a generator measures itself."
    )
    return Table("calibration", caption, columns, tuple(_rows(summary, found)))


def _rows(summary: RunSummary, found: Mapping[str, Any]) -> Iterator[tuple[Entry, ...]]:
    cores, workers = summary.run.info.machine.get("cores"), load_of(summary).get("workers")
    rates = [one.requests.attempted_per_s or 0.0 for one in summary.trials if one.requests]
    lowest_us = [step.latency.p50_us for one in summary.trials for step in one.steps if step.latency.p50_us]
    most, floor_ms = max(rates, default=None), found["floor_p50_ms"]
    nearest_ms = min(lowest_us) / 1000 if lowest_us else None
    yield (words("Requests/s per core"), figure(found["requests_per_cpu_s"]), words(None), words(None))
    if isinstance(cores, int) and isinstance(workers, int):
        limit = found["requests_per_cpu_s"] * min(cores, workers)
        name = f"Requests/s of {plural(workers, 'worker')} on {plural(cores, 'core')}"
        yield (words(name), figure(limit), figure(most), _share(most, limit, NEAR))
    floor_share = _share(floor_ms, nearest_ms, FLOOR_SHARE)
    yield (words("Latency of a request, p50 ms"), figure(floor_ms), figure(nearest_ms), floor_share)
    yield (words("Latency of a request, p95 ms"), figure(found["floor_p95_ms"]), words(None), words(None))


def _share(part: float | None, whole: float | None, limit: float) -> Entry:
    if part is None or not whole:
        return words(None)
    return Entry(f"{100 * part / whole:.1f} %", part / whole, "bad" if part / whole > limit else "")
