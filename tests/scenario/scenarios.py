"""Small scenarios for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iam_loadtest.scenario.load_file import parse_scenario
from iam_loadtest.scenario.model import Scenario

EMBEDDED = {"one": {"provider": "embedded"}}


def scenario_of(
    overrides: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None, **sections: Any
) -> Scenario:
    """A scenario called `small` of these sections; one built-in IAM where no topologies are given."""
    document = {"name": "small", "topologies": EMBEDDED, **sections}
    return parse_scenario(document, "small.yaml", overrides, environ or {})
