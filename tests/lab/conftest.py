"""Real labs: brought up by the command line, in short directories, as this user."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from iam_loadtest.lab.launch import LOCK_FILE
from iam_loadtest.lab.program import GALERA_PACKAGE, PACKAGES, find_program
from iam_loadtest.results.lab_state import LabState, read_lab_state
from iam_loadtest.results.server_file import OBSERVED_FILE

LAB = (sys.executable, "-m", "iam_loadtest", "lab")
CRED = ("client-cred", "secret")


@dataclass(frozen=True)
class Lab:
    """A lab that is up."""

    directory: Path
    state: LabState

    def processes(self) -> tuple[int, int]:
        """Launcher and process 1."""
        launcher, supervisor = (self.directory / LOCK_FILE).read_text().split()
        return int(launcher), int(supervisor)

    def token(self, node: str | None = None, at: str = "127.0.0.1") -> requests.Response:
        headers = {"X-Lab-Node": node} if node else {}
        data = {"grant_type": "client_credentials"}
        url = self.state.address.replace("127.0.0.1", at) + "token"
        return requests.post(url, data=data, auth=CRED, headers=headers, timeout=60)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return lab_command(*arguments, "--directory", str(self.directory))

    def now(self) -> LabState:
        """Its state as it is written down now."""
        state = read_lab_state(self.directory)
        assert state is not None
        return state

    def observed(self, node: str, column: str) -> str:
        """What the observer saw last of a node; empty where that is nothing or it has not looked yet."""
        file = self.directory / OBSERVED_FILE
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        rows = [row for row in csv.DictReader(io.StringIO(text)) if row["node"] == node]
        return str(rows[-1][column] or "") if rows else ""

    def execute(self, node: str, *command: str) -> str:
        done = lab_command("exec", "--directory", str(self.directory), node, *command)
        assert done.returncode == 0, done.stderr
        return done.stdout


def lab_command(*arguments: str, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*before, *LAB, *arguments], capture_output=True, text=True, timeout=250, check=False)


def inside_processes(supervisor: int) -> set[int]:
    """Every process in the process namespace of a lab, by /proc; the namespace is asked for while it lives."""
    namespace = os.readlink(f"/proc/{supervisor}/ns/pid")
    return {pid for pid in running() if link_of(pid, "pid") == namespace}


def running() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def link_of(pid: int, kind: str) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/ns/{kind}")
    except OSError:
        return None


def wait_until(condition: Callable[[], bool], what: str, within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s:.0f}s: {what}"
        time.sleep(0.02)  # polls the state of other processes


def skip_where_missing(*programs: str, galera: bool = False) -> None:
    """Skip with the package that would help; CI installs them all and skips nothing."""
    missing = {PACKAGES[name] for name in programs if find_program(name) is None and name != "redis-server"}
    if galera and not any(Path(path).exists() for path in ("/usr/lib/galera/libgalera_smm.so",)):
        missing.add(GALERA_PACKAGE)
    if missing:
        pytest.skip(f"needs: apt install {' '.join(sorted(missing))}")


def skip_without_namespaces() -> None:
    tried = subprocess.run(["unshare", "--net", "--pid", "--fork", "true"], capture_output=True, check=False)
    if tried.returncode and subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets this user make no namespaces; run as root")


def skip_without_tun() -> None:
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        pytest.skip("wireguard-go needs /dev/net/tun; run as root, or chmod 0666 it")


@pytest.fixture(scope="module")
def short_directory() -> Iterator[Path]:
    """Below /tmp itself: the paths of sockets must be short, and pytest's own directories are not."""
    directory = Path(tempfile.mkdtemp(prefix="iam-lab-test-", dir="/tmp"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def lab_up(short_directory: Path, unmeasured: None) -> Iterator[Callable[..., Lab]]:
    """Brings labs up, and ends all of them after the module, each as the user who started it."""
    directories: list[tuple[Path, Sequence[str]]] = []

    def up(before: Sequence[str] = (), **topology: Any) -> Lab:
        directory = short_directory / ("home" if before else "") / str(len(directories))
        file = short_directory / f"{len(directories)}.json"
        directories.append((directory, before))
        file.write_text(json.dumps(topology), encoding="utf-8")
        up_there = ("up", str(file), "--background", "--observe", "--port", "0", "--directory", str(directory))
        done = lab_command(*up_there, before=before)
        assert done.returncode == 0, done.stdout + done.stderr
        state = read_lab_state(directory)
        assert state is not None
        return Lab(directory, state)

    yield up
    for directory, before in directories:
        lab_command("down", "--directory", str(directory), before=before)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
