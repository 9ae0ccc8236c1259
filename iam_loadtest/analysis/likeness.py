"""Likeness: whether two runs measured the same thing in the same way, so that a difference is the service's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from iam_loadtest.analysis.summary import steps_in
from iam_loadtest.results.difference import Difference, differences
from iam_loadtest.results.run import Run

_DECIDES = ("profile", "error_rules", "target", "clients", "users", "steps", "workloads", "load", "topologies")
_PLACES = frozenset({"issuer", "token_endpoint", "health", "health_timeout_s", "ca_bundle", "resolve", "id"})
"""Keys that say where the service is and how it is reached, not what is measured: a caution."""
_NO_MATTER = frozenset({"description", "hooks", "trials", "rest_s", "cool_down_s", "limits", "secret", "password"})
_MACHINE = frozenset({"cores", "cpu"})
_EMPTY = frozenset({None, "null", "[]", "{}", '""'})


@dataclass(frozen=True)
class Likeness:
    """``unlike`` is what forbids to compare, ``cautions`` what the reader must know; keys as in run.json."""

    unlike: tuple[Difference, ...]
    cautions: tuple[Difference, ...]


def likeness(baseline: Run, candidate: Run, allowed: Collection[str] = ()) -> Likeness:
    """How two runs differ in what they have in common: topologies and workloads of one alone are left out.

    A key in ``allowed`` or below one is a caution instead. How many trials there were makes no difference.
    """
    workloads, topologies = _in_both(baseline, candidate, "workload"), _in_both(baseline, candidate, "topology")
    before, after = (_shown(run, workloads, topologies) for run in (baseline, candidate))
    found = [one for one in differences(before, after) if not _is_nothing(one)]
    unlike = tuple(one for one in found if _forbids(one.key) and not _is_allowed(one.key, allowed))
    return Likeness(unlike, tuple(one for one in found if one not in unlike))


def _in_both(baseline: Run, candidate: Run, kind: str) -> list[str]:
    ours, theirs = ([getattr(planned, kind) for planned in run.info.plan] for run in (baseline, candidate))
    return [name for name in dict.fromkeys(ours) if name in theirs]


def _shown(run: Run, workloads: Sequence[str], topologies: Sequence[str]) -> dict[str, Any]:
    """What decides the figures of these cells."""
    scenario = run.info.scenario
    document: dict[str, Any] = {key: scenario.get(key) for key in _DECIDES}
    document["workloads"] = _only(scenario, "workloads", workloads)
    document["topologies"] = _only(scenario, "topologies", topologies)
    document["steps"] = _only(scenario, "steps", _steps(scenario, workloads))
    document |= {name: scenario.get(name) for name in ("margins", "validity")}
    return {**_without(document), "machine": dict(run.info.machine), "versions": dict(run.info.versions)}


def _steps(scenario: Mapping[str, Any], workloads: Sequence[str]) -> list[str]:
    known = scenario.get("workloads") or {}
    return [step for name in workloads for step in steps_in(known, known.get(name))]


def _only(scenario: Mapping[str, Any], section: str, names: Sequence[str]) -> dict[str, Any]:
    entries = scenario.get(section)
    return {name: entries[name] for name in names if isinstance(entries, Mapping) and name in entries}


def _without(value: Any) -> Any:
    """The data without the keys that make no difference."""
    if isinstance(value, Mapping):
        return {key: _without(item) for key, item in value.items() if key not in _NO_MATTER}
    return value


def _is_nothing(one: Difference) -> bool:
    """A key that one run does not have and the other leaves empty, as between two versions of the package."""
    return one.before in _EMPTY and one.after in _EMPTY


def _forbids(key: str) -> bool:
    section, *rest = key.split(".")
    if section == "machine":
        return rest[0] in _MACHINE
    return section in _DECIDES and not any(part in _PLACES for part in rest)


def _is_allowed(key: str, allowed: Collection[str]) -> bool:
    return any(key == field or key.startswith(f"{field}.") for field in allowed)


def unlike_words(found: Sequence[Difference]) -> Iterator[str]:
    """``load.users: 5 and 6`` for each."""
    for one in found:
        yield f"{one.key}: {one.before or 'not there'} and {one.after or 'not there'}"
