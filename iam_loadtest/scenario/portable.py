"""A scenario as workers on other hosts are given it, and what it refers to that they must have themselves."""

from __future__ import annotations

from typing import Any

from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.secret import REFERENCES_TRAVEL, SecretRef
from iam_loadtest.scenario.topology import LabTopology

_OF_THE_MASTER = frozenset({"hooks", "objectives", "validity", "margins", "quick"})
"""Sections that a worker has no use for; hooks are commands, which no master may have run elsewhere."""
_OF_A_TOPOLOGY = frozenset({"provider", "issuer", "target"})
"""Its keys that a worker has a use for: it starts no server and opens no database."""


def portable(scenario: Scenario, topology: str) -> dict[str, Any]:
    """Plain data of one topology, for :func:`iam_loadtest.scenario.load_file.parse_scenario`; secrets as references.

    Which nodes its probes use is decided here, where all topologies are known: the order holds these nodes alone.

    Only keys that the file or the command line set are in it; both sides are of one version, so defaults agree.
    """
    document: dict[str, Any] = scenario.model_dump(
        mode="json", by_alias=True, exclude_unset=True, context=REFERENCES_TRAVEL
    )
    own = {key: value for key, value in document["topologies"][topology].items() if key in _OF_A_TOPOLOGY}
    target = scenario.target_of(topology)
    if isinstance(scenario.topologies[topology], LabTopology):
        pins = {host: list(addresses) for host, addresses in target.resolve.items()}
        own["target"] = {**own.get("target", {}), "resolve": pins}
    kept = {key: value for key, value in document.items() if key not in _OF_THE_MASTER}
    if scenario.probes and scenario.probes.nodes:
        chosen = {name: url for name, url in target.nodes.items() if name in scenario.probes.nodes}
        own["target"] = {**own.get("target", {}), "nodes": chosen}
        kept["probes"] = {key: value for key, value in document["probes"].items() if key != "nodes"}
    return {**kept, "topologies": {topology: own}}


def secrets_of(scenario: Scenario) -> tuple[SecretRef, ...]:
    """References to secrets and keys of clients and users; the public ones of the built-in IAM are none."""
    of_clients = [one for client in scenario.clients.values() for one in (client.secret, client.key)]
    references = [*of_clients, scenario.users.password]
    return tuple(reference for reference in references if reference is not None and reference.literal is None)


def proxies_of(scenario: Scenario) -> tuple[SecretRef, ...]:
    """The proxies of all topologies."""
    proxies = (scenario.target_of(topology).proxy for topology in scenario.topologies)
    return tuple(proxy for proxy in proxies if proxy is not None)


def has_secrets(scenario: Scenario) -> bool:
    """Whether anything but the built-in IAM's public test secrets could be sent."""
    files = [scenario.users.file, *(scenario.target_of(name).refresh_tokens for name in scenario.topologies)]
    return any(file is not None for file in files) or bool(secrets_of(scenario))
