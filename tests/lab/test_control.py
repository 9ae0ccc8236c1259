"""What another user put where a lab is looked for by default, below a directory that everybody may write to."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iam_loadtest.cli.lab import _awaited
from iam_loadtest.errors import UserError
from iam_loadtest.lab import control
from iam_loadtest.lab.control import execute_in, running_lab, take_down
from iam_loadtest.lab.launch import LOCK_FILE
from iam_loadtest.results.lab_state import LabState, write_lab_state

LOOKS: dict[str, Callable[[Path], object]] = {
    "status": running_lab,
    "down": take_down,
    "exec": lambda base: execute_in(base, "frontend-1", ["true"]),
}


@pytest.fixture
def victim() -> Iterator[subprocess.Popen[bytes]]:
    """A process that a forged lab names as its launcher."""
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def forged(tmp_path: Path, victim: subprocess.Popen[bytes]) -> Iterator[Path]:
    """A directory that looks like that of a running lab: its lock is held, and it names processes."""
    base = tmp_path / "lab"
    base.mkdir()
    write_lab_state(base, LabState("ready", "http://127.0.0.1:8492/"))
    (base / LOCK_FILE).write_text(f"{victim.pid} {victim.pid}\n")
    with (base / LOCK_FILE).open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield base


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_directory_that_others_can_write_to_is_no_lab(
    look: Callable[[Path], object], forged: Path, victim: subprocess.Popen[bytes]
) -> None:
    """Neither are its processes ended nor are their namespaces entered."""
    forged.chmod(0o777)
    with pytest.raises(UserError, match="is no directory of this user alone"):
        look(forged)
    assert victim.poll() is None


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_link_to_a_directory_is_no_lab(look: Callable[[Path], object], tmp_path: Path) -> None:
    """It could lead to any directory that holds a file of the lock's name; nothing there is removed."""
    there = tmp_path / "there"
    there.mkdir()
    (there / LOCK_FILE).touch()
    (there / "precious").touch()
    (tmp_path / "link").symlink_to(there)
    with pytest.raises(UserError, match="is no directory of this user alone"):
        look(tmp_path / "link")
    assert (there / "precious").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_directory_of_another_user_is_no_lab(forged: Path, victim: subprocess.Popen[bytes]) -> None:
    os.chown(forged, 65534, 65534)
    with pytest.raises(UserError, match="is no directory of this user alone"):
        take_down(forged)
    assert victim.poll() is None


def test_a_lab_that_takes_long_to_clear_its_directory_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`lab up --background` holds the lock and has not begun: to a look that is an error, to who waits for it none."""
    monkeypatch.setattr(control, "_BEGINS_WITHIN_S", 0.0)
    with (tmp_path / LOCK_FILE).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="is just beginning or ending there; try again"):
            running_lab(tmp_path)
        with subprocess.Popen(["sleep", "0.1"]) as process:
            assert _awaited(process, tmp_path) is None
    assert process.returncode == 0


def test_a_directory_that_is_not_there_holds_no_lab(tmp_path: Path) -> None:
    assert running_lab(tmp_path / "none") is None
    assert take_down(tmp_path / "none") is False
