"""Locust's users that run consistency probes, one after the other, in trials of `iam-loadtest run`."""

from __future__ import annotations

from typing import Any

from locust import task
from locust.exception import StopUser

from iam_loadtest.load.audit import AGAIN_AFTER_S
from iam_loadtest.load.probing import ProbeRunner
from iam_loadtest.load.session import holder_of
from iam_loadtest.load.setup import LoadSetup
from iam_loadtest.load.users import ReportingUser
from iam_loadtest.scenario.probes import AUDIT_LIMIT_S, Probes


class ProbeUser(ReportingUser):
    """Writes at one node and reads at another. Which probe comes next is decided for all of a process's users."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._runner: ProbeRunner | None = None
        self._think_time_s = 0.0

    @task
    def run_probe(self) -> None:
        """Run a probe; the first call only takes up place and phase."""
        if self._runner is None:
            self._runner = self._begin()
        elif not self._runner.run_one():
            raise StopUser

    def wait_time(self) -> float:
        """Seconds until the next probe: the think time where probes are the workload."""
        return self._think_time_s

    def on_stop(self) -> None:
        """Close the connections."""
        if self._runner is not None:
            self._runner.close()

    def _begin(self) -> ProbeRunner:
        session = holder_of(self.environment).admit()
        if session is None or session.probing is None:
            raise StopUser
        runner, phase_s = session.start_probe_user(self._report)
        self._wait_first(phase_s)
        self._think_time_s = session.think_time_s if session.probing.is_alone else 0.0
        return runner


def choose_users(environment: Any, setup: LoadSetup) -> None:
    """Have a master start users of the load, of probes, or both, as the trial asks for."""
    of_the_load = [user_class for user_class in environment.user_classes if user_class is not ProbeUser]
    ProbeUser.fixed_count = setup.probe_users
    if setup.is_of_probes:
        environment.user_classes[:] = [ProbeUser]
    else:
        environment.user_classes[:] = [*of_the_load, *([ProbeUser] if setup.probe_users else [])]


def audit_time_s(setup: LoadSetup) -> float:
    """How long the audit after the load may take; 0 where there were no probes."""
    settle_s = (setup.scenario.probes or Probes()).settle_s
    return settle_s + AUDIT_LIMIT_S + AGAIN_AFTER_S if setup.probe_kinds else 0.0
