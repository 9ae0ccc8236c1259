"""Real processes for tests: the fake token server, the built-in IAM, Locust alone, and a trial's master and workers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from iam_loadtest.results.load_result import LoadResult, read_load_result
from iam_loadtest.scenario.trial_spec import TRIAL_SPEC_VARIABLE, TrialSpec, write_trial_spec

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LOCUSTFILES = ROOT / "locustfiles"
TRIAL_LOCUSTFILE = ROOT / "iam_loadtest" / "load" / "trial_locustfile.py"
SCENARIO = """\
name: test
topologies:
  one: {provider: embedded}
load:
  {users: 12, spawn_rate_per_s: 12, warm_up: 500ms, duration: 2s, cool_down: 200ms, workers: 2,
   limits: {cpu_percent: 1000, loop_lag: 10s, throttled_percent: 1000}}
"""


def clean_environment(is_measured: bool = True, **extra: str) -> dict[str, str]:
    """The environment without settings of Locust or of this package, and what is given on top.

    ``is_measured`` False leaves coverage out, which triples the time that a process needs to start.
    """
    dropped = ("LOCUST_", "IAM_LOADTEST_") if is_measured else ("LOCUST_", "IAM_LOADTEST_", "COVERAGE_PROCESS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**kept, "PYTHONUNBUFFERED": "1", **extra}


def eventually(is_so: Callable[[], Any], limit_s: float = 60.0) -> Any:
    """What ``is_so`` gives once it is true; fails after the limit."""
    deadline = time.monotonic() + limit_s
    while not (found := is_so()):
        assert time.monotonic() < deadline, f"not so within {limit_s} s"
        time.sleep(0.05)  # polls the state of other processes
    return found


@contextmanager
def server(command: list[str], ready_file: Path) -> Iterator[dict[str, Any]]:
    """A server process that writes a JSON ready file; ended with the block."""
    process = subprocess.Popen(command, env=clean_environment(is_measured=False), stdout=subprocess.DEVNULL)
    try:
        eventually(ready_file.is_file)
        yield json.loads(ready_file.read_text())
    finally:
        end(process)


def end(process: subprocess.Popen[Any]) -> None:
    """End a process, by force where it does not follow a signal."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class FakeIam:
    """The fake token server: an issuer per mode."""

    port: int
    scheme: str = "http"

    def issuer(self, mode: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/{mode}/"

    def counts(self, mode: str) -> dict[str, int]:
        """Token requests of a mode so far, by grant."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/counts") as answer:
            return json.load(answer).get(mode, {})


def token_requests(issuer: str) -> dict[str, int]:
    """What the built-in IAM counted at its token endpoint, by grant."""
    with urllib.request.urlopen(issuer + "metrics") as answer:
        lines = answer.read().decode().splitlines()
    counts: dict[str, int] = {}
    for line in lines:
        if line.startswith("iam_requests_total") and 'endpoint="token"' in line:
            grant = line.split('grant="')[1].split('"')[0]
            counts[grant] = counts.get(grant, 0) + int(float(line.rsplit(" ", 1)[1]))
    return counts


def run_locust(
    *arguments: str, cwd: Path, timeout_s: float = 200, is_measured: bool = True, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run Locust to its end; its output and log are joined in ``stdout``."""
    return subprocess.run(
        [sys.executable, "-m", "locust", *arguments],
        cwd=cwd,
        env=clean_environment(is_measured, HOME=str(cwd), **environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def start_locust(
    *arguments: str, cwd: Path, log: Path, is_measured: bool = True, module: str = "locust", **environ: str
) -> subprocess.Popen[str]:
    """Start a Locust process that writes into ``log``."""
    with log.open("a") as output:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=cwd,
            env=clean_environment(is_measured, HOME=str(cwd), **environ),
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )


def with_end(*locustfiles: Path) -> tuple[str, str]:
    """Locust's option for these files; a run in a directory ends as if by --run-time once it is told that by `ended`.

    A run of so many seconds may be over before a busy machine has let its users do anything.
    """
    return "-f", ",".join(map(str, (*locustfiles, HERE / "run_time.py")))


def has_spawned(log: str) -> bool:
    """Whether Locust has said that its users run, or that a busy worker has not told it so in time."""
    return "All users spawned" in log or "Spawning is complete" in log


def ended(process: subprocess.Popen[str], directory: Path, log: Path, is_enough: Callable[[], Any]) -> int:
    """The exit code of a run that ends once all its users run and it is enough, or earlier by itself."""

    def is_so(condition: Callable[[], Any]) -> bool:
        return process.poll() is not None or bool(condition())

    try:
        eventually(lambda: is_so(lambda: has_spawned(log.read_text())), 120)
        eventually(lambda: is_so(is_enough), 120)
        (directory / "enough").touch()
        return process.wait(120)
    finally:
        end(process)


def run_locust_until(
    is_enough: Callable[[], Any], *arguments: str, cwd: Path, is_measured: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run Locust, files by `with_end`, for as long as it takes; its output and log are joined in ``stdout``."""
    log = cwd / "locust.log"
    process = start_locust(*arguments, cwd=cwd, log=log, is_measured=is_measured)
    code = ended(process, cwd, log, is_enough)
    return subprocess.CompletedProcess(process.args, code, log.read_text())


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class TrialProcesses:
    """A trial in its own directory, run as the scenario runner would."""

    directory: Path
    issuer: str
    workload: str = "workflow"
    overrides: dict[str, Any] = field(default_factory=dict)
    scenario: str = SCENARIO
    users: int = 12
    environ: dict[str, str] = field(default_factory=dict)
    is_measured: bool = False
    locustfile: Path = HERE / "patient_trial.py"
    workers_wait_s: float = 150.0
    is_master_last: bool = False
    """The workers are up and look for their master when it begins to count the time that it waits for them."""
    worker_command: str | None = None
    expected: int | None = None
    environ_of_workers: dict[str, str] | None = None
    """Instead of the spec, as on another host."""
    master: subprocess.Popen[str] | None = None
    workers: list[subprocess.Popen[str]] = field(default_factory=list)
    _there: tuple[str, ...] = ()

    def start(self, workers: int = 2) -> TrialProcesses:
        """Start master and workers."""
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "scenario.yaml").write_text(self.scenario)
        spec = TrialSpec(
            str(self.directory / "scenario.yaml"),
            str(self.directory),
            "one",
            self.workload,
            self.issuer,
            str(self.directory),
            self.overrides,
            workers_wait_s=self.workers_wait_s,
            worker_command=self.worker_command,
        )
        write_trial_spec(self.directory / "spec.json", spec)
        port = str(free_port())
        head = ("--headless", "--only-summary", "--users", str(self.users), "--spawn-rate", str(self.users))
        bind = (
            "--master-bind-host",
            "127.0.0.1",
            "--master-bind-port",
            port,
            "--expect-workers",
            str(self.expected or workers),
        )
        self._there = ("--worker", "--master-host", "127.0.0.1", "--master-port", port)
        begin = partial(self._start, "master.log", "--master", *head, *bind, "--exit-code-on-error", "0")
        if not self.is_master_last:
            self.master = begin()
        for _ in range(workers):
            self.start_worker()
        if self.is_master_last:
            eventually(lambda: self.log().count("Starting Locust") == workers, 150)
            self.master = begin()
        return self

    def start_worker(self) -> subprocess.Popen[str]:
        """Start one more worker."""
        extra = self.environ_of_workers
        self.workers.append(self._start(f"worker{len(self.workers)}.log", *self._there, environ=extra))
        return self.workers[-1]

    def await_result(self, limit_s: float = 150, expected_code: int = 0) -> LoadResult:
        """The result, once the master has ended with its exit code."""
        assert self.master is not None
        code = self.master.wait(limit_s)
        result = read_load_result(self.directory)
        assert code == expected_code, self.log()
        assert result is not None, self.log()
        return result

    def await_phase(self, phase: str, limit_s: float = 150.0) -> None:
        """Wait until progress.json says that the trial is in a phase; a busy machine takes its time to start it."""
        path = self.directory / "progress.json"
        eventually(lambda: path.is_file() and json.loads(path.read_text())["phase"] == phase, limit_s)

    def signal_master(self, number: signal.Signals) -> None:
        """Send a signal to the master alone."""
        assert self.master is not None
        self.master.send_signal(number)

    def log(self) -> str:
        """Everything that the processes wrote."""
        return "\n".join(path.read_text() for path in sorted(self.directory.glob("*.log")))

    def stop(self) -> None:
        """End what still runs."""
        for process in (self.master, *self.workers):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()

    def _start(self, log: str, *arguments: str, environ: dict[str, str] | None = None) -> subprocess.Popen[str]:
        if environ is None:
            environ = {TRIAL_SPEC_VARIABLE: str(self.directory / "spec.json"), **self.environ}
        locustfile = ("-f", str(self.locustfile))
        where: dict[str, Any] = {
            "cwd": self.directory,
            "log": self.directory / log,
            "module": "iam_loadtest.load.trial_locust",
        }
        return start_locust(*locustfile, *arguments, is_measured=self.is_measured, **where, **environ)
