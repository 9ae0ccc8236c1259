"""The load in words, from the scenario; keys that are not there are left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.report.text import seconds


def load_of(summary: RunSummary) -> Mapping[str, Any]:
    """The scenario's load section; empty where it has none."""
    load = summary.run.info.scenario.get("load")
    return load if isinstance(load, Mapping) else {}


def load_words(summary: RunSummary) -> str:
    """``closed model, 500 users at 10/s, 8 workers, 10 min measured after 2 min of warm-up, 3 trials``.

    Or ``open model, 50 chains/s (Poisson), then 3 min at 100/s, up to 200 at once, ...``.
    """
    load = load_of(summary)
    is_open = load.get("arrival_rate_per_s") is not None
    parts = [
        *(_arrivals(load) if is_open else ["closed model", _users(load)]),
        _count(load, "workers", "worker"),
        _window(load),
        _count(load, "trials", "trial"),
    ]
    return ", ".join(part for part in parts if part)


def topology_facts(summary: RunSummary, topology: str) -> Mapping[str, Any]:
    """What the scenario says of a topology; empty where it says nothing."""
    topologies = summary.run.info.scenario.get("topologies")
    facts = topologies.get(topology) if isinstance(topologies, Mapping) else None
    return facts if isinstance(facts, Mapping) else {}


def is_built_in(summary: RunSummary, topology: str) -> bool:
    """Whether the topology is the built-in stand-in, on the machine of the load generator."""
    provider = topology_facts(summary, topology).get("provider")
    kind = provider.get("kind") if isinstance(provider, Mapping) else provider
    return kind in {"embedded", "lab"}


def _arrivals(load: Mapping[str, Any]) -> list[str]:
    spacing = "Poisson" if load.get("arrivals") == "poisson" else "evenly spaced"
    stages = [
        f"{seconds(stage['duration_s'])} at {_number(stage['arrival_rate_per_s'])}/s"
        for stage in load.get("stages") or ()
    ]
    return [
        "open model",
        f"{_number(load['arrival_rate_per_s'])} chains/s ({spacing})",
        f"in the window {' then '.join(stages)}" if stages else "",
        f"up to {load['users']} at once" if load.get("users") is not None else "",
    ]


def _users(load: Mapping[str, Any]) -> str:
    users, rate = load.get("users"), load.get("spawn_rate_per_s")
    if users is None:
        return ""
    return f"{users} users" + (f" at {_number(rate)}/s" if rate is not None else "")


def _window(load: Mapping[str, Any]) -> str:
    duration, warm_up = load.get("duration_s"), load.get("warm_up_s")
    if duration is None:
        return ""
    return f"{seconds(duration)} measured" + (f" after {seconds(warm_up)} of warm-up" if warm_up is not None else "")


def _count(load: Mapping[str, Any], key: str, noun: str) -> str:
    value = load.get(key)
    return "" if value is None else f"{value} {noun}" + ("" if value == 1 else "s")


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)
