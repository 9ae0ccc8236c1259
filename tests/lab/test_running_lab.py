"""A lab seen from outside, by what stands in its directory: whose it is, whether it runs, and what is not believed."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from iam_loadtest.errors import UserError
from iam_loadtest.lab import control
from iam_loadtest.lab.control import running_lab, take_down
from iam_loadtest.lab.launch import LOCK_FILE
from iam_loadtest.results.lab_state import LAB_STATE_FILE, LabState, write_lab_state

OWN = f"{os.getpid()} {os.getpid()}\n"


@contextmanager
def held(base: Path, numbers: str = OWN) -> Iterator[int]:
    """A lab's lock, as a lab holds it."""
    descriptor = os.open(base / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.pwrite(descriptor, numbers.encode(), 0)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def test_a_lab_that_runs_is_found_with_its_state(tmp_path: Path) -> None:
    write_lab_state(tmp_path, LabState("ready", "http://127.0.0.1:9/"))
    with held(tmp_path):
        found = running_lab(tmp_path)
    assert found is not None
    assert (found.launcher, found.state.phase) == (os.getpid(), "ready")
    assert running_lab(tmp_path) is None, "nobody holds its lock any more"


def test_what_another_version_left_is_no_trouble_and_what_it_runs_is_said(tmp_path: Path) -> None:
    """Whoever waits for a lab of its own does not look at that of another."""
    (tmp_path / LAB_STATE_FILE).write_text('{"phase": "ready", "frontends": 3}', encoding="utf-8")
    with held(tmp_path):
        assert running_lab(tmp_path, launcher=1) is None
        with pytest.raises(UserError, match=r"lab\.json: is not the state .* `iam-loadtest lab down` ends that one"):
            running_lab(tmp_path)
    assert running_lab(tmp_path) is None


def test_a_lab_that_has_just_begun_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lock is held before the numbers of its processes are known; nothing is removed under it."""
    write_lab_state(tmp_path, LabState("starting", "http://127.0.0.1:9/"))
    with held(tmp_path, "") as descriptor:
        monkeypatch.setattr(control.time, "sleep", lambda _: os.pwrite(descriptor, OWN.encode(), 0))
        found = running_lab(tmp_path)
    assert found is not None
    assert found.launcher == os.getpid()


def test_a_lab_that_never_says_its_numbers_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_BEGINS_WITHIN_S", 0.0)
    (tmp_path / "iam.sqlite").touch()
    with held(tmp_path, ""), pytest.raises(UserError, match="a lab is just beginning or ending there; try again"):
        take_down(tmp_path)
    assert (tmp_path / "iam.sqlite").exists()


def test_a_lab_that_still_deletes_its_files_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process 1 has ended, so it is asked once and not killed, though clearing up takes longer than that."""
    signalled: list[int] = []
    monkeypatch.setattr(control, "_signal", lambda _, number: signalled.append(number))
    monkeypatch.setattr(control, "_PATIENCE_S", 0.0)
    with subprocess.Popen(["true"]) as ended:
        pass
    with held(tmp_path, f"{os.getpid()} {ended.pid}\n") as descriptor:
        monkeypatch.setattr(control.time, "sleep", lambda _: fcntl.flock(descriptor, fcntl.LOCK_UN))
        assert take_down(tmp_path) is True
    assert signalled == [signal.SIGTERM]


def test_why_the_last_lab_failed_is_known_afterwards(tmp_path: Path) -> None:
    assert control.last_problem(tmp_path / "nowhere") is None
    write_lab_state(tmp_path, LabState("failed", "http://127.0.0.1:9/", problem="the lab was killed by SIGKILL"))
    assert control.last_problem(tmp_path) == "the lab was killed by SIGKILL"


def test_a_directory_without_a_lab_has_none(tmp_path: Path) -> None:
    assert running_lab(tmp_path / "nowhere") is None
    assert take_down(tmp_path) is False


def test_a_command_that_a_signal_ended_has_the_exit_code_of_a_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """128 and the number of SIGTERM; it ran where the caller stands."""
    write_lab_state(tmp_path, LabState("ready", "http://127.0.0.1:9/"))
    monkeypatch.setattr(control, "_enter", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    with held(tmp_path):
        code = control.execute_in(tmp_path, "balancer", ["sh", "-c", "pwd > here; kill -TERM $$"])
    assert code == 143
    assert (tmp_path / "here").read_text(encoding="utf-8").strip() == str(tmp_path)
