"""``iam-loadtest worker``: one Locust worker process per trial, started anew whenever a master is there."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from iam_loadtest.errors import UserError
from iam_loadtest.runner.interruption import Interruption
from iam_loadtest.runner.load_processes import PARENT_VARIABLE, locust_worker
from iam_loadtest.runner.process import Process, end_processes, start_process
from iam_loadtest.scenario.worker_trust import WORKER_TRUST_VARIABLE, WorkerTrust
from iam_loadtest.units import format_duration

_POLL_S = 0.2
_CONNECT_S = 2.0
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 5.0
_MASTER_ENDS_S = 2.0
"""After a trial its master still listens for so long, and serves nobody."""
_PATIENCE_S = 10.0
_PASSED_ON = frozenset(
    {"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH"}
    | {"SSL_CERT_FILE", "SSL_CERT_DIR"}
)
_PASSED_ON_PREFIXES = ("LC_", "PYTHON")


@dataclass(frozen=True)
class WorkerSettings:
    """Whom a worker serves and what it may do. ``secret_variables`` are names, or beginnings of names with a ``*``.

    ``max_idle_s`` is how long it waits for a master, None for ever.
    """

    host: str
    port: int
    trust: WorkerTrust
    secret_variables: tuple[str, ...] = ()
    processes: int = 1
    max_idle_s: float | None = None

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The variables that a worker process has: no master can ask for another one as a secret."""
        kept = {name: value for name, value in environ.items() if self._is_passed_on(name)}
        own = {WORKER_TRUST_VARIABLE: self.trust.to_json(), PARENT_VARIABLE: str(os.getpid()), "PYTHONUNBUFFERED": "1"}
        return {**kept, **own}

    def _is_passed_on(self, name: str) -> bool:
        is_secret = any(
            name.startswith(allowed[:-1]) if allowed.endswith("*") else name == allowed
            for allowed in self.secret_variables
        )
        return is_secret or name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)


class Teller(Protocol):
    """Who is told how a worker fares; the front door prints it."""

    def waiting(self, why: str) -> None:
        """No master listens; said once until one does."""

    def started(self, pid: int) -> None:
        """A master listens, and a process has started to serve it."""

    def ended(self, pid: int, exit_code: int) -> None:
        """A process has ended: the trial is over, or its master is gone."""


def serve_trials(settings: WorkerSettings, teller: Teller) -> None:
    """Serve one master's trial after the other until SIGTERM, SIGINT or SIGHUP. Main thread only.

    A trial in progress then loses this worker, which makes it invalid. Raises UserError where no master came within
    ``max_idle_s`` at all; after a first one that is a good end.
    """
    supervisor = _Supervisor(settings, teller)
    with Interruption() as interruption:
        try:
            with interruption.interruptible():
                supervisor.run()
        except KeyboardInterrupt:
            pass
        finally:
            supervisor.close()


class _Supervisor:
    def __init__(self, settings: WorkerSettings, teller: Teller) -> None:
        self._settings = settings
        self._teller = teller
        self._environ = settings.environment(os.environ)
        self._running: list[Process] = []
        self._has_served = False
        self._is_waiting = False
        self._pause_s = _FIRST_PAUSE_S
        self._next_look_s = 0.0
        self._idle_since_s = time.monotonic()

    def run(self) -> None:
        """Until nobody came for too long."""
        while not self._is_idle_too_long():
            self._collect()
            if len(self._running) < self._settings.processes and time.monotonic() >= self._next_look_s:
                self._look()
            time.sleep(_POLL_S)
        if not self._has_served:
            host, port, limit_s = self._settings.host, self._settings.port, self._settings.max_idle_s or 0
            raise UserError(
                f"no master listened at {host}:{port} within {format_duration(limit_s)}; "
                "start it with `iam-loadtest run --workers-external`, and look whether its port can be reached."
            )

    def close(self) -> None:
        """End what still runs."""
        end_processes(self._running, _PATIENCE_S)

    def _collect(self) -> None:
        """Take note of processes that ended; the next ones start a little later."""
        for process in [process for process in self._running if process.poll() is not None]:
            self._running.remove(process)
            self._teller.ended(process.pid, process.returncode)
            self._pause_s = _FIRST_PAUSE_S
            self._next_look_s = time.monotonic() + _MASTER_ENDS_S
            self._idle_since_s = time.monotonic()

    def _look(self) -> None:
        """Start what is missing where a master listens; else look again, less and less often."""
        why = _why_not_there(self._settings.host, self._settings.port)
        if why is None:
            self._is_waiting, self._has_served, self._pause_s = False, True, _FIRST_PAUSE_S
            while len(self._running) < self._settings.processes:
                self._start()
            return
        if not self._is_waiting:
            self._is_waiting = True
            self._teller.waiting(why)
        self._next_look_s = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)

    def _start(self) -> None:
        command = [*locust_worker(self._settings.host, self._settings.port), "--loglevel", "WARNING"]
        process = start_process(command, sys.stderr.buffer, self._environ, Path.cwd())
        self._running.append(process)
        self._teller.started(process.pid)

    def _is_idle_too_long(self) -> bool:
        limit_s = self._settings.max_idle_s
        return limit_s is not None and not self._running and time.monotonic() - self._idle_since_s >= limit_s


def _why_not_there(host: str, port: int) -> str | None:
    """Why nobody listens there; None where somebody does."""
    try:
        socket.create_connection((host, port), _CONNECT_S).close()
    except OSError as error:
        return error.strerror or str(error)
    return None
