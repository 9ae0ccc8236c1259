"""Validity: why a trial that ended well does not count, whatever it would have shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iam_loadtest.analysis.part import Part
from iam_loadtest.analysis.steadiness import Steadiness
from iam_loadtest.scenario.validity import Validity


def validity_of(scenario: Mapping[str, Any]) -> Validity:
    """What run.json asks of trials; the defaults where it says nothing that this version can read."""
    stored = scenario.get("validity")
    stored = stored if isinstance(stored, Mapping) else {}
    steady, failures = stored.get("steady_state"), stored.get("failures_share")
    known: dict[str, Any] = {"steady_state": steady} if steady in ("required", "caution") else {}
    if isinstance(failures, float | int):
        known["failures_share"] = float(failures)
    return Validity().model_copy(update=known)


def exceeds_failures(validity: Validity, requests: Part | None) -> bool:
    """Whether more requests failed than a trial that counts may have."""
    share = requests.failure_share if requests else None
    return share is not None and share > validity.failures_share


def why_invalid(validity: Validity, requests: Part | None, steadiness: Steadiness) -> str | None:
    """The reason; None where the trial counts."""
    share = requests.failure_share if requests else None
    if share is not None and exceeds_failures(validity, requests):
        return (
            f"{share * 100:.3g} % of the requests failed; validity.failures allows {validity.failures_share * 100:g} %"
        )
    if validity.steady_state == "required" and steadiness.is_judged and steadiness.cautions:
        return f"not steady: {steadiness.cautions[0].text}"
    return None
