"""Prepared data directories are kept for the next lab, but not for ever."""

from __future__ import annotations

import os
from pathlib import Path

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
