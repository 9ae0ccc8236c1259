"""TrialSpec: what the runner tells Locust's processes about one trial. On disk, without secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from iam_loadtest.errors import UserError
from iam_loadtest.results.json_file import read_json, write_json

TRIAL_SPEC_VARIABLE = "IAM_LOADTEST_TRIAL"
"""Environment variable that holds the path of the spec."""
CALIBRATION_FILE = "calibration.json"
"""What a calibration leaves in its directory."""
LOCAL_WORKERS_WAIT_S = 50.0
"""How long the master waits for workers that the runner starts beside it."""


@dataclass(frozen=True)
class TrialSpec:
    """One trial for the load room.

    ``scenario_file`` is the file to load, ``secrets_directory`` where its relative files stand, ``overrides``
    keys of its load (field names). ``issuer`` is where the topology answers in this trial; ``directory`` is where
    samples.parquet, generator.csv, progress.json and load.json go. ``trial`` counts within topology and workload.
    ``worker_command`` starts a worker on another host; None where the runner starts the workers, which then read this
    spec. ``lab_nodes`` are the frontends of a lab.
    """

    scenario_file: str
    secrets_directory: str
    topology: str
    workload: str
    issuer: str
    directory: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    trial: int = 1
    workers_wait_s: float = LOCAL_WORKERS_WAIT_S
    worker_command: str | None = None
    lab_nodes: tuple[str, ...] = ()


def write_trial_spec(path: Path, spec: TrialSpec) -> None:
    """Write the spec where the processes of a trial will read it."""
    write_json(path, asdict(spec))


def read_trial_spec(path: Path) -> TrialSpec:
    """The spec in a file; raises UserError where it is not one."""
    try:
        spec = TrialSpec(**read_json(path))
        return replace(spec, lab_nodes=tuple(spec.lab_nodes))
    except TypeError as error:
        raise UserError(f"{path}: is not a trial's spec ({error}); start trials with `iam-loadtest run`.") from error
