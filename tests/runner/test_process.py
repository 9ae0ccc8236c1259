"""Processes are started apart from the terminal and end with everything in their group."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from iam_loadtest.runner.process import Process, await_end, end_processes, start_process
from tests.runner.children import PATIENCE_S, eventually, is_running, pid_in, python, writes_its_pid


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Process]]:
    """Processes of a test, ended after it."""
    processes: list[Process] = []
    yield processes
    end_processes(processes, 0)


def start(directory: Path, command: list[str], **environ: str) -> Process:
    """The command, its output in `output`."""
    with (directory / "output").open("ab") as output:
        return start_process(command, output, {**os.environ, **environ}, directory)


def test_output_and_environment_and_directory_are_as_asked(tmp_path: Path) -> None:
    """Both streams go to the file; standard input is empty."""
    code = "import os, sys; print(os.environ['TOLD'], os.getcwd(), repr(sys.stdin.read())); sys.stderr.write('err')"
    process = start(tmp_path, python(code), TOLD="something")
    assert process.wait(PATIENCE_S) == 0
    assert (tmp_path / "output").read_text(encoding="utf-8").splitlines() in (
        [f"something {tmp_path} ''", "err"],
        [f"errsomething {tmp_path} ''"],
    )


def test_a_process_leads_a_session_of_its_own(tmp_path: Path, started: list[Process]) -> None:
    """Ctrl-C in the terminal reaches the runner alone."""
    started.append(start(tmp_path, python(writes_its_pid(tmp_path / "pid"))))
    pid = pid_in(tmp_path / "pid")
    assert pid == started[0].pid, "the guard becomes the command"
    assert os.getsid(pid) == pid
    assert os.getpgid(pid) == pid


def test_ending_asks_first(tmp_path: Path) -> None:
    """A process that tidies up on SIGTERM has the time to do it."""
    tidy = (
        "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: (open('tidied', 'w').close(), sys.exit(5))); "
        + writes_its_pid(tmp_path / "pid")
    )
    process = start(tmp_path, python(tidy))
    pid_in(tmp_path / "pid")
    end_processes([process], PATIENCE_S)
    assert process.returncode == 5
    assert (tmp_path / "tidied").exists()


def test_ending_kills_what_does_not_listen_and_its_group(tmp_path: Path) -> None:
    """Neither a stubborn process nor its child is left."""
    child = writes_its_pid(tmp_path / "child")
    stubborn = (
        "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"subprocess.Popen([sys.executable, '-c', {child!r}]); {writes_its_pid(tmp_path / 'pid')}"
    )
    process = start(tmp_path, python(stubborn))
    pid_in(tmp_path / "pid")
    child_pid = pid_in(tmp_path / "child")
    end_processes([process], 0.1)
    assert process.returncode == -signal.SIGKILL
    assert eventually(lambda: not is_running(child_pid))


def test_ending_kills_the_group_of_a_leader_that_has_ended(tmp_path: Path) -> None:
    """A master that crashed does not leave its children running."""
    child = writes_its_pid(tmp_path / "child")
    process = start(tmp_path, python(f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {child!r}])"))
    assert process.wait(PATIENCE_S) == 0
    child_pid = pid_in(tmp_path / "child")
    end_processes([process], 0)
    assert eventually(lambda: not is_running(child_pid))


def test_waiting_says_whether_all_ended(tmp_path: Path, started: list[Process]) -> None:
    """One that runs is enough for no."""
    quick = start(tmp_path, python("pass"))
    started += [quick, start(tmp_path, python("import time; time.sleep(60)"))]
    assert await_end([quick], PATIENCE_S)
    assert not await_end(started, 0.1)
