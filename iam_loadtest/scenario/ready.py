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


def add_ready_parts(document: dict[str, Any]) -> None:
    """Add the ready-made workloads that mixes name and the scenario does not have; they get no trials of their own."""
    workloads = document.get("workloads")
    if not isinstance(workloads, dict):
        return
    mixes = [noun["mix"] for noun in workloads.values() if isinstance(noun, dict) and isinstance(noun.get("mix"), dict)]
    parts = dict.fromkeys(name for mix in mixes for name in mix if name in READY_WORKLOADS and name not in workloads)
    if parts:
        document["workloads"] = {**workloads, **{name: list(READY_WORKLOADS[name]) for name in parts}}
        document.setdefault("trials_of", list(workloads))


def add_ready_steps(document: dict[str, Any]) -> None:
    """Add the ready-made steps that workloads name and the scenario does not define itself."""
    steps = document.get("steps")
    if not isinstance(steps, dict):
        return
    missing = dict.fromkeys(name for name in _named(document) if name not in steps and name in READY_STEPS)
    document["steps"] = {**steps, **{name: READY_STEPS[name] for name in missing}}


def _named(document: dict[str, Any]) -> Iterator[str]:
    workloads = document.get("workloads")
    for workload in workloads.values() if isinstance(workloads, dict) else ():
        chains = [workload.get(key) for key in ("prime", "steps")] if isinstance(workload, dict) else [workload]
        for chain in chains:
            yield from (name for name in chain or () if isinstance(name, str)) if isinstance(chain, list) else ()
