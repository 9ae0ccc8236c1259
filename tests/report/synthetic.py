"""Runs made of arithmetic instead of servers: the same seed gives the same bytes of samples.

``python -m tests.report.synthetic DIRECTORY`` writes the default one, to look at its report.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from iam_loadtest.results.run import TRIALS_DIRECTORY, PlannedTrial, RunInfo, write_run_info
from iam_loadtest.results.sample import WORKFLOW_STEP, Sample, SampleBuffer, unpack
from iam_loadtest.results.sample_file import SampleWriter
from iam_loadtest.results.trial import (
    SAMPLES_FILE,
    Caution,
    GeneratorHealth,
    Trial,
    TrialCounts,
    TrialStatus,
    WindowMarks,
    write_trial,
)

WORKLOADS = {
    "access_token": ["issue"],
    "refresh_token": ["issue", "refresh"],
    "token_exchange": ["issue", "refresh", "exchange"],
}
STEP_MS = {"issue": 14.0, "refresh": 18.0, "exchange": 24.0}
STATUS = {"write_conflict": 500, "stale_read": 400, "server_error": 502, "timeout": 0}


@dataclass(frozen=True)
class FakeTopology:
    """How a made-up server answers: factor on latency, shares of failures, spread between trials (SD of logs)."""

    slowness: float = 1.0
    failures: Mapping[str, float] = field(default_factory=dict)
    spread: float = 0.02
    provider: str = "embedded"
    factors: Mapping[str, object] = field(default_factory=dict)
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FakeRun:
    """What to write. ``endings`` maps a trial's id to its status and reason; ``missing`` names ids not to write."""

    topologies: Mapping[str, FakeTopology]
    workloads: Mapping[str, list[str]] = field(default_factory=lambda: WORKLOADS)
    trials: int = 3
    users: int = 12
    window_s: float = 6.0
    seed: int = 7
    name: str = "two-frontends"
    description: str = "Built-in IAM with one and with two frontends on one database."
    endings: Mapping[str, tuple[TrialStatus, str]] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    cautions: Mapping[str, tuple[Caution, ...]] = field(default_factory=dict)


def two_topologies() -> dict[str, FakeTopology]:
    """One frontend, and two that answer in 0.7 of the time and lose a few requests to conflicts."""
    return {
        "one": FakeTopology(1.0, factors={"frontends": 1, "database": "SQLite"}),
        "two": FakeTopology(
            0.7,
            {"write_conflict": 0.012, "stale_read": 0.004, "timeout": 0.0005},
            factors={"frontends": 2, "database": "SQLite"},
            nodes=("frontend-1", "frontend-2"),
        ),
    }


def default_run() -> FakeRun:
    """Two topologies, three workloads, three trials."""
    return FakeRun(two_topologies())


def write_fake_run(directory: Path, fake: FakeRun) -> Path:
    """Write the run's directory as the runner would and return it."""
    directory.mkdir(parents=True, exist_ok=True)
    plan = planned_trials(fake)
    write_run_info(directory, _info(fake, plan))
    for planned in plan:
        if planned.id not in fake.missing:
            _write_trial(directory, fake, planned)
    return directory


def fake_samples(topology: FakeTopology, steps: list[str], users: int, seconds: float, random: Random) -> list[Sample]:
    """Closed-loop users, each repeating the chain without think time for the given seconds, in starting order."""
    trial_factor = topology.slowness * random.lognormvariate(0, topology.spread)
    rows: list[Sample] = []
    for user in range(users):
        now_us = int(user * 1e6 / 10)
        while now_us < seconds * 1e6:
            now_us = _chain(rows, topology, steps, trial_factor, user % 2, now_us, random)
    return sorted(rows)


def _chain(
    rows: list[Sample],
    topology: FakeTopology,
    steps: list[str],
    factor: float,
    worker: int,
    now_us: int,
    random: Random,
) -> int:
    started_us, outcome, status = now_us, "ok", 200
    for step in steps:
        outcome = _outcome(topology.failures, random)
        status = 200 if outcome == "ok" else STATUS.get(outcome, 500)
        latency_us = int(STEP_MS[step] * 4000 * factor * random.lognormvariate(0, 0.35))
        rows.append(Sample(now_us, step, latency_us, 0, status, outcome, _node(topology, status, now_us), worker))
        now_us += latency_us + 300
        if outcome != "ok":
            break
    rows.append(Sample(started_us, WORKFLOW_STEP, now_us - started_us, 0, status, outcome, "", worker))
    return now_us


