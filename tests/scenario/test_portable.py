"""A scenario that has travelled to a worker is the one that left, without what no worker needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from iam_loadtest.scenario.load_file import load_scenario, parse_scenario
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.portable import has_secrets, portable, secrets_of
from tests.scenario.scenarios import EMBEDDED, scenario_of

SHIPPED = sorted((Path(__file__).parents[2] / "scenarios").glob("*.yaml"))
SECRETS = {
    "access": {"id": "a", "secret": "${ACCESS_SECRET}"},
    "subject": {"id": "token-exchange-subject", "secret": "secret", "auth": "post"},
    "actor": {"id": "b", "secret": {"file": "actor.secret"}, "auth": "post"},
    "signs": {"id": "c", "auth": "private_key_jwt", "key": {"file": "signs.pem"}, "key_id": "k"},
}


class AnyVariable(dict[str, str]):
    """An environment where every variable is a URL."""

    def get(self, name: str, default: Any = None) -> Any:
        return "https://iam.example/"

    def __getitem__(self, name: str) -> str:
        return "https://iam.example/"


def travelled(scenario: Scenario, topology: str) -> Scenario:
    """What a worker reads, whose environment has no variable that the file names."""
    document: Mapping[str, Any] = json.loads(json.dumps(portable(scenario, topology)))
    return parse_scenario(document, "the master's scenario", environ={})


def parts_for_a_worker(scenario: Scenario, topology: str) -> dict[str, Any]:
    left_out = {"topologies", "hooks", "objectives", "validity", "margins", "quick"}
    parts = {name: getattr(scenario, name) for name in Scenario.model_fields if name not in left_out}
    return {**parts, "target of the topology": scenario.target_of(topology)}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_scenario_arrives_as_it_left(path: Path) -> None:
    scenario = load_scenario(path, environ=AnyVariable())
    for topology in scenario.topologies:
        arrived = travelled(scenario, topology)
        assert parts_for_a_worker(arrived, topology) == parts_for_a_worker(scenario, topology)
        assert list(arrived.topologies) == [topology]


def test_references_travel_as_references_and_public_secrets_as_they_are() -> None:
    scenario = scenario_of(clients=SECRETS)
    arrived = travelled(scenario, "one")
    assert arrived.clients == scenario.clients
    described = [reference.describe() for reference in secrets_of(arrived)]
    assert described == ["${ACCESS_SECRET}", "file: actor.secret", "file: signs.pem"]


def test_a_topology_s_own_keys_and_the_command_line_s_overrides_arrive() -> None:
    own = {"provider": "url", "issuer": "https://iam.example/", "target": {"timeout": "5s"}}
    document = {
        "name": "mine",
        "target": {"timeout": "9s", "connect_timeout": "3s"},
        "topologies": {**EMBEDDED, "far": own},
        "clients": SECRETS,
        "users": {"file": "users.csv"},
    }
    arrived = travelled(parse_scenario(document, "test", {"duration": 7, "workers": 3}), "far")
    target = arrived.target_of("far")
    assert (target.timeout_s, target.connect_timeout_s) == (5, 3)
    assert (arrived.load.duration_s, arrived.load.workers) == (7, 3)


NODES = {
    "name": "mine",
    "topologies": {
        "wide": {"provider": "lab", "frontends": [2, 1]},
        "narrow": {"provider": "lab"},
        "far": {"provider": "url", "issuer": "https://iam.example/", "target": {"nodes": {"a": "https://a.example"}}},
    },
    "target": {"nodes": {"b": "https://b.example"}},
    "clients": SECRETS,
    "users": {"password": "${USERS_PASSWORD}"},
    "workloads": {"consistency": {"probes": ["issue-introspect"]}},
}


@pytest.mark.parametrize(
    ("chosen", "topology", "arrived"),
    [
        (["frontend-1", "frontend-3"], "wide", {}),
        (["frontend-1", "frontend-3"], "narrow", {}),
        (["frontend-3", "a"], "far", {"a": "https://a.example"}),
        (["frontend-3"], "far", {}),
        ("all", "narrow", {"b": "https://b.example"}),
    ],
)
def test_nodes_of_probes_arrive_where_other_topologies_have_them(
    chosen: object, topology: str, arrived: dict[str, str]
) -> None:
    """A worker knows one topology of a scenario that names the nodes of all; of those the chosen ones reach it."""
    scenario = parse_scenario({**NODES, "probes": {"nodes": chosen}}, "test")
    assert dict(travelled(scenario, topology).target_of(topology).nodes) == arrived


def test_commands_of_hooks_never_travel() -> None:
    hook = {"before_trial": ["sh", "-c", "reboot"]}
    scenario = scenario_of(hooks=hook, topologies={"one": {"provider": "embedded", "hooks": hook}})
    assert "reboot" in json.dumps(scenario.resolved())
    assert "reboot" not in json.dumps(portable(scenario, "one"))


def test_the_built_in_scenario_has_no_secrets_and_a_users_file_is_one() -> None:
    assert not has_secrets(scenario_of())
    assert has_secrets(scenario_of(clients=SECRETS))
    assert has_secrets(scenario_of(users={"file": "users.csv"}))
