"""Ready-made workloads and steps, taken by their names. Works on plain data, before it is checked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from iam_loadtest.scenario.builtin import DEFAULT_WORKLOADS, READY_STEPS, READY_WORKLOADS


def choose_ready(document: dict[str, Any]) -> list[str]:
    """Put chains in the place of a list of workload names; one sentence for each name that is not known."""
    chosen = document.get("workloads")
    if not isinstance(chosen, list) or not chosen or not all(isinstance(name, str) for name in chosen):
        return []
    unknown = {index: name for index, name in enumerate(chosen) if name not in READY_WORKLOADS}
    known = [name for name in chosen if name in READY_WORKLOADS]
    document["workloads"] = {name: list(READY_WORKLOADS[name]) for name in known or DEFAULT_WORKLOADS}
    return [
        f"workloads.{index} is {name!r}; a list names ready-made workloads, which are {', '.join(READY_WORKLOADS)}."
        for index, name in unknown.items()
    ]


def add_ready_steps(document: dict[str, Any]) -> None:
    """Add the ready-made steps that workloads name and the scenario does not define itself."""
    steps = document.get("steps")
    if not isinstance(steps, dict):
        return
    missing = dict.fromkeys(name for name in _named(document) if name not in steps and name in READY_STEPS)
    document["steps"] = {**steps, **{name: READY_STEPS[name] for name in missing}}


def _named(document: dict[str, Any]) -> Iterator[str]:
    workloads = document.get("workloads")
    for chain in workloads.values() if isinstance(workloads, dict) else ():
        for name in chain if isinstance(chain, list) else ():
            if isinstance(name, str):
                yield name