def _node(topology: FakeTopology, status: int, now_us: int) -> str:
    """The node by the moment of the request; none answers where there is no status."""
    return topology.nodes[now_us // 100 % len(topology.nodes)] if topology.nodes and status else ""


def _outcome(failures: Mapping[str, float], random: Random) -> str:
    drawn = random.random()
    for name, share in failures.items():
        drawn -= share
        if drawn < 0:
            return name
    return "ok"


def write_samples(path: Path, rows: list[Sample]) -> None:
    """Write rows through the buffer, the wire and the writer, as a worker and the master do."""
    with SampleWriter(path) as writer:
        for worker in sorted({row.worker for row in rows}):
            buffer = SampleBuffer()
            for row in rows:
                if row.worker == worker:
                    buffer.append(*row[:7])
            writer.append(unpack(buffer.pack()), worker)


def planned_trials(fake: FakeRun) -> tuple[PlannedTrial, ...]:
    """Rounds over all cells, the even ones with the topologies in reverse."""
    planned: list[PlannedTrial] = []
    for trial in range(1, fake.trials + 1):
        names = list(fake.topologies) if trial % 2 else list(reversed(fake.topologies))
        for workload in fake.workloads:
            for topology in names:
                planned.append(PlannedTrial(len(planned) + 1, topology, workload, trial))
    return tuple(planned)


def _info(fake: FakeRun, plan: tuple[PlannedTrial, ...]) -> RunInfo:
    scenario: dict[str, Any] = {
        "name": fake.name,
        "description": fake.description,
        "seed": fake.seed,
        "load": {
            "users": fake.users,
            "spawn_rate_per_s": 10,
            "warm_up_s": 2,
            "duration_s": fake.window_s,
            "cool_down_s": 1,
            "workers": 2,
            "trials": fake.trials,
            "think_time_s": 0,
        },
        "topologies": {
            name: {"provider": one.provider, "issuer": "http://127.0.0.1:8080", "factors": dict(one.factors)}
            for name, one in fake.topologies.items()
        },
        "workloads": dict(fake.workloads),
        "steps": {step: {"grant": "client_credentials"} for steps in fake.workloads.values() for step in steps},
        "objectives": [],
    }
    machine = {"cores": 2, "memory_gib": 8.0, "kernel": "6.1.0", "python": "3.11.7", "cpu": "Example CPU at 2 GHz"}
    versions = {"iam_loadtest": "0.1.0", "locust": "2.44.0"}
    calibration = {
        "requests_per_cpu_s": 20_000,
        "floor_p50_ms": 0.11,
        "floor_p95_ms": 0.25,
        "workload": "workflow",
        "seconds": 2.0,
        "tls": False,
    }
    return RunInfo(
        *(fake.name, "2026-11-22T15:07:00+00:00", scenario, "f" * 64, plan, fake.seed, versions, machine),
        calibration=calibration,
    )


def _write_trial(directory: Path, fake: FakeRun, planned: PlannedTrial) -> None:
    path = directory / TRIALS_DIRECTORY / planned.id
    path.mkdir(parents=True, exist_ok=True)
    status, reason = fake.endings.get(planned.id, (TrialStatus.OK, None))
    ramp_us, warm_us = int(fake.users * 1e5), int(fake.users * 1e5 + 2e6)
    end_us = warm_us + int(fake.window_s * 1e6)
    random = Random(f"{fake.seed} {planned.id}")
    whole_s = 1.5 if status is TrialStatus.FAILED else end_us / 1e6
    steps = fake.workloads[planned.workload]
    rows = fake_samples(fake.topologies[planned.topology], steps, fake.users, whole_s, random)
    write_samples(path / SAMPLES_FILE, rows)
    complete = status in {TrialStatus.OK, TrialStatus.INVALID}
    marks = WindowMarks(ramp_us, warm_us, end_us, end_us) if complete else WindowMarks(ramp_us, None, None, 1_500_000)
    minute = 10 + planned.position
    trial = Trial(
        planned.id,
        planned.position,
        planned.topology,
        planned.workload,
        planned.trial,
        status,
        reason,
        f"2026-11-22T15:{minute:02d}:00+00:00",
        f"2026-11-22T15:{minute:02d}:12+00:00",
        marks,
        GeneratorHealth(
            workers=2,
            max_cpu_percent=41.5,
            loop_lag_p95_ms=1.2,
            loop_lag_max_ms=9.1,
            wait_percent=0.4,
            throttled_percent=0.0,
            master_cpu_percent=3.5,
            users_planned=fake.users,
            users_min=fake.users,
            users_max=fake.users,
        ),
        TrialCounts(len(rows), len(rows), _by_step(rows)),
        fake.cautions.get(planned.id, ()),
    )
    write_trial(path, trial)


def _by_step(rows: list[Sample]) -> dict[str, int]:
    return {step: sum(row.step == step for row in rows) for step in sorted({row.step for row in rows})}


if __name__ == "__main__":
    write_fake_run(Path(sys.argv[1]), default_run())
