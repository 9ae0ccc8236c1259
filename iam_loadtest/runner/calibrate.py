"""What this machine's load generator can do at all: a workload on the null token server, with real Locust processes."""

from __future__ import annotations

import csv
import json
import os
import sys
import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from iam_loadtest.errors import UserError
from iam_loadtest.oidc.grant import Grant
from iam_loadtest.results.json_file import write_json, write_text
from iam_loadtest.results.load_result import LoadResult
from iam_loadtest.results.run import read_run, write_run_info
from iam_loadtest.results.sample import is_chain_step
from iam_loadtest.results.trial import GENERATOR_FILE, SAMPLES_FILE, TrialStatus, WindowMarks
from iam_loadtest.runner.failure import TrialFailedError
from iam_loadtest.runner.load_processes import LoadInterruptedError, run_load
from iam_loadtest.runner.process import end_processes, start_process
from iam_loadtest.scenario.client import Client
from iam_loadtest.scenario.load_file import load_scenario, parse_scenario
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.topology import UrlTopology
from iam_loadtest.scenario.trial_spec import TrialSpec

BUSY_USERS = 32
"""Enough to keep one worker busy all the time."""
FLOOR_S = 2.0
"""Window of the second measurement, with one user: nothing waits for anything but the answer."""
SHORT_S = 2.0
"""Window of the calibration that a run makes of itself."""
_WARM_UP_S = 1.5
_TIMEOUT_S = 10.0
_READY_WITHIN_S = 30.0
_POLL_S = 0.05
_PATIENCE_S = 2.0
_SCENARIO_FILE = "calibration.yaml"
_CERTIFICATE_FILE = "null-iam.pem"
_SECRET_FILE = "secret"  # noqa: S105  the name of a file
_LOG_FILE = "null-iam.log"
_READY_FILE = "null-iam.json"


@dataclass(frozen=True)
class Calibration:
    """The generator's own limits. ``requests_per_cpu_s`` is what one core can offer at most, with nothing else on it.

    The floor is what a request takes where the server answers at once: the part of every latency that is not the
    IAM's. ``seconds`` is the length of the measured window.
    """

    requests_per_cpu_s: float
    floor_p50_ms: float
    floor_p95_ms: float
    workload: str
    seconds: float
    tls: bool

    def offered_per_s(self, workers: int, cores: int) -> float:
        """Requests that so many workers can offer at most each second, one core each."""
        return self.requests_per_cpu_s * min(workers, cores)


@dataclass(frozen=True)
class CpuInterval:
    """A time of the trial in seconds since its origin, and the CPU time that one worker used in it."""

    start_s: float
    end_s: float
    cpu_s: float


def built_in_scenario() -> Scenario:
    """A scenario with the built-in workloads, for a calibration without one."""
    topology = {"provider": "embedded"}
    return parse_scenario({"name": "calibration", "topologies": {"built-in": topology}}, "the built-in scenario")


def calibrate(scenario: Scenario, seconds: float, workload: str | None = None) -> Calibration:
    """Measure a workload of the scenario, its longest one where none is named, on the null token server.

    No secret of the scenario is used or needed. TLS is on where the first topology's issuer has it. Raises UserError
    for an unknown workload and where the measurement fails, KeyboardInterrupt on Ctrl-C.
    """
    name = workload or max(_measurable(scenario), key=lambda name: len(scenario.steps_of(name)), default="")
    if name not in scenario.workloads:
        raise UserError(f"--workload {name}: must be one of: {', '.join(scenario.workloads)}.")
    if name not in _measurable(scenario):
        raise UserError(f"workload {name} asks for more than tokens, which is all that the null token server gives.")
    first = next(iter(scenario.topologies.values()))
    tls = isinstance(first, UrlTopology) and first.issuer.startswith("https:")
    with tempfile.TemporaryDirectory(prefix="iam-loadtest-") as scratch, _null_iam(Path(scratch), tls) as issuer:
        bench = _Bench(scenario, name, issuer, Path(scratch), tls)
        try:
            busy = bench.measure("busy", BUSY_USERS, seconds)
            floor = bench.measure("floor", 1, FLOOR_S)
        except TrialFailedError as error:
            raise UserError(f"the calibration failed: {error}") from error
        except LoadInterruptedError as error:
            raise KeyboardInterrupt from error
        p50_ms, p95_ms = (percentile_us(floor.latencies_us, percent) / 1000 for percent in (50, 95))
        return Calibration(round(busy.requests_per_cpu_s), p50_ms, p95_ms, name, seconds, tls)


def store_calibration(run: Path, scenario: Scenario) -> Calibration:
    """Calibrate for a run and keep the result in its run.json; raises as :func:`calibrate` does."""
    found = calibrate(scenario, SHORT_S)
    write_run_info(run, replace(read_run(run).info, calibration=asdict(found)))
    return found


def requests_per_cpu_s(intervals: Sequence[CpuInterval], completed_s: Sequence[float]) -> float:
    """Requests completed within the intervals by CPU time used in them; ``completed_s`` is in order.

    Raises TrialFailedError where no CPU time was measured.
    """
    cpu_s = sum(interval.cpu_s for interval in intervals)
    if not cpu_s:
        raise TrialFailedError("no CPU time of the worker was measured in the window; measure longer with --seconds")
    done = sum(
        bisect_right(completed_s, interval.end_s) - bisect_right(completed_s, interval.start_s)
        for interval in intervals
    )
    return done / cpu_s


