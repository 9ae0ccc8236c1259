"""No process of a trial outlives its runner, daemons included, however the runner ended."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.runner.children import daemon, ended, eventually, guarded, is_running, pid_in, python, writes_its_pid

MIDDLE = """
import os, subprocess, sys, time
command = [sys.executable, "-I", "-S", {guard!r}, {mode!r}, str(os.getpid()), sys.executable, "-c", {code!r}]
subprocess.Popen(command)
time.sleep(60)
"""


def runner_of(mode: str, code: str) -> subprocess.Popen[bytes]:
    """A process that stands for the runner: it starts a guarded program and waits."""
    guard_file = guarded(mode)[3]
    return subprocess.Popen(python(MIDDLE.format(guard=guard_file, mode=mode, code=code)))


def killed(process: subprocess.Popen[bytes]) -> None:
    """kill -9."""
    process.send_signal(signal.SIGKILL)
    ended(process)


def test_a_child_dies_with_its_killed_parent(tmp_path: Path) -> None:
    """kill -9 of the runner leaves no Locust behind: the kernel ends it."""
    runner = runner_of("exec", writes_its_pid(tmp_path / "child"))
    child = pid_in(tmp_path / "child")
    killed(runner)
    assert eventually(lambda: not is_running(child))


def test_a_hook_s_daemon_dies_with_the_killed_runner(tmp_path: Path) -> None:
    """kill -9 of the runner leaves nothing of a hook behind either, though the daemon left its session."""
    runner = runner_of("supervise", daemon(tmp_path / "daemon") + "\ntime.sleep(60)")
    child = pid_in(tmp_path / "daemon")
    killed(runner)
    assert eventually(lambda: not is_running(child))


def test_a_daemon_ends_with_the_command_that_started_it(tmp_path: Path) -> None:
    """A hook that succeeded and left a daemon: its code is passed on, the daemon is gone."""
    process = subprocess.Popen(guarded("supervise", *python(daemon(tmp_path / "daemon") + "\nraise SystemExit(7)")))
    child = pid_in(tmp_path / "daemon")
    assert ended(process) == 7
    assert not is_running(child)


def test_a_daemon_that_ignores_signals_ends_too(tmp_path: Path) -> None:
    """What is left is killed, not asked."""
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    code = stubborn + "\n" + daemon(tmp_path / "daemon")
    process = subprocess.Popen(guarded("supervise", *python(code)))
    child = pid_in(tmp_path / "daemon")
    assert ended(process) == 0
    assert not is_running(child)


def test_a_supervised_command_ends_when_its_guard_is_asked_to(tmp_path: Path) -> None:
    """SIGTERM to the guard, as on a time limit, ends the command below it."""
    process = subprocess.Popen(guarded("supervise", *python(writes_its_pid(tmp_path / "child"))))
    child = pid_in(tmp_path / "child")
    process.terminate()
    assert ended(process) == 128 + signal.SIGTERM
    assert not is_running(child)


@pytest.mark.parametrize("mode", ["exec", "supervise"])
@pytest.mark.parametrize("code", [0, 3, 255])
def test_the_exit_code_is_the_command_s(mode: str, code: int) -> None:
    """Nobody sees that there is a guard."""
    assert subprocess.run(guarded(mode, *python(f"raise SystemExit({code})")), check=False).returncode == code


@pytest.mark.parametrize("mode", ["exec", "supervise"])
@pytest.mark.parametrize(
    ("program", "reason"), [("no-such-program", "No such file or directory"), ("/", "Permission denied")]
)
def test_a_program_that_cannot_be_started_says_so(mode: str, program: str, reason: str) -> None:
    """127, as a shell has it, and one line instead of a traceback."""
    done = subprocess.run(guarded(mode, program), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (127, f"{program}: cannot be started: {reason}\n")


@pytest.mark.parametrize("mode", ["exec", "supervise"])
def test_nothing_starts_for_a_parent_that_is_gone(mode: str, tmp_path: Path) -> None:
    """The runner may be killed between its fork and the kernel's promise: then the command never runs."""
    command = python(writes_its_pid(tmp_path / "child", "pass"))
    done = subprocess.run(guarded(mode, *command, parent=1), capture_output=True, check=False)
    assert done.returncode == 1
    assert not (tmp_path / "child").exists()
