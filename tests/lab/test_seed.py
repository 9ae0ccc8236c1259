"""Prepared data directories are kept for the next lab, but not for ever."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from iam_loadtest.errors import UserError
from iam_loadtest.lab import seed
from iam_loadtest.lab.process import run
from iam_loadtest.lab.seed import prune


def test_those_that_were_copied_last_stay(tmp_path: Path) -> None:
    """Six of nine, the newest first; the lock is no directory and stays."""
    (tmp_path / "lock").touch()
    for age in range(9):
        directory = tmp_path / f"plain-{age}"
        directory.mkdir()
        (directory / "ibdata1").touch()
        os.utime(directory, (1_000_000 - age, 1_000_000 - age))
    prune(tmp_path, tmp_path / "plain-0")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", *(f"plain-{age}" for age in range(6))]


def test_few_of_them_all_stay(tmp_path: Path) -> None:
    for name in ("galera-1", "plain-1"):
        (tmp_path / name).mkdir()
    prune(tmp_path, tmp_path / "plain-1")
    assert len(list(tmp_path.iterdir())) == 2


def test_what_the_disk_had_no_room_for_does_not_stay_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(_: Path, data: Path) -> None:
        data.mkdir()
        (data / "ibdata1").touch()
        raise UserError("the lab could not run cp: No space left on device")

    monkeypatch.setattr(seed, "copy_seed", half)
    with pytest.raises(UserError, match=r"set IAM_LOADTEST_CACHE to another directory .*No space left on device"):
        seed._keep(tmp_path / "made", tmp_path / "plain-1")
    assert list(tmp_path.iterdir()) == []


def test_a_message_holds_whole_lines_of_what_a_program_said() -> None:
    """The last ones that there is room for: of fifty lines of 18 characters 400 hold 21, with the ends of lines."""
    with pytest.raises(UserError) as refused:
        run(["sh", "-c", "for i in $(seq 10 59); do echo error_number_is_$i >&2; done; exit 1"])
    kept = " ".join(f"error_number_is_{number}" for number in range(39, 60))
    assert str(refused.value) == f"the lab could not run sh: {kept}"
