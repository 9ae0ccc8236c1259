"""Why a trial failed."""

from __future__ import annotations

from iam_loadtest.errors import IamLoadtestError


class TrialFailedError(IamLoadtestError):
    """A trial cannot go on; the text is its reason in trial.json and in the report."""
