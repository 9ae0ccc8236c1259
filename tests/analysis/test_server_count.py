"""The server's own count of requests against the samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from iam_loadtest.analysis.trial_summary import summarise_trial
from iam_loadtest.results.trial import TrialCounts

from .samples import row, trial, write_rows

COUNTS = TrialCounts(by_step={"issue": 2, "refresh": 1, "workflow": 2})


@pytest.mark.parametrize(
    ("server", "kinds"),
    [
        (None, []),
        ({"refresh": 1}, []),
        ({"issue": 2, "refresh": 1}, []),
        ({"issue+refresh": 3}, []),
        ({"issue": 3, "refresh": 1}, ["count"]),
    ],
)
def test_a_difference_is_a_caution_with_both_counts(
    tmp_path: Path, server: dict[str, int] | None, kinds: list[str]
) -> None:
    """Chains are no requests; a server that keeps no count is no reason for one; the trial counts all the same."""
    one = replace(trial(), counts=replace(COUNTS, server=server))
    found = summarise_trial(write_rows(tmp_path, [row(1_000_000, "issue", 5)]), one)
    assert found.is_counted
    assert [caution.kind for caution in found.cautions] == kinds
    assert all("counted 4 requests, the generator recorded 3." in caution.text for caution in found.cautions)
