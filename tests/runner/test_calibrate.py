"""Calibration: what is computed of a worker's rows, and one real measurement on the null token server."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from subprocess import run

import pytest

from iam_loadtest.cli.calibrate import summary
from iam_loadtest.errors import UserError
from iam_loadtest.results.run import RunInfo, read_run, write_run_info
from iam_loadtest.runner.calibrate import (
    Calibration,
    built_in_scenario,
    calibrate,
    percentile_us,
    store_calibration,
)
from iam_loadtest.scenario.load_file import parse_scenario

pytestmark = pytest.mark.usefixtures("unmeasured")

FOUND = Calibration(20_000, 0.25, 0.4, "workflow", 5.0, tls=False)


@pytest.mark.parametrize(("percent", "expected"), [(50, 5), (80, 8), (81, 9), (95, 10), (100, 10)])
def test_a_percentile_is_a_recorded_latency(percent: int, expected: int) -> None:
    """Of 1 to 10, five are at most 5; it takes nine to have at least 81 %."""
    assert percentile_us([7, 1, 10, 3, 5, 9, 2, 8, 4, 6], percent) == expected


def test_workers_beyond_the_cores_offer_nothing_more() -> None:
    assert [FOUND.offered_per_s(workers, 2) for workers in (1, 2, 8)] == [20_000, 40_000, 40_000]


def test_the_summary_says_what_was_measured_on_what() -> None:
    text = summary(FOUND, ("issue", "refresh"), 8)
    assert "Workload workflow (issue, refresh) on the null token server, plain HTTP, one worker" in text
    assert "requests per CPU-second  20,000" in text
    assert "p50 0.25 ms, p95 0.40 ms (one user)" in text
    assert "1 worker 20,000/s" in text
    assert "8 workers " in text


def test_an_unknown_workload_is_named_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"--workload login: must be one of: access, refresh, workflow\."):
        calibrate(built_in_scenario(), 1.0, "login")


def test_a_run_without_calibration_reads_as_before(tmp_path: Path) -> None:
    """run.json of a run that was not asked to calibrate, or was made before it could."""
    run_info(tmp_path)
    document = json.loads((tmp_path / "run.json").read_text())
    assert document.pop("calibration") is None
    (tmp_path / "run.json").write_text(json.dumps(document))
    assert read_run(tmp_path).info.calibration is None


def test_a_calibration_is_kept_with_the_run_and_needs_none_of_its_secrets(tmp_path: Path) -> None:
    """Real processes: the scenario's own workload, over TLS as its issuer, with secrets that are not there."""
    run_info(tmp_path)
    scenario = parse_scenario(
        {
            "name": "own",
            "topologies": {"far": {"provider": "url", "issuer": "https://iam.example.org/"}},
            "clients": {
                "access": {"id": "own", "secret": "${NOT_SET_ANYWHERE}"},
                "signs": {"id": "own", "auth": "private_key_jwt", "key": {"file": "no-such.pem"}, "algorithm": "ES256"},
            },
            "users": {"file": "no-such-file.csv"},
            "steps": {
                "issue": {"grant": "client_credentials", "client": "access", "scope": "own"},
                "again": {"grant": "client_credentials", "client": "signs"},
            },
            "workloads": {"mine": ["issue", "again"]},
        },
        "own.yaml",
    )
    store_calibration(tmp_path, scenario)
    kept = read_run(tmp_path).info.calibration
    assert kept is not None
    assert (kept["workload"], kept["tls"], kept["seconds"]) == ("mine", True, 2.0)
    assert kept["requests_per_cpu_s"] > 0
    assert 0 < kept["floor_p50_ms"] <= kept["floor_p95_ms"]


def test_the_command_says_what_it_cannot_do(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "iam_loadtest", "calibrate"]
    short = run([*command, "--seconds", "0.2"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert short.returncode == 2
    assert "--seconds must be 1 or more" in short.stderr
    unknown = run([*command, "--workload", "login"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert unknown.returncode == 1
    assert unknown.stderr == "--workload login: must be one of: access, refresh, workflow.\n"


def run_info(directory: Path) -> None:
    """A run.json in a directory."""
    info = RunInfo("own", "2026-11-22T15:00:00+00:00", {}, "0" * 16, (), 1, {}, {})
    write_run_info(directory, info)
