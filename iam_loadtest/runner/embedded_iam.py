"""The built-in IAM as a topology: started for one trial with a fresh database, ended with it."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from iam_loadtest.errors import SecretMissingError
from iam_loadtest.oidc.request_kind import RequestKind
from iam_loadtest.results.lab_state import NODE_HEADER
from iam_loadtest.runner.failure import TrialFailedError
from iam_loadtest.runner.log_tail import last_line
from iam_loadtest.runner.observing import observed
from iam_loadtest.runner.process import Process, end_processes, start_process
from iam_loadtest.scenario.iam_flags import iam_flags
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.topology import EmbeddedTopology

IAM_LOG = "iam.log"
_NODE = "iam"
_READY_FILE = "iam-ready.json"
_DATABASE_FILE = "iam.sqlite"
_READY_WITHIN_S = 60.0
_PATIENCE_S = 5.0
_POLL_S = 0.05
_COUNT = re.compile(r'iam_requests_total\{endpoint="(token|introspect|revoke|userinfo)",grant="(\w*)",.*\} (\d+)')
_UNCOUNTED = frozenset(set(RequestKind) - {RequestKind.INTROSPECT, RequestKind.USERINFO, RequestKind.REVOKE})


@dataclass(frozen=True)
class EmbeddedIam:
    """A running built-in IAM.

    ``nodes`` are its frontends where they are counted apart, behind a balancer; ``address`` is where that is asked,
    where it is not the issuer itself. ``is_counted`` is false where another program stands in the built-in IAM's place,
    which tells no counts.
    """

    issuer: str
    nodes: tuple[str, ...] = ()
    address: str = ""
    is_counted: bool = True

    def requests_by_kind(self) -> Counter[str]:
        """How many requests it has answered since its start, by grant or kind, over all frontends.

        Pages and documents are left out: redirects, health checks and the generator's start ask for them too.

        Raises TrialFailedError where it does not answer.
        """
        if not self.nodes:
            return _count(self.issuer, {})
        counts: Counter[str] = Counter()
        for node in self.nodes:
            counts += _count(self.address or self.issuer, {NODE_HEADER: node})
        return counts


def _count(issuer: str, headers: Mapping[str, str]) -> Counter[str]:
    try:
        with requests.Session() as session:
            session.trust_env = False  # it is on this machine: no proxy of the environment leads there
            answer = session.get(issuer + "metrics", headers=headers, timeout=10)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise TrialFailedError(f"the built-in IAM did not answer GET /metrics; see {IAM_LOG}.") from error
    counts: Counter[str] = Counter()
    for endpoint, grant, count in _COUNT.findall(answer.text):
        counts[grant or endpoint] += int(count)
    return counts


@contextmanager
def embedded_iam(
    topology: EmbeddedTopology, directory: Path, environ: Mapping[str, str] = os.environ
) -> Iterator[EmbeddedIam]:
    """The built-in IAM while the block runs; its log stays in the trial's directory, its database goes.

    ``environ`` is what its processes are given, beside the URL of its database. Raises TrialFailedError where it does
    not get ready.
    """
    ready_file = directory / _READY_FILE
    with (directory / IAM_LOG).open("ab") as log:
        given = {**environ, "IAM_LOADTEST_DATABASE_URL": _database_url(topology, directory)}
        process = start_process(_command(topology, ready_file), log, given, directory)
        try:
            issuer = _await_ready(process, ready_file, directory / IAM_LOG)
            with observed(_NODE, process.pid, issuer, directory, environ):
                yield EmbeddedIam(issuer)
        finally:
            end_processes([process], _PATIENCE_S)
            for leftover in (ready_file, *directory.glob(_DATABASE_FILE + "*")):
                leftover.unlink(missing_ok=True)


def served_by_step(scenario: Scenario, workload: str, served: Counter[str]) -> dict[str, int]:
    """The IAM's own counts under the step labels of a workload.

    A kind that two labels share is counted under both names joined, since the server cannot tell them apart. Steps
    that it does not count are left out.
    """
    labels: dict[str, dict[str, None]] = {}
    for step in scenario.steps_of(workload):
        kind = scenario.steps[step].kind
        if kind not in _UNCOUNTED:
            labels.setdefault(kind, {})[scenario.label_of(step)] = None
    counts: Counter[str] = Counter()
    for kind, names in labels.items():
        counts["+".join(names)] += served[kind]
    return dict(counts)


def _command(topology: EmbeddedTopology, ready_file: Path) -> Sequence[str]:
    return [
        *(sys.executable, "-m", "iam_loadtest", "iam"),
        *("--port", "0", "--workers", str(topology.frontends), "--ready-file", str(ready_file)),
        *iam_flags(topology.settings),
    ]


def _database_url(topology: EmbeddedTopology, directory: Path) -> str:
    """It may hold a password: it travels in the environment, never in argv."""
    name = topology.database_variable
    if name is None:
        return str(directory / _DATABASE_FILE)
    if not os.environ.get(name):
        raise SecretMissingError(f"environment variable {name} is not set; export the database URL before the run.")
    return os.environ[name]


def _await_ready(process: Process, ready_file: Path, log: Path) -> str:
    deadline = time.monotonic() + _READY_WITHIN_S
    while not ready_file.exists():
        if process.poll() is not None:
            raise TrialFailedError(f"the built-in IAM ended with exit code {process.returncode}: {last_line(log)}.")
        if time.monotonic() >= deadline:
            raise TrialFailedError(f"the built-in IAM was not ready within {_READY_WITHIN_S:.0f}s; see {log.name}.")
        time.sleep(_POLL_S)
    return str(json.loads(ready_file.read_text(encoding="utf-8"))["issuer"])
