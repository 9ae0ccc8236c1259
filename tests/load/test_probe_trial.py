"""Trials with probes as real processes: beside a workload, and alone."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from iam_loadtest.results.sample_file import read_samples
from iam_loadtest.results.trial import TrialStatus
from tests.load.processes import TrialProcesses, token_requests

SCENARIO = """\
name: test
topologies:
  one: {provider: embedded}
workloads:
  refresh: [issue_for_user, refresh]
  alone: {probes: [issue-introspect, issue-refresh, double-refresh]}
probes: {share: 20%, users: 2, settle: 100ms}
load:
  {users: 4, spawn_rate_per_s: 12, warm_up: 0s, duration: 2s, cool_down: 0s, workers: 2,
   limits: {cpu_percent: 1000, loop_lag: 10s, throttled_percent: 1000}}
"""


def read_probes(directory: Path) -> list[dict[str, str]]:
    with (directory / "probes.csv").open() as file:
        return list(csv.DictReader(file))


def test_probes_beside_a_workload_are_in_no_sample_and_every_request_is_accounted_for(tmp_path: Path, iam: str) -> None:
    """What the IAM counted is what the samples and the probes have; both workers probe, by users on top."""
    before = Counter(token_requests(iam))
    trial = TrialProcesses(tmp_path, iam, "refresh", scenario=SCENARIO, users=6)
    try:
        result = trial.start(workers=2).await_result()
    finally:
        trial.stop()
    assert (result.status, result.reason) == (TrialStatus.OK, None)
    counts = result.counts
    served = Counter(token_requests(iam))
    served.subtract(before)
    assert served["password"] == counts.by_step["issue"] + counts.probes["password"]
    assert served["refresh_token"] == counts.by_step["refresh"] + counts.probes["refresh_token"]
    assert served["client_credentials"] == counts.probes["client_credentials"]
    assert set(read_samples(tmp_path / "samples.parquet").to_pydict()["step"]) == {"issue", "refresh", "workflow"}
    rows = read_probes(tmp_path)
    assert {row["worker"] for row in rows} == {"0", "1"}
    assert {row["verdict"] for row in rows} <= {"fresh", "reusable", "kept"}
    asked = sum(counts.probes.values()) - sum(row["phase"] == "audit" for row in rows)
    assert asked <= 0.2 * counts.requests + 2 * 5, "a probe that has begun goes on to its end"
    assert counts.audit["offered"] == counts.audit["audited"] > 0


def test_probes_alone_are_the_samples(tmp_path: Path, iam: str) -> None:
    """A row for each write and first read, and one for each probe."""
    trial = TrialProcesses(tmp_path, iam, "alone", scenario=SCENARIO, users=4)
    try:
        result = trial.start(workers=1).await_result()
    finally:
        trial.stop()
    assert (result.status, result.reason) == (TrialStatus.OK, None)
    counts, rows = result.counts, read_probes(tmp_path)
    reads = Counter(row["probe"] for row in rows if row["phase"] == "load" and row["attempt"] == "1")
    assert counts.by_step["introspect"] == reads["issue-introspect"]
    assert counts.by_step["refresh"] == reads["issue-refresh"]
    assert counts.probes["refresh_token"] == reads["double-refresh"]
    assert counts.by_step["issue"] >= counts.by_step["workflow"] > 0