def cpu_intervals(rows: Sequence[Mapping[str, str]], marks: WindowMarks) -> list[CpuInterval]:
    """One worker's rows of generator.csv that end in the window; each reaches back to the row before it."""
    if marks.window_start_us is None or marks.window_end_us is None:
        return []
    moments = [(float(row["time_s"]), float(row["cpu_percent"])) for row in rows]
    return [
        CpuInterval(start_s, end_s, (end_s - start_s) * percent / 100)
        for (start_s, _), (end_s, percent) in pairwise(moments)
        if marks.window_start_us <= end_s * 1e6 <= marks.window_end_us
    ]


def percentile_us(latencies_us: Sequence[int], percent: int) -> int:
    """The smallest latency that at least ``percent`` of the requests did not exceed; the requests must not be none."""
    return sorted(latencies_us)[-(-percent * len(latencies_us) // 100) - 1]


@dataclass(frozen=True)
class _Measured:
    requests_per_cpu_s: float
    latencies_us: Sequence[int]


@dataclass(frozen=True)
class _Bench:
    """One workload on a running null server."""

    scenario: Scenario
    workload: str
    issuer: str
    directory: Path
    tls: bool

    def measure(self, name: str, users: int, seconds: float) -> _Measured:
        """One load by a master and one worker; raises TrialFailedError where it went wrong."""
        directory = self.directory / name
        directory.mkdir()
        write_text(directory / _SECRET_FILE, "calibration")
        path = directory / _SCENARIO_FILE
        write_json(path, self._document(users, seconds))
        spec = TrialSpec(str(path), str(directory), "null", self.workload, self.issuer, str(directory))
        result = run_load(spec, load_scenario(path).load, _TIMEOUT_S, lambda _: None)
        if result.status is not TrialStatus.OK:
            raise TrialFailedError(result.reason or str(result.status))
        return _measured(directory, result)

    def _document(self, users: int, seconds: float) -> dict[str, Any]:
        """A scenario with the same requests, but for the secrets and the names of users."""
        secret = {"file": _SECRET_FILE}
        steps = {name: self.scenario.steps[name] for name in self.scenario.steps_of(self.workload)}
        chains = (*self.scenario.chains_of(self.workload), self.workload)
        acting = {step.client: self.scenario.clients[step.client] for step in steps.values() if step.client}
        return {
            "name": "calibration",
            "profile": self.scenario.profile,
            "clients": {name: _client(client, secret) for name, client in acting.items()},
            "users": {"password": secret},
            "steps": {name: step.model_dump(mode="json", exclude_defaults=True) for name, step in steps.items()},
            "workloads": {name: self.scenario.workloads[name].model_dump(mode="json") for name in chains},
            "target": {
                "timeout": _TIMEOUT_S,
                "backend_header": self.scenario.target.backend_header,
                **({"ca_bundle": str(self.directory / _CERTIFICATE_FILE)} if self.tls else {}),
            },
            "load": {
                "users": users,
                "spawn_rate_per_s": users,
                "warm_up": _WARM_UP_S,
                "duration": seconds,
                "cool_down": 0.2,
                "workers": 1,
                "limits": {"cpu_percent": 1000, "loop_lag": 10},
            },
            "topologies": {"null": {"provider": "url", "issuer": self.issuer}},
        }


def _measurable(scenario: Scenario) -> list[str]:
    """The workloads of token requests that need no browser: the null server gives nothing else."""
    return [
        name
        for name in scenario.workloads
        if all(scenario.steps[step].grant not in {None, Grant.AUTHORIZATION_CODE} for step in scenario.steps_of(name))
    ]


def _client(client: Client, secret: Mapping[str, str]) -> dict[str, Any]:
    return {"id": client.id, "auth": client.auth.value, **({"secret": secret} if client.secret else {})}


def _measured(directory: Path, result: LoadResult) -> _Measured:
    from iam_loadtest.results.sample_file import read_samples  # noqa: PLC0415  pyarrow is slow to import

    table = read_samples(directory / SAMPLES_FILE).select(["started_us", "step", "latency_us"]).to_pydict()
    rows = zip(table["started_us"], table["step"], table["latency_us"], strict=True)
    requests = [(started_us, latency_us) for started_us, step, latency_us in rows if not is_chain_step(step)]
    start_us, end_us = result.marks.window_start_us or 0, result.marks.window_end_us or 0
    with (directory / GENERATOR_FILE).open(encoding="utf-8", newline="") as lines:
        intervals = cpu_intervals([row for row in csv.DictReader(lines) if row["worker"] == "0"], result.marks)
    completed_s = sorted((started_us + latency_us) / 1e6 for started_us, latency_us in requests)
    return _Measured(
        requests_per_cpu_s(intervals, completed_s),
        [latency_us for started_us, latency_us in requests if start_us <= started_us < end_us],
    )


@contextmanager
def _null_iam(directory: Path, tls: bool) -> Iterator[str]:
    """The issuer of a null token server while the block runs."""
    ready_file = directory / _READY_FILE
    command = [sys.executable, "-m", "iam_loadtest", "null-iam", "--port", "0", "--ready-file", str(ready_file)]
    if tls:
        command += ["--tls", str(directory / _CERTIFICATE_FILE)]
    with (directory / _LOG_FILE).open("wb") as log:
        process = start_process(command, log, os.environ, directory)
        try:
            deadline = time.monotonic() + _READY_WITHIN_S
            while not ready_file.exists():
                if process.poll() is not None or time.monotonic() >= deadline:
                    said = (directory / _LOG_FILE).read_text(encoding="utf-8", errors="replace").strip()
                    raise UserError(f"the null token server does not start: {said or 'it printed nothing'}")
                time.sleep(_POLL_S)
            yield str(json.loads(ready_file.read_text(encoding="utf-8"))["issuer"])
        finally:
            end_processes([process], _PATIENCE_S)
