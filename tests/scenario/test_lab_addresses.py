"""A lab with a balancer in each cluster: the load is given the addresses of all of them."""

from __future__ import annotations

from iam_loadtest.scenario.load_file import parse_scenario
from iam_loadtest.scenario.portable import portable
from tests.scenario.scenarios import scenario_of

LABS = {
    "spread": {"provider": "lab", "frontends": [2, 1], "balancer": "dns", "target": {"timeout": "5s"}},
    "one": {"provider": "lab", "frontends": [2, 1]},
}
PINS = {"iam.example.org": ("192.0.2.7",)}


def test_the_issuer_s_name_stands_for_a_balancer_in_each_cluster() -> None:
    """Addresses that the scenario pins itself stay, and so do the topology's own keys."""
    scenario = scenario_of(topologies=LABS, target={"resolve": PINS})
    target = scenario.target_of("spread")
    assert target.resolve == {**PINS, "lab.localhost": ("127.0.0.1", "127.0.0.2")}
    assert target.timeout_s == 5
    assert scenario.target_of("one").resolve == PINS


def test_workers_of_other_hosts_are_told_the_addresses() -> None:
    """What they are given of the topology says nothing of clusters."""
    scenario = scenario_of(topologies=LABS)
    given = parse_scenario(portable(scenario, "spread"), "the master's scenario", environ={})
    assert given.target_of("spread") == scenario.target_of("spread")
