"""What this machine's load generator can do at all: a workload of a scenario on the null token server."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from iam_loadtest.errors import UserError
from iam_loadtest.oidc.client_auth import AuthMethod
from iam_loadtest.oidc.grant import Grant
from iam_loadtest.oidc.throwaway_key import throwaway_key
from iam_loadtest.results.json_file import read_json, write_json, write_text
from iam_loadtest.results.run import read_run, write_run_info
from iam_loadtest.runner.environment import without_secrets
from iam_loadtest.runner.process import Process, end_processes, start_process
from iam_loadtest.scenario.client import Client
from iam_loadtest.scenario.load_file import parse_scenario
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.topology import UrlTopology
from iam_loadtest.scenario.trial_spec import CALIBRATION_FILE, TRIAL_SPEC_VARIABLE, TrialSpec, write_trial_spec

SHORT_S = 2.0
"""Window of the calibration that a run makes of itself."""
_TIMEOUT_S = 10.0
_READY_WITHIN_S = 30.0
_POLL_S = 0.05
_PATIENCE_S = 2.0
_SCENARIO_FILE = "calibration.yaml"
_CERTIFICATE_FILE = "null-iam.pem"
_SECRET_FILE = "secret"  # noqa: S105  the name of a file
_LOG_FILE = "null-iam.log"
_READY_FILE = "null-iam.json"
_SPEC_FILE = "spec.json"
_OWN_LOG_FILE = "calibrating.log"
_GRACE_S = 60.0


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


def built_in_scenario() -> Scenario:
    """A scenario with the built-in workloads, for a calibration without one."""
    topology = {"provider": "embedded"}
    return parse_scenario({"name": "calibration", "topologies": {"built-in": topology}}, "the built-in scenario")


def calibrate(scenario: Scenario, seconds: float, workload: str | None = None) -> Calibration:
    """Measure a workload of the scenario, its longest one where none is named, on the null token server.

    One generating process runs it, and nothing else: its CPU is what a worker's would be. No secret of the scenario is
    used or needed: a private key is taken for RSA where the scenario does not say its algorithm. TLS is on where the
    first topology's issuer has it. Raises UserError for an unknown workload and where the measurement fails,
    KeyboardInterrupt on Ctrl-C.
    """
    name = workload or max(_measurable(scenario), key=lambda name: len(scenario.steps_of(name)), default="")
    if not name:
        raise UserError("no workload asks for tokens alone, which is all that the null token server gives.")
    if name not in scenario.workloads:
        raise UserError(f"--workload {name}: must be one of: {', '.join(scenario.workloads)}.")
    if name not in _measurable(scenario):
        raise UserError(f"workload {name} asks for more than tokens, which is all that the null token server gives.")
    first = next(iter(scenario.topologies.values()))
    tls = isinstance(first, UrlTopology) and first.issuer.startswith("https:")
    with (
        tempfile.TemporaryDirectory(prefix="iam-loadtest-") as scratch,
        _null_iam(scenario, Path(scratch), tls) as issuer,
    ):
        found = _measure(scenario, TrialSpec("", scratch, "null", name, issuer, scratch), seconds, tls)
    p50_ms, p95_ms = (percentile_us(found["floor_us"], percent) / 1000 for percent in (50, 95))
    return Calibration(round(found["requests"] / found["cpu_s"]), p50_ms, p95_ms, name, seconds, tls)


def store_calibration(run: Path, scenario: Scenario) -> Calibration:
    """Calibrate for a run and keep the result in its run.json; raises as :func:`calibrate` does."""
    found = calibrate(scenario, SHORT_S)
    write_run_info(run, replace(read_run(run).info, calibration=asdict(found)))
    return found


def percentile_us(latencies_us: Sequence[int], percent: int) -> int:
    """The smallest latency that at least ``percent`` of the requests did not exceed; the requests must not be none."""
    return sorted(latencies_us)[-(-percent * len(latencies_us) // 100) - 1]


def _measure(scenario: Scenario, spec: TrialSpec, seconds: float, tls: bool) -> dict[str, Any]:
    """What one generating process found; raises UserError where it did not come to an end."""
    directory = Path(spec.directory)
    write_text(directory / _SECRET_FILE, "calibration")
    for algorithm in {one.algorithm for one in scenario.clients.values() if one.key is not None}:
        write_text(directory / _key_file(algorithm), throwaway_key(algorithm))
    write_json(directory / _SCENARIO_FILE, _document(scenario, spec, tls))
    write_trial_spec(directory / _SPEC_FILE, replace(spec, scenario_file=str(directory / _SCENARIO_FILE)))
    command = [sys.executable, "-m", "iam_loadtest.load.calibrating", str(seconds)]
    environ = {name: value for name, value in without_secrets(scenario).items() if not name.startswith("LOCUST_")}
    environ[TRIAL_SPEC_VARIABLE] = str(directory / _SPEC_FILE)
    with (directory / _OWN_LOG_FILE).open("wb") as log:
        process = start_process(command, log, environ, directory)
        try:
            _await_file(process, directory / CALIBRATION_FILE, seconds + _GRACE_S, "the calibration", log.name)
        finally:
            end_processes([process], _PATIENCE_S)
    found: dict[str, Any] = read_json(directory / CALIBRATION_FILE)
    return found


def _document(scenario: Scenario, spec: TrialSpec, tls: bool) -> dict[str, Any]:
    """A scenario with the same requests, but for the secrets and the names of users."""
    secret = {"file": _SECRET_FILE}
    steps = {name: scenario.steps[name] for name in scenario.steps_of(spec.workload)}
    chains = (*scenario.chains_of(spec.workload), spec.workload)
    acting = {step.client: scenario.clients[step.client] for step in steps.values() if step.client}
    return {
        "name": "calibration",
        "profile": scenario.profile,
        "clients": {name: _client(client, secret) for name, client in acting.items()},
        "users": {"password": secret},
        "steps": {name: step.model_dump(mode="json", exclude_defaults=True) for name, step in steps.items()},
        "workloads": {name: scenario.workloads[name].model_dump(mode="json") for name in chains},
        "target": {
            "timeout": _TIMEOUT_S,
            "backend_header": scenario.target.backend_header,
            **({"ca_bundle": str(Path(spec.directory) / _CERTIFICATE_FILE)} if tls else {}),
        },
        "topologies": {"null": {"provider": "url", "issuer": spec.issuer}},
    }


def _measurable(scenario: Scenario) -> list[str]:
    """The workloads of token requests that need no browser: the null server gives nothing else."""
    return [
        name
        for name, workload in scenario.workloads.items()
        if not workload.probes
        and all(
            scenario.steps[step].grant not in {None, Grant.AUTHORIZATION_CODE, Grant.DEVICE_CODE}
            for step in scenario.steps_of(name)
        )
    ]


def _client(client: Client, secret: Mapping[str, str]) -> dict[str, Any]:
    """The client with a secret or key that is worth nothing; signing costs the generator what it costs with its own."""
    told = {"algorithm": client.algorithm} if client.algorithm else {}
    if client.auth is AuthMethod.PRIVATE_KEY_JWT:
        return {"id": client.id, "auth": client.auth.value, "key": {"file": _key_file(client.algorithm)}, **told}
    if client.auth is AuthMethod.TLS_CLIENT_AUTH:
        return {"id": client.id, "auth": AuthMethod.NONE.value}
    return {"id": client.id, "auth": client.auth.value, **({"secret": secret, **told} if client.secret else told)}


def _key_file(algorithm: str | None) -> str:
    return f"{algorithm}.pem"


@contextmanager
def _null_iam(scenario: Scenario, directory: Path, tls: bool) -> Iterator[str]:
    """The issuer of a null token server while the block runs."""
    ready_file = directory / _READY_FILE
    command = [sys.executable, "-m", "iam_loadtest", "null-iam", "--port", "0", "--ready-file", str(ready_file)]
    if tls:
        command += ["--tls", str(directory / _CERTIFICATE_FILE)]
    with (directory / _LOG_FILE).open("wb") as log:
        process = start_process(command, log, without_secrets(scenario), directory)
        try:
            _await_file(process, ready_file, _READY_WITHIN_S, "the null token server", log.name)
            yield str(json.loads(ready_file.read_text(encoding="utf-8"))["issuer"])
        finally:
            end_processes([process], _PATIENCE_S)


def _await_file(process: Process, path: Path, limit_s: float, name: str, log: str) -> None:
    """Wait for what a process is to write; raises UserError with its last line where that does not come."""
    deadline = time.monotonic() + limit_s
    while not path.exists():
        if (process.poll() is not None and not path.exists()) or time.monotonic() >= deadline:
            said = Path(log).read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise UserError(f"{name} failed: {said[-1] if said else 'it said nothing'}")
        time.sleep(_POLL_S)
