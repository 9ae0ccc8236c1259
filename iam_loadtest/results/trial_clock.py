"""When a trial began by the machine's clock, for processes beside the load that act or write by the trial's time."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter_ns

from iam_loadtest.results.json_file import read_json, write_json
from iam_loadtest.results.trial import WindowMarks

CLOCK_FILE = "clock.json"


@dataclass(frozen=True)
class TrialClock:
    """The origin of a trial's times on the monotonic clock of the master's machine, and the marks known so far.

    Only processes of that machine can use it: the clock counts from its start.
    """

    origin_us: int
    marks: WindowMarks


def machine_us() -> int:
    """The clock that an origin is on, now."""
    return perf_counter_ns() // 1000


def write_trial_clock(directory: Path, clock: TrialClock) -> None:
    """Replace clock.json in one step."""
    write_json(directory / CLOCK_FILE, asdict(clock))


def read_trial_clock(directory: Path) -> TrialClock | None:
    """The clock, or None where the trial has not begun."""
    path = directory / CLOCK_FILE
    if not path.is_file():
        return None
    document = read_json(path)
    return TrialClock(document["origin_us"], WindowMarks(**document["marks"]))
