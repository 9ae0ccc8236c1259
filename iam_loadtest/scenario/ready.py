"""Ready-made workloads and steps, taken by their names. Works on plain data, before it is checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from iam_loadtest.scenario.builtin import (
    AUDIT_CLIENT,
    AUDIT_STEP,
    DEFAULT_WORKLOADS,
    PROBE_STEPS,
    READY_STEPS,
    READY_WORKLOADS,
)
from iam_loadtest.scenario.probes import DEFAULT_KINDS


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
    _add_steps(document, _named(document))


def add_probe_steps(document: dict[str, Any]) -> None:
    """Add the ready-made steps of the probes that the scenario asks for, and does not define itself."""
    kinds = list(_probe_kinds(document))
    clients = document.get("clients")
    audit = [AUDIT_STEP] if kinds and isinstance(clients, dict) and AUDIT_CLIENT in clients else []
    _add_steps(document, [*(step for kind in kinds for step in PROBE_STEPS.get(kind, ())), *audit])


def _add_steps(document: dict[str, Any], named: Iterable[str]) -> None:
    steps = document.get("steps")
    if not isinstance(steps, dict):
        return
    missing = dict.fromkeys(name for name in named if name not in steps and name in READY_STEPS)
    document["steps"] = {**steps, **{name: READY_STEPS[name] for name in missing}}


def _probe_kinds(document: dict[str, Any]) -> Iterator[str]:
    workloads, beside = document.get("workloads"), document.get("probes")
    nouns = workloads.values() if isinstance(workloads, dict) else ()
    lists = [noun.get("probes") for noun in nouns if isinstance(noun, dict)]
    if isinstance(beside, dict):
        lists.append(beside.get("kinds", list(DEFAULT_KINDS)))
    for kinds in lists:
        yield from (kind for kind in kinds if isinstance(kind, str)) if isinstance(kinds, list) else ()


def _named(document: dict[str, Any]) -> Iterator[str]:
    workloads = document.get("workloads")
    for workload in workloads.values() if isinstance(workloads, dict) else ():
        chains = [workload.get(key) for key in ("prime", "steps")] if isinstance(workload, dict) else [workload]
        for chain in chains:
            yield from (name for name in chain or () if isinstance(name, str)) if isinstance(chain, list) else ()
