"""The supervisor of worker processes: what it passes on, when it starts and when it ends. No Locust here."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from iam_loadtest.errors import UserError
from iam_loadtest.runner import worker_supervisor
from iam_loadtest.runner.load_processes import free_port
from iam_loadtest.runner.worker_supervisor import WorkerSettings, serve_trials
from iam_loadtest.scenario.worker_trust import WORKER_TRUST_VARIABLE, WorkerTrust
from tests.runner.children import is_running, python

TRUST = WorkerTrust(("https://iam.example.org:443",))


class Told:
    """Notes what a supervisor tells; ``react`` is called with each event."""

    def __init__(self, react: Callable[[str], None] = lambda _event: None) -> None:
        self.events: list[str] = []
        self.pids: list[int] = []
        self._react = react

    def waiting(self, why: str) -> None:
        self._note(f"waiting: {why}")

    def started(self, pid: int) -> None:
        self.pids.append(pid)
        self._note("started")

    def ended(self, pid: int, exit_code: int) -> None:
        assert pid in self.pids
        self._note(f"ended: {exit_code}")

    def _note(self, event: str) -> None:
        self.events.append(event)
        self._react(event)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes worker processes run other code than Locust's."""

    def set_code(code: str) -> None:
        monkeypatch.setattr(worker_supervisor, "locust_worker", lambda host, port: python(code))

    monkeypatch.setattr(worker_supervisor, "_MASTER_ENDS_S", 0.1)
    monkeypatch.setattr(sys, "stderr", sys.__stderr__)
    return set_code


def test_a_worker_process_has_the_variables_that_were_named_and_no_other_secret() -> None:
    """A master names the variables that a scenario's secrets are read from; it may be anybody's."""
    environ = {
        **{"PATH": "/bin", "LC_ALL": "C.UTF-8", "PYTHONPATH": "/here", "IAM_SECRET": "a", "LOADTEST_ONE": "b"},
        **{"LOADTEST_TWO": "c", "AWS_SECRET_ACCESS_KEY": "d", "IAM_SECRET_OF_OTHERS": "e", "LOCUST_USERS": "9"},
    }
    passed = WorkerSettings("h", 1, TRUST, ("IAM_SECRET", "LOADTEST_*")).environment(environ)
    own = {WORKER_TRUST_VARIABLE, "IAM_LOADTEST_PARENT_PID", "PYTHONUNBUFFERED"}
    secret = {"IAM_SECRET", "LOADTEST_ONE", "LOADTEST_TWO"}
    assert set(passed) - own == {"PATH", "LC_ALL", "PYTHONPATH"} | secret
    assert WorkerTrust.from_json(passed[WORKER_TRUST_VARIABLE]) == TRUST
    assert passed["IAM_LOADTEST_PARENT_PID"] == str(os.getpid())


def test_no_master_within_the_time_is_said_once_and_then_an_error() -> None:
    told, port = Told(), free_port()
    with pytest.raises(UserError, match=f"no master listened at 127.0.0.1:{port} within 1.5s; start it with"):
        serve_trials(WorkerSettings("127.0.0.1", port, TRUST, max_idle_s=1.5), told)
    assert told.events == ["waiting: Connection refused"]


def test_each_process_that_ends_is_followed_by_another_while_a_master_listens(stand_in: Callable[[str], None]) -> None:
    """Also after a crash. Once nobody listens for the time allowed, all is well: there was a master before."""
    stand_in("raise SystemExit(3)")
    with socket.create_server(("127.0.0.1", 0)) as master:
        told = Told(lambda _event: master.close() if len(told.pids) == 4 else None)
        settings = WorkerSettings("127.0.0.1", master.getsockname()[1], TRUST, processes=2, max_idle_s=1)
        serve_trials(settings, told)
    assert told.events.count("started") == 4
    assert told.events.count("ended: 3") == 4
    assert told.events[-1] == "waiting: Connection refused"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_worker_processes_and_is_no_error(
    stand_in: Callable[[str], None], number: signal.Signals, tmp_path: Path
) -> None:
    stand_in(f"import pathlib, time; pathlib.Path({str(tmp_path / 'up')!r}).touch(); time.sleep(60)")

    def signal_once_up() -> None:
        while not (tmp_path / "up").exists():
            time.sleep(0.02)  # polls a process that is starting
        os.kill(os.getpid(), number)

    with socket.create_server(("127.0.0.1", 0)) as master:
        signaller = threading.Thread(target=signal_once_up)
        signaller.start()
        told = Told()
        serve_trials(WorkerSettings("127.0.0.1", master.getsockname()[1], TRUST), told)
        signaller.join()
    assert told.events == ["started"]
    assert not is_running(told.pids[0])
