"""Which hosts a topology gets, and who talks to which database."""

from __future__ import annotations

from typing import Any

import pytest

from iam_loadtest.lab.plan import Role, link_addresses, plan_of
from iam_loadtest.scenario.topology import LabTopology


def topology(**keys: Any) -> LabTopology:
    return LabTopology.model_validate({"provider": "lab", **keys})


def test_each_host_has_a_name_and_an_address_in_its_cluster_s_network() -> None:
    plan = plan_of(topology(frontends=[2, 1], database={"kind": "galera"}))
    assert {host.name: host.address for host in plan.hosts} == {
        "balancer": "10.77.1.10",
        "frontend-1": "10.77.1.11",
        "frontend-2": "10.77.1.12",
        "frontend-3": "10.77.2.11",
        "database-1": "10.77.1.101",
        "database-2": "10.77.1.102",
        "database-3": "10.77.2.101",
    }


def test_no_two_hosts_share_an_address_in_the_largest_lab() -> None:
    plan = plan_of(topology(frontends=[32] * 8, database={"kind": "galera"}, sessions="redis-sentinel"))
    addresses = [host.address for host in plan.hosts]
    links = [address for cluster in range(2, 9) for address in link_addresses(cluster)]
    assert len({*addresses, *links}) == len(addresses) + len(links)
    assert all(int(part) < 255 for address in addresses for part in address.split("."))


def test_galera_has_a_member_beside_each_frontend_of_its_own_cluster() -> None:
    plan = plan_of(topology(frontends=[3, 2], database={"kind": "galera"}))
    assert [plan.database_of(host).name for host in plan.of(Role.FRONTEND)] == [
        f"database-{number}" for number in range(1, 6)
    ]


def test_frontends_take_turns_where_their_cluster_has_fewer_servers() -> None:
    plan = plan_of(topology(frontends=[3, 2], database={"kind": "galera", "nodes": [2, 1]}))
    servers = [plan.database_of(host).name for host in plan.of(Role.FRONTEND)]
    assert servers == ["database-1", "database-2", "database-1", "database-3", "database-3"]


def test_a_cluster_without_a_server_uses_the_first_one() -> None:
    plan = plan_of(topology(frontends=[1, 2]))
    assert {plan.database_of(host).name for host in plan.of(Role.FRONTEND)} == {"database-1"}


def test_with_replication_each_cluster_reads_from_a_replica_of_its_own() -> None:
    """The first cluster has the primary, database-1, and a replica; the other one a replica."""
    plan = plan_of(topology(frontends=[2, 1], database={"kind": "replication"}))
    assert [host.cluster for host in plan.of(Role.DATABASE)] == [1, 1, 2]
    assert [plan.replica_of(host).name for host in plan.of(Role.FRONTEND)] == ["database-2", "database-2", "database-3"]


def test_a_cluster_without_a_replica_reads_from_the_primary() -> None:
    plan = plan_of(topology(frontends=[1, 1], database={"kind": "replication", "nodes": [1, 1]}))
    assert [plan.replica_of(host).name for host in plan.of(Role.FRONTEND)] == ["database-1", "database-2"]


@pytest.mark.parametrize(("frontends", "spread"), [(1, [3]), ([3, 2], [2, 1]), ([1, 1, 1], [1, 1, 1])])
def test_three_session_servers_are_spread_over_the_clusters(frontends: Any, spread: list[int]) -> None:
    """A majority of Sentinels must be left when one site goes: not possible with two sites, so the first has it."""
    keys = {"frontends": frontends, "sessions": "redis-sentinel"}
    plan = plan_of(topology(**keys))
    clusters = [host.cluster for host in plan.of(Role.SESSIONS)]
    assert [clusters.count(cluster) for cluster in range(1, len(spread) + 1)] == spread


def test_each_cluster_after_the_first_may_have_a_link_of_its_own() -> None:
    """The latency that is recorded is that of the most distant one."""
    noun = topology(frontends=[1, 1, 1], links=[{"rtt": "30ms"}, {"rtt": "200ms", "vpn": "wireguard"}])
    assert [link.rtt_s for link in noun.wires] == [0.03, 0.2]
    assert (noun.factors["latency_ms"], noun.factors["network"]) == (200.0, "wireguard")


def test_a_link_is_that_of_every_cluster_after_the_first() -> None:
    assert [link.rtt_s for link in topology(frontends=[1, 1, 1], link={"rtt": "30ms"}).wires] == [0.03, 0.03]
    assert topology(frontends=3).wires == ()


def test_factors_follow_from_the_keys_and_the_file_s_own_win() -> None:
    noun = topology(
        frontends=[3, 2], database={"kind": "galera"}, link={"rtt": "30ms"}, factors={"network": "lab", "site": "here"}
    )
    assert noun.factors == {
        "clusters": 2,
        "frontends": 5,
        "database": "galera",
        "database_members": 5,
        "latency_ms": 30.0,
        "network": "lab",
        "balancer": "roundrobin",
        "sessions": "none",
        "site": "here",
    }
