"""A provider under test: the scenario that ships for it, run by the command line beside the real server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import yaml

from iam_loadtest.oidc.discovery import Endpoints, discovery_url
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.trial import TrialStatus, read_trial
from iam_loadtest.runner.preflight import Preflight
from iam_loadtest.scenario.load_file import load_scenario
from iam_loadtest.scenario.model import Scenario
from providers.running import Running

SCENARIOS = Path(__file__).parents[2] / "scenarios"
SHORT = {
    "users": 4,
    "spawn_rate_per_s": 8,
    "warm_up": "500ms",
    "duration": "2s",
    "cool_down": "200ms",
    "rest": 0,
    "workers": 1,
    "trials": 1,
    "limits": {"cpu_percent": 1000, "loop_lag": "10s"},
}
"""Trials of seconds on a machine that runs other tests: what the generator waits for there is not what is tested."""
SEVERAL_REQUESTS = frozenset({"login_page", "login", "consent", "approve"})
"""Steps that follow redirects: one row, several requests."""
LOG_PATIENCE_S = 20.0

Requests = Counter[tuple[str, int]]
"""Requests by path and status."""


@dataclass(frozen=True)
class UnderTest:
    """A running provider; ``directory`` is empty and the tests' own."""

    name: str
    running: Running
    directory: Path

    @property
    def environ(self) -> Mapping[str, str]:
        """The test's environment with the provider's issuer and secrets."""
        return {**os.environ, **self.running.environ}

    def write_scenario(self, name: str, **sections: object) -> Path:
        """A copy of the scenario that ships, of trials that take seconds, with other sections."""
        shipped = yaml.safe_load((SCENARIOS / f"{self.name}.yaml").read_text(encoding="utf-8"))
        path = self.directory / f"{name}.yaml"
        path.write_text(yaml.safe_dump({**shipped, "load": SHORT, **sections}, sort_keys=False), encoding="utf-8")
        return path

    def scenario(self) -> Scenario:
        """The scenario that ships, as the program reads it."""
        return load_scenario(SCENARIOS / f"{self.name}.yaml", environ=self.environ)

    def endpoints(self) -> Endpoints:
        """The endpoints by discovery."""
        with Preflight(self.running.issuer, self.scenario().target, self.directory) as preflight:
            return preflight.discover()

    def call(self, *arguments: object, **environ: str) -> subprocess.CompletedProcess[str]:
        """The command line beside the provider."""
        return subprocess.run(
            [sys.executable, "-m", "iam_loadtest", *map(str, arguments)],
            cwd=self.directory,
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )


def init_writes_a_scenario_that_works(under_test: UnderTest, *options: str) -> None:
    """From the issuer's URL alone and what it cannot know: exit code 0 says that every step of it was good."""
    variable = under_test.name.replace("-", "_").upper()
    clients = ("--access", "access", "--access-auth", "basic", "--access-proof", f"{variable}_ACCESS_SECRET")
    subject = ("--subject", "subject", "--subject-auth", "post", "--subject-proof", f"{variable}_SUBJECT_SECRET")
    password = under_test.running.environ[f"{variable}_USERS_PASSWORD"]
    (under_test.directory / "first.csv").write_text(f"username,password\ntest_100,{password}\n", encoding="utf-8")
    users = ("--users-file", "first.csv")
    issuer = under_test.running.issuer
    done = under_test.call("init", issuer, "--no-ask", "--output", "first.yaml", *clients, *subject, *users, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    written = (under_test.directory / "first.yaml").read_text(encoding="utf-8")
    assert not any(secret in written + done.stdout + done.stderr for secret in _secrets(under_test))


def check_walks_every_workload(under_test: UnderTest) -> None:
    """`iam-loadtest check` reaches the provider, and every step of every workload is good once."""
    workloads = under_test.scenario().workloads
    done = under_test.call("check", under_test.write_scenario("check", trials_of=list(workloads)))
    assert done.returncode == 0, done.stdout + done.stderr
    walked = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ") and line[2] != " "}
    assert set(workloads) <= walked
    assert not any(secret in done.stdout + done.stderr for secret in _secrets(under_test))


def run_equals_the_server_s_own_log(under_test: UnderTest, **load: object) -> None:
    """A trial of each token workload and one of all others mixed: good outcomes, good tokens, and each request a row.

    The load sends no User-Agent, and what comes before a load sends one: so the log tells them apart.
    """
    before = len(under_test.running.requests())
    workloads: dict[str, Any] = yaml.safe_load((SCENARIOS / f"{under_test.name}.yaml").read_text())["workloads"]
    token = [name for name in ("access", "refresh", "workflow") if name in workloads]
    others = {name: 1 for name in workloads if name not in token}
    path = under_test.write_scenario(
        "short",
        workloads={**workloads, "others": {"mix": others}},
        trials_of=[*token, "others"],
        verify_tokens=1,
        load={**SHORT, **load},
    )
    reports = under_test.directory / "reports"
    done = under_test.call("run", path, "--reports", reports, "--no-calibrate", "--no-report", "--quiet")
    assert done.returncode == 0, done.stdout + done.stderr
    _assert_good_trials(under_test, [*token, "others"])
    rows = _rows(under_test)
    assert set(rows.outcome) == {str(Outcome.OK)}
    assert _logged(under_test, before, _of_rows(under_test, rows)) == _of_rows(under_test, rows)


def load_by_mutual_tls_is_good(under_test: UnderTest, *clients: str) -> None:
    """A trial whose clients show their certificate: the load's own HTTP client does, and each answer is a token."""
    place = under_test.running.mutual_tls
    assert place is not None
    path = under_test.write_scenario(
        "mutual-tls",
        topologies={"secured": {"provider": "url", "issuer": place.issuer}},
        target={"timeout": "30s", **place.target()},
        clients={name: {"id": name, "auth": "tls_client_auth"} for name in clients},
        steps={name: {"grant": "client_credentials", "client": name} for name in clients},
        workloads={"access": list(clients)},
        trials_of=["access"],
        load={**SHORT, "duration": "1s"},
    )
    runs = under_test.directory / "mutual-tls"
    done = under_test.call("run", path, "--reports", runs, "--no-calibrate", "--no-report", "--quiet")
    assert done.returncode == 0, done.stdout + done.stderr
    (rows,) = map(pd.read_parquet, runs.glob("*/trials/*/samples.parquet"))
    steps = rows[~rows.step.astype(str).str.startswith("workflow")]
    assert set(zip(steps.step, steps.outcome, strict=True)) == {(name, str(Outcome.OK)) for name in clients}


def _assert_good_trials(under_test: UnderTest, workloads: list[str]) -> None:
    trials = [read_trial(path) for path in sorted(under_test.directory.glob("reports/*/trials/*"))]
    assert [trial.workload for trial in trials] == workloads
    for trial in trials:
        assert trial.status is TrialStatus.OK, trial.reason
        assert trial.counts.requests > 0
        assert trial.counts.tokens.get("bad", 0) == 0
    assert sum(trial.counts.tokens.get("verified", 0) for trial in trials) > 0


def _rows(under_test: UnderTest) -> pd.DataFrame:
    """Every request of all trials, ramps and cool-downs included; rows of whole chains left out."""
    rows = pd.concat(map(pd.read_parquet, under_test.directory.glob("reports/*/trials/*/samples.parquet")))
    return rows[~rows.step.astype(str).str.startswith("workflow")]


def _of_rows(under_test: UnderTest, rows: pd.DataFrame) -> Requests:
    """The rows of steps that ask once, by what they ask."""
    paths = _paths(under_test)
    asked = rows[rows.step.isin(list(paths))]
    return Counter((paths[str(step)], int(status)) for step, status in zip(asked.step, asked.status, strict=True))


def _logged(under_test: UnderTest, before: int, expected: Requests) -> Requests:
    """The load's requests in the server's log; a server writes its log a moment after it answered."""
    paths = {path for path, _ in expected}
    deadline = time.monotonic() + LOG_PATIENCE_S
    while True:
        lines = under_test.running.requests()[before:]
        found = Counter((line.path, line.status) for line in lines if not line.agent and line.path in paths)
        if found.total() >= expected.total() or time.monotonic() >= deadline:
            return found
        time.sleep(0.2)  # polls the log of another process


def _paths(under_test: UnderTest) -> dict[str, str]:
    """What each step asks, by its label. A worker asks for discovery and JWKS on its own: those are no rows."""
    endpoints, scenario = under_test.endpoints(), under_test.scenario()
    urls = {
        "introspect": endpoints.introspection,
        "userinfo": endpoints.userinfo,
        "revoke": endpoints.revocation,
        "device": endpoints.device_authorization,
        "discovery": discovery_url(endpoints.issuer),
        "jwks": endpoints.jwks,
    }
    asked = {scenario.label_of(name): urls.get(step.kind, endpoints.token) for name, step in scenario.steps.items()}
    own = SEVERAL_REQUESTS | {"discovery", "jwks"}
    return {label: urlsplit(url).path for label, url in asked.items() if url and label not in own}


def _secrets(under_test: UnderTest) -> list[str]:
    return [value for name, value in under_test.running.environ.items() if not name.endswith("ISSUER")]
