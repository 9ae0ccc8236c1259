"""Margins of a run: the smallest differences that matter, as its scenario set them before it began."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iam_loadtest.scenario.margin import Margins


def margins_of(scenario: Mapping[str, Any]) -> Margins:
    """The margins in run.json; the defaults where it has none, or none that this version can read."""
    stored = scenario.get("margins")
    if not isinstance(stored, Mapping):
        return Margins()
    known = {name: stored[name] for name in Margins.model_fields if isinstance(stored.get(name), float | int)}
    return Margins().model_copy(update=known)
