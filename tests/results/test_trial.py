"""trial.json: what was written is read, and a file that is not ours is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from iam_loadtest.errors import UserError
from iam_loadtest.results.trial import (
    TRIAL_FILE,
    Caution,
    GeneratorHealth,
    Trial,
    TrialCounts,
    TrialStatus,
    WindowMarks,
    read_trial,
    write_trial,
)

FULL = Trial(
    id="001-one-access-t1",
    position=1,
    topology="one",
    workload="access",
    trial=1,
    status=TrialStatus.INVALID,
    reason="worker 2 was lost",
    started_at="2026-11-22T15:00:00+00:00",
    ended_at="2026-11-22T15:01:00+00:00",
    marks=WindowMarks(1, 2, 3_000_002, 4_000_000),
    generator=GeneratorHealth(2, 1, 97.5, 12.0, 20, 10, 20),
    counts=TrialCounts(10, 9, {"issue": 9}, {"issue": 10}),
    cautions=(Caution("generator", "busy", "more workers"),),
)


def test_a_trial_is_read_as_it_was_written(tmp_path: Path) -> None:
    """With its status, marks, health, counts and cautions as values."""
    write_trial(tmp_path, FULL)
    assert read_trial(tmp_path) == FULL


@pytest.mark.parametrize(("status", "counted"), [(status, status is TrialStatus.OK) for status in TrialStatus])
def test_only_ok_counts(status: TrialStatus, counted: bool) -> None:
    """Whatever else happened is shown, and left out of comparisons."""
    assert replace(FULL, status=status).is_counted is counted


@pytest.mark.parametrize("name", ["001-one-access-t1.failed1", "001-one-access-t1-copy", "old-001-one-access-t1"])
def test_a_copy_counts_no_more_than_a_trial_that_was_set_aside(name: str) -> None:
    """Else one execution would be two trials, and the interval of their mean too narrow."""
    good = replace(FULL, status=TrialStatus.OK)
    again = replace(good, repeat=True)
    assert [one.is_set_aside for one in (good, replace(again, id=f"{good.id}-again"))] == [False, False]
    copy = replace(good, id=name)
    assert (copy.is_set_aside, copy.is_counted) == (True, False)


def test_the_window_has_a_length_only_when_it_was_completed() -> None:
    """In seconds; a trial that ended inside its window has none."""
    assert FULL.marks.window_s == 3.0
    assert WindowMarks(window_start_us=2).window_s is None
    assert WindowMarks(window_end_us=2).window_s is None


@pytest.mark.parametrize(
    "change",
    [{"format": 99}, {"status": "splendid"}, {"marks": {"unknown": 1}}, {"marks": None}, {"unknown": 1}],
)
def test_a_trial_of_another_version_is_named_with_its_remedy(tmp_path: Path, change: dict[str, object]) -> None:
    """The file and what to do; never a default in place of a field."""
    write_trial(tmp_path, FULL)
    path = tmp_path / TRIAL_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError, match=r"trial\.json: is not a trial of this version .*; move .* away to run it anew"):
        read_trial(tmp_path)


def test_a_trial_that_lacks_a_field_is_refused(tmp_path: Path) -> None:
    """Such as its status."""
    write_trial(tmp_path, FULL)
    path = tmp_path / TRIAL_FILE
    document = json.loads(path.read_text())
    del document["status"]
    path.write_text(json.dumps(document))
    with pytest.raises(UserError, match="status is missing"):
        read_trial(tmp_path)
