"""What the scenario of a run says of its load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_open_model(scenario: Mapping[str, Any]) -> bool:
    """Whether requests arrive at a set rate. Then throughput is what was offered, and ranks nothing."""
    load = scenario.get("load")
    if not isinstance(load, Mapping):
        return False
    return load.get("model") == "open" or load.get("arrival_rate_per_s") is not None
