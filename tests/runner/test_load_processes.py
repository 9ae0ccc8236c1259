"""A master and its workers are started and ended together."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest

from iam_loadtest.runner import load_processes
from iam_loadtest.runner.failure import TrialFailedError
from iam_loadtest.runner.process import Process, start_process
from iam_loadtest.scenario.load import Load
from tests.runner.children import SLEEPER


def test_where_one_worker_cannot_start_those_before_it_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would serve nobody until the end of the whole run."""
    started: list[Process] = []

    def third_fails(_: Sequence[str], log: IO[bytes], environ: Mapping[str, str], directory: Path) -> Process:
        if len(started) == 2:
            raise BlockingIOError("no more processes")
        started.append(start_process(SLEEPER, log, environ, directory))
        return started[-1]

    monkeypatch.setattr(load_processes, "start_process", third_fails)
    monkeypatch.setattr(load_processes, "write_trial_spec", lambda *_: None)
    spec: Any = SimpleNamespace(directory=str(tmp_path), workers_wait_s=50.0)
    with pytest.raises(BlockingIOError):
        load_processes.run_load(spec, Load(workers=2), 1.0, lambda _: None)
    assert [process.poll() is not None for process in started] == [True, True]


def test_a_trial_is_a_fresh_master_and_separate_workers_on_this_machine_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forks share outputs and outlive their parent, LOCUST_* settings change a trial, --run-time counts the ramp."""
    commands: list[Sequence[str]] = []
    environs: list[Mapping[str, str]] = []

    def started(command: Sequence[str], log: IO[bytes], environ: Mapping[str, str], directory: Path) -> Process:
        commands.append(command)
        environs.append(environ)
        return start_process(["true"], log, environ, directory)

    monkeypatch.setattr(load_processes, "start_process", started)
    monkeypatch.setattr(load_processes, "write_trial_spec", lambda *_: None)
    monkeypatch.setenv("LOCUST_RUN_TIME", "1s")
    monkeypatch.setenv("LOCUST_RESET_STATS", "true")
    spec: Any = SimpleNamespace(directory=str(tmp_path), workers_wait_s=50.0)
    with pytest.raises(TrialFailedError, match="left no result"):
        load_processes.run_load(spec, Load(workers=3), 1.0, lambda _: None)
    roles = [next(role for role in ("--master", "--worker") if role in command) for command in commands]
    assert roles == ["--master", "--worker", "--worker", "--worker"]
    assert commands[0][commands[0].index("--master-bind-host") + 1] == "127.0.0.1"
    options = {argument for command in commands for argument in command}
    assert not options & {"--processes", "--run-time", "-t", "--reset-stats"}
    assert not [name for environ in environs for name in environ if name.startswith("LOCUST_")]


def test_a_persons_own_settings_of_locust_change_no_trial(tmp_path: Path, unmeasured: None) -> None:
    """Locust itself does read the files: it refuses an option that it does not know."""
    (tmp_path / ".locust.conf").write_text("no-such-option = 1\n")
    (tmp_path / "locust.conf").write_text("no-such-option = 2\n")
    command = load_processes.locust_worker("127.0.0.1", 1)
    options = [*command[command.index("--locustfile") :][:2], "--list"]

    def listed(*start: str) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "HOME": str(tmp_path)}
        return subprocess.run(
            [*start, *options], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=60
        )

    ours = listed(*command[: command.index("--locustfile")])
    assert ours.returncode == 0, ours.stderr
    assert "WorkloadUser" in ours.stdout + ours.stderr
    stock = listed(sys.executable, "-m", "locust")
    assert stock.returncode != 0
    assert "no-such-option" in stock.stderr
