"""The whole suite from the outside: the command line, real Locust processes, a real server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from iam_loadtest.results.run import RUN_FILE, Run, read_run

LOAD = {
    "users": 4,
    "spawn_rate_per_s": 40,
    "warm_up": "0.2s",
    "duration": "1s",
    "cool_down": "0.2s",
    "rest": 0,
    "workers": 2,
    "trials": 1,
    "limits": {"cpu_percent": 1000, "loop_lag": "10s", "throttled_percent": 1000},
}
"""Machines that run tests are busy with other tests: what the generator waits for there is not what is tested here."""

PATIENCE_S = 240.0
"""For what takes some seconds on a machine of its own."""
PUBLIC_CLIENTS = {
    "access": {"id": "client-cred", "secret": "secret"},
    "subject": {"id": "token-exchange-subject", "secret": "secret", "auth": "post"},
    "actor": {"id": "token-exchange-actor", "secret": "secret", "auth": "post"},
}


@dataclass
class Workshop:
    """A directory to run the command line in; every process it starts carries a mark in its environment."""

    directory: Path
    mark: str

    @property
    def reports(self) -> Path:
        return self.directory / "reports"

    def scenario(self, **sections: object) -> Path:
        path = self.directory / "scenario.yaml"
        document = {"name": "e2e", "topologies": {"one": {"provider": "embedded"}}, "load": LOAD, **sections}
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        return path

    def start(self, *arguments: object, **environ: str) -> subprocess.Popen[str]:
        """A command; runs do not calibrate unless they are told to, which costs seconds."""
        command = [sys.executable, "-m", "iam_loadtest", *map(str, arguments)]
        if arguments[0] == "run" and "--calibrate" not in arguments:
            command.append("--no-calibrate")
        return subprocess.Popen(
            command,
            cwd=self.directory,
            env={**os.environ, "E2E_MARK": self.mark, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def call(
        self, *arguments: object, patience_s: float = PATIENCE_S, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **environ)
        out, err = process.communicate(timeout=patience_s)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def run(self) -> Run:
        (path,) = self.reports.glob(f"*/{RUN_FILE}")
        return read_run(path.parent)

    def processes(self) -> list[int]:
        """Living processes that carry the mark: the command line and all that came of it."""
        wanted, found = f"E2E_MARK={self.mark}".encode(), []
        for directory in Path("/proc").glob("[0-9]*"):
            try:
                if wanted in (directory / "environ").read_bytes() and not _is_zombie(directory):
                    found.append(int(directory.name))
            except OSError:
                continue
        return found

    def command_lines(self) -> str:
        lines = []
        for pid in self.processes():
            try:
                lines.append(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return "\n".join(lines)

    def await_none_left(self) -> list[int]:
        """The processes that still live a minute later; empty as soon as there are none."""
        await_that(lambda: not self.processes(), 60)
        return self.processes()


def await_that(condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> bool:
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)  # polls the state of other processes
    return True


def _is_zombie(directory: Path) -> bool:
    return (directory / "stat").read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    workshop = Workshop(tmp_path, uuid.uuid4().hex)
    yield workshop
    for pid in workshop.processes():
        os.kill(pid, signal.SIGKILL)
