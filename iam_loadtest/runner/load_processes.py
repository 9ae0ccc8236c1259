"""Locust for one trial: a master and its workers, as processes."""

from __future__ import annotations

import math
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from iam_loadtest.errors import IamLoadtestError
from iam_loadtest.results.load_result import ENDING, LoadResult, Progress, read_load_result, read_progress
from iam_loadtest.results.trial import LOCUST_LOG
from iam_loadtest.runner.external import ExternalWorkers
from iam_loadtest.runner.failure import TrialFailedError
from iam_loadtest.runner.log_tail import last_line
from iam_loadtest.runner.process import Process, await_end, end_processes, start_process
from iam_loadtest.scenario.load import Load
from iam_loadtest.scenario.plan import trial_s
from iam_loadtest.scenario.trial_spec import TRIAL_SPEC_VARIABLE, TrialSpec, write_trial_spec

SPEC_FILE = "trial-spec.json"
PARENT_VARIABLE = "IAM_LOADTEST_PARENT_PID"
LOCUSTFILE = Path(__file__).parents[1] / "load" / "trial_locustfile.py"
_GRACE_S = 60.0
_AUDIT_S = 90.0
"""For what probes wrote to be read again, which has a limit of its own."""
_POLL_S = 0.25
_PATIENCE_S = 20.0


class LoadInterruptedError(IamLoadtestError):
    """The load was stopped by the person at the keyboard; what the master saved of it is in ``result``."""

    def __init__(self, result: LoadResult | None) -> None:
        super().__init__("interrupted")
        self.result = result


def run_load(
    spec: TrialSpec,
    load: Load,
    end_s: float,
    watch: Callable[[Progress], None],
    external: ExternalWorkers | None = None,
    probe_users: int = 0,
    beside: Callable[[], None] = lambda: None,
) -> LoadResult:
    """Run Locust to the end of a trial and return what its master left.

    ``end_s`` is what the end may take by the scenario: the time limit of the last requests, and a pause before probes
    are audited. Workers are started here unless they are ``external``. ``probe_users`` come on top of the load's users.
    ``beside`` is called some times a second while the load goes on. Raises TrialFailedError where Locust left nothing
    or did not end in time, LoadInterruptedError on Ctrl-C.
    """
    directory = Path(spec.directory)
    write_trial_spec(directory / SPEC_FILE, spec)
    with (directory / LOCUST_LOG).open("ab") as log:
        at = (external.bind, external.port) if external else ("127.0.0.1", free_port())
        environ = _environment(directory)
        workers = 0 if external else load.workers
        processes: list[Process] = []
        try:
            for command in (_master(load, probe_users, at, spec.workers_wait_s), *[locust_worker(*at)] * workers):
                processes.append(start_process(command, log, environ, directory))
            limit_s = spec.workers_wait_s + trial_s(load) + end_s + _AUDIT_S + _GRACE_S
            _follow(processes[0], directory, limit_s, watch, beside)
            await_end(processes, _PATIENCE_S)
        except KeyboardInterrupt as interrupt:
            watch(Progress(ENDING, 0.0, load.users))
            end_processes(processes[:1], _PATIENCE_S)
            raise LoadInterruptedError(read_load_result(directory)) from interrupt
        finally:
            end_processes(processes, 2.0)
    result = read_load_result(directory)
    if result is None:
        code = processes[0].returncode
        raise TrialFailedError(f"Locust ended with exit code {code} and left no result: {_last_line(directory)}.")
    return result


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _follow(
    master: Process, directory: Path, limit_s: float, watch: Callable[[Progress], None], beside: Callable[[], None]
) -> None:
    deadline = time.monotonic() + limit_s
    seen: Progress | None = None
    while not await_end([master], _POLL_S):
        beside()
        progress = read_progress(directory)
        if progress is not None and progress != seen:
            watch(progress)
            seen = progress
        if time.monotonic() >= deadline:
            raise TrialFailedError(f"Locust did not end within {limit_s:.0f}s: {_last_line(directory)}.")


def _environment(directory: Path) -> dict[str, str]:
    """The runner's environment without LOCUST_* settings, which would change the trial."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    return {
        **environ,
        TRIAL_SPEC_VARIABLE: str(directory / SPEC_FILE),
        PARENT_VARIABLE: str(os.getpid()),
        "PYTHONUNBUFFERED": "1",
    }


def _master(load: Load, probe_users: int, at: tuple[str, int], wait_s: float) -> Sequence[str]:
    """The master's command. Locust's own wait is the longer one: ours ends with a reason."""
    host, port = at
    max_wait_s = math.ceil(wait_s) + _GRACE_S
    return [
        *_locust(),
        *("--master", "--master-bind-host", host, "--master-bind-port", str(port)),
        *("--headless", "--expect-workers", str(load.workers), "--expect-workers-max-wait", f"{max_wait_s:.0f}"),
        *("--users", str(load.users + probe_users), "--spawn-rate", str(load.spawn_rate_per_s)),
        *("--exit-code-on-error", "0", "--loglevel", "INFO", "--only-summary"),
    ]


def locust_worker(host: str, port: int) -> Sequence[str]:
    """The command of a Locust worker."""
    return [*_locust(), "--worker", "--master-host", host, "--master-port", str(port)]


def _locust() -> Sequence[str]:
    return [sys.executable, "-m", "iam_loadtest.load.trial_locust", "--locustfile", str(LOCUSTFILE)]


def _last_line(directory: Path) -> str:
    return last_line(directory / LOCUST_LOG, f"{LOCUST_LOG} is empty")
