"""The README's command for a pipeline, which runs three trials and has objectives."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.readme import PIPELINE, make_checkout, run_in

pytestmark = pytest.mark.usefixtures("unmeasured")


def test_the_pipeline_of_the_readme_meets_its_objectives(tmp_path: Path) -> None:
    """As it stands but for the length of its trials, 2 s instead of 12: a machine that runs tests is short of time."""
    checkout = make_checkout(tmp_path)
    scenario = checkout / "scenarios" / "ci.yaml"
    shorter = scenario.read_text(encoding="utf-8").replace("duration: 12s\n", "duration: 2s\n")
    assert "duration: 2s\n" in shorter
    scenario.write_text(shorter, encoding="utf-8")
    run_in(checkout, PIPELINE)
