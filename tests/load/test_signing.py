"""A real trial whose client signs an assertion for each request: the cost stands with the generator."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from iam_loadtest.embedded.seed import demo_client_key
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.sample_file import read_samples
from iam_loadtest.results.trial import TrialStatus
from tests.load.processes import TrialProcesses

pytestmark = pytest.mark.usefixtures("unmeasured")

SCENARIO = """\
name: signing
topologies:
  one: {provider: embedded}
clients:
  signs: {id: jwt-auth-private_key_jwt, auth: private_key_jwt, key: {file: signs.json}}
steps:
  issue: {grant: client_credentials, client: signs}
workloads:
  access: [issue]
load:
  {users: 4, spawn_rate_per_s: 4, warm_up: 0s, duration: 4s, cool_down: 0s, workers: 1,
   limits: {cpu_percent: 1000, loop_lag: 10s, throttled_percent: 1000}}
"""


def test_assertions_are_counted_each_second_and_in_the_result_and_the_key_is_nowhere(tmp_path: Path, iam: str) -> None:
    """Every request of the trial was signed for. The window is long enough for health rows on a busy machine."""
    (tmp_path / "signs.json").write_text(json.dumps(demo_client_key()))
    processes = TrialProcesses(tmp_path, iam, workload="access", scenario=SCENARIO, users=4)
    try:
        result = processes.start(workers=1).await_result()
    finally:
        processes.stop()
    assert (result.status, result.reason) == (TrialStatus.OK, None)
    assert set(read_samples(tmp_path / "samples.parquet")["outcome"].to_pylist()) == {Outcome.OK}
    health = result.generator
    assert health.assertions is not None
    assert health.signing_ms is not None
    assert health.signing_percent is not None
    assert 0 < health.assertions <= result.counts.by_step["issue"]
    assert health.signing_ms > 0
    assert 0 < health.signing_percent < 100
    with (tmp_path / "generator.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["worker"] == "0" and row["assertions"]]
    assert rows
    assert all(float(row["signing_ms"]) > 0 for row in rows if int(row["assertions"]))
    private = demo_client_key()["d"][:40]
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "signs.json"]
    assert not [path.name for path in written if private.encode() in path.read_bytes()]
