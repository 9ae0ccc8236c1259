"""What the scenario of a run says of its load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_open_model(scenario: Mapping[str, Any]) -> bool:
    """Whether chains start at a set rate. Then throughput is what was offered, and ranks nothing."""
    return _load(scenario).get("arrival_rate_per_s") is not None


def is_staged(scenario: Mapping[str, Any]) -> bool:
    """Whether the load itself changes over the measured window. Then no steady state is to be expected in it."""
    return bool(_load(scenario).get("stages"))


def is_of_probes(scenario: Mapping[str, Any], workload: str) -> bool:
    """Whether a workload consists of consistency probes. Then throughput is what their waits leave."""
    workloads = scenario.get("workloads")
    noun = workloads.get(workload) if isinstance(workloads, Mapping) else None
    return isinstance(noun, Mapping) and bool(noun.get("probes"))


def _load(scenario: Mapping[str, Any]) -> Mapping[str, Any]:
    load = scenario.get("load")
    return load if isinstance(load, Mapping) else {}
