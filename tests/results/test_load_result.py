"""What the load room leaves is what the runner finds: nothing yet, the whole, or a file that is named as unfit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from iam_loadtest.errors import UserError
from iam_loadtest.results.load_result import (
    LOAD_RESULT_FILE,
    PROGRESS_FILE,
    LoadResult,
    Progress,
    read_load_result,
    read_progress,
    write_load_result,
    write_progress,
)
from iam_loadtest.results.trial import Caution, GeneratorHealth, TrialCounts, TrialStatus, WindowMarks

RESULT = LoadResult(
    TrialStatus.INVALID,
    "1 of 2 workers was lost.",
    WindowMarks(1_000_000, 2_000_000, 12_000_000, 13_000_000),
    GeneratorHealth(workers=2, workers_lost=1, max_cpu_percent=71.5, users_planned=20, users_min=10, users_max=20),
    TrialCounts(sent=900, received=850, by_step={"issue": 600, "refresh": 250}, server={"issue": 610, "refresh": 255}),
    (Caution("short", "50 rows did not arrive.", "Look into locust.log."),),
)
INTERRUPTED = LoadResult(TrialStatus.INTERRUPTED, None, WindowMarks(), GeneratorHealth(), TrialCounts())


@pytest.mark.parametrize("result", [RESULT, INTERRUPTED], ids=["every value set", "stopped before anything was known"])
def test_a_result_is_read_as_it_was_written(tmp_path: Path, result: LoadResult) -> None:
    """Values of their own kinds again, and None where nothing is known, never 0."""
    write_load_result(tmp_path, result)
    found = read_load_result(tmp_path)
    assert found == result
    assert found is not None
    assert isinstance(found.status, TrialStatus)


def test_no_result_is_none(tmp_path: Path) -> None:
    """Locust was killed, or could not start."""
    assert read_load_result(tmp_path) is None


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"status": "splendid"}, "'splendid' is not a valid TrialStatus"),
        ({"marks": {"ramp_end_s": 1}}, "ramp_end_s"),
        ({"cautions": None}, "NoneType"),
    ],
    ids=["unknown status", "unknown mark", "no list of cautions"],
)
def test_a_result_of_another_version_is_named(tmp_path: Path, change: dict[str, object], problem: str) -> None:
    """With the file and what does not fit."""
    write_load_result(tmp_path, RESULT)
    path = tmp_path / LOAD_RESULT_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UserError, match=problem) as refused:
        read_load_result(tmp_path)
    assert str(refused.value).startswith(f"{path}: is not a load result of this version")


def test_a_result_without_one_of_its_parts_is_named(tmp_path: Path) -> None:
    """A missing count is not a count of 0."""
    write_load_result(tmp_path, RESULT)
    path = tmp_path / LOAD_RESULT_FILE
    document = json.loads(path.read_text())
    del document["counts"]
    path.write_text(json.dumps(document))
    with pytest.raises(UserError, match=r"KeyError\('counts'\)"):
        read_load_result(tmp_path)


def test_the_last_progress_replaces_the_one_before(tmp_path: Path) -> None:
    """Before the first there is None; what was not measured stays None."""
    assert read_progress(tmp_path) is None
    ramp = Progress("ramp", 4.5, 7)
    write_progress(tmp_path, ramp)
    assert read_progress(tmp_path) == ramp
    window = replace(ramp, phase="window", throughput_per_s=120.5, p95_ms=31.0, failure_share=0.0)
    write_progress(tmp_path, window)
    assert read_progress(tmp_path) == window
    assert [path.name for path in tmp_path.iterdir()] == [PROGRESS_FILE]
