"""What the load room leaves in a trial's directory for the runner: progress while it runs, the result at its end."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from iam_loadtest.errors import UserError
from iam_loadtest.results.json_file import read_json, write_json
from iam_loadtest.results.trial import Caution, GeneratorHealth, TrialCounts, TrialStatus, WindowMarks, counts_of

LOAD_RESULT_FILE = "load.json"
PROGRESS_FILE = "progress.json"
ENDING = "ending"
"""The phase after Ctrl-C or another signal: the load is ended, and what there is of it is saved."""


@dataclass(frozen=True)
class LoadResult:
    """How a trial's load went, as the Locust master saw it."""

    status: TrialStatus
    reason: str | None
    marks: WindowMarks
    generator: GeneratorHealth
    counts: TrialCounts
    cautions: tuple[Caution, ...] = ()


@dataclass(frozen=True)
class Progress:
    """The state of a running trial, over the last few seconds. None where nothing was answered yet.

    ``phase`` is starting, ramp, warm-up, window, cool-down, done or :data:`ENDING`; ``phase_left_s`` the rest of the
    phase. ``late`` and ``dropped`` are arrivals of the window so far, None in the closed model.
    """

    phase: str
    phase_left_s: float
    users: int
    throughput_per_s: float | None = None
    p95_ms: float | None = None
    failure_share: float | None = None
    late: int | None = None
    dropped: int | None = None


def write_load_result(directory: Path, result: LoadResult) -> None:
    """Write load.json in one step."""
    write_json(directory / LOAD_RESULT_FILE, asdict(result))


def read_load_result(directory: Path) -> LoadResult | None:
    """The result, or None where the load room left none."""
    path = directory / LOAD_RESULT_FILE
    if not path.is_file():
        return None
    document = read_json(path)
    try:
        return LoadResult(
            status=TrialStatus(document["status"]),
            reason=document["reason"],
            marks=WindowMarks(**document["marks"]),
            generator=GeneratorHealth(**document["generator"]),
            counts=counts_of(document["counts"]),
            cautions=tuple(Caution(**caution) for caution in document["cautions"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: is not a load result of this version ({error!r}).") from error


def write_progress(directory: Path, progress: Progress) -> None:
    """Replace progress.json in one step."""
    write_json(directory / PROGRESS_FILE, asdict(progress))


def read_progress(directory: Path) -> Progress | None:
    """The last progress, or None where there is none yet."""
    path = directory / PROGRESS_FILE
    return Progress(**read_json(path)) if path.is_file() else None
