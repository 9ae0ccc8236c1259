"""What the runner tells Locust's processes about a trial, through a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from iam_loadtest.errors import UserError
from iam_loadtest.scenario.trial_spec import TrialSpec, read_trial_spec, write_trial_spec

SPEC = TrialSpec(
    "scenario.yaml", ".", "two", "refresh", "http://127.0.0.1:8490/", "trial", {"duration": 3.0}, lab_nodes=("a", "b")
)


def test_a_spec_survives_the_file(tmp_path: Path) -> None:
    """What was written is what is read."""
    write_trial_spec(tmp_path / "spec.json", SPEC)
    assert read_trial_spec(tmp_path / "spec.json") == SPEC


def test_another_file_is_no_spec(tmp_path: Path) -> None:
    """Locust started by hand with a wrong file says how trials are started."""
    path = tmp_path / "spec.json"
    path.write_text('{"topology": "two", "color": "red"}', encoding="utf-8")
    with pytest.raises(UserError, match=r"spec\.json: is not a trial's spec .*; start trials with `iam-loadtest run`"):
        read_trial_spec(path)
