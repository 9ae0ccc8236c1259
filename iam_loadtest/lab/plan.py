"""Which hosts a topology has, what they are called and which addresses they get; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from iam_loadtest.scenario.topology import LabTopology

PREFIX = "10.77"
"""The lab's network, 10.77.0.0/16: it exists in the lab's own namespaces only."""
FRONTEND_PORT = 8080
DATABASE_PORT = 3306
GALERA_PORT = 4567
REDIS_PORT = 6379
SENTINEL_PORT = 26379
_SESSION_HOSTS = 3


class Role(StrEnum):
    """What a host is for."""

    BALANCER = "balancer"
    FRONTEND = "frontend"
    DATABASE = "database"
    SESSIONS = "sessions"


_FIRST_HOST = {Role.BALANCER: 10, Role.FRONTEND: 11, Role.DATABASE: 101, Role.SESSIONS: 201}


@dataclass(frozen=True)
class Host:
    """A host of the lab: a network namespace with one address. ``cluster`` counts from 1."""

    name: str
    role: Role
    cluster: int
    address: str


@dataclass(frozen=True)
class LabPlan:
    """Every host of a topology, in the order of clusters."""

    hosts: tuple[Host, ...]
    clusters: int

    def of(self, role: Role) -> tuple[Host, ...]:
        """The hosts of one kind."""
        return tuple(host for host in self.hosts if host.role is role)

    def in_cluster(self, cluster: int) -> tuple[Host, ...]:
        """The hosts of one cluster."""
        return tuple(host for host in self.hosts if host.cluster == cluster)

    def database_of(self, frontend: Host) -> Host:
        """The server that a frontend talks to: its own cluster's, in turns; the first of all where it has none."""
        databases = self.of(Role.DATABASE)
        near = [host for host in databases if host.cluster == frontend.cluster]
        turn = [host.name for host in self._frontends_of(frontend.cluster)].index(frontend.name)
        return near[turn % len(near)] if near else databases[0]

    def replica_of(self, frontend: Host) -> Host:
        """Where a frontend reads with replication: a replica of its own cluster in turns, else what writes go to."""
        primary = self.of(Role.DATABASE)[0]
        near = [host for host in self.of(Role.DATABASE)[1:] if host.cluster == frontend.cluster]
        turn = [host.name for host in self._frontends_of(frontend.cluster)].index(frontend.name)
        return near[turn % len(near)] if near else primary

    def _frontends_of(self, cluster: int) -> list[Host]:
        return [host for host in self.in_cluster(cluster) if host.role is Role.FRONTEND]


def plan_of(topology: LabTopology) -> LabPlan:
    """The hosts that a topology asks for."""
    clusters = len(topology.frontends)
    sessions = _session_hosts(clusters) if topology.sessions == "redis-sentinel" else (0,) * clusters
    balancers = len(topology.addresses)
    counts = {
        Role.BALANCER: (*(1,) * balancers, *(0,) * (clusters - balancers)),
        Role.FRONTEND: topology.frontends,
        Role.DATABASE: topology.nodes,
        Role.SESSIONS: sessions,
    }
    hosts = [host for role, numbers in counts.items() for host in _hosts(role, numbers)]
    return LabPlan(tuple(hosts), clusters)


def router_name(cluster: int) -> str:
    """The namespace that holds a cluster's bridge and its end of the link."""
    return f"router-{cluster}"


def router_address(cluster: int) -> str:
    """A router's address on its cluster's own network."""
    return f"{PREFIX}.{cluster}.1"


def link_addresses(cluster: int) -> tuple[str, str]:
    """Both ends of the link from the first cluster to another: at the first, at the other."""
    return f"{PREFIX}.255.{2 * cluster}", f"{PREFIX}.255.{2 * cluster + 1}"


def tunnel_addresses(cluster: int) -> tuple[str, str]:
    """Both ends of the VPN that runs over that link."""
    return f"{PREFIX}.254.{2 * cluster}", f"{PREFIX}.254.{2 * cluster + 1}"


def network_of(cluster: int) -> str:
    """A cluster's own network."""
    return f"{PREFIX}.{cluster}.0/24"


def _hosts(role: Role, counts: Sequence[int]) -> Iterator[Host]:
    number = 0
    for cluster, count in enumerate(counts, start=1):
        for place in range(count):
            number += 1
            name = role.value if role is Role.BALANCER and sum(counts) == 1 else f"{role}-{number}"
            yield Host(name, role, cluster, f"{PREFIX}.{cluster}.{_FIRST_HOST[role] + place}")


def _session_hosts(clusters: int) -> tuple[int, ...]:
    """Three Redis servers with a Sentinel each: as evenly over the clusters as three can be, the first has the rest."""
    spread = [int(cluster < _SESSION_HOSTS) for cluster in range(clusters)]
    return (_SESSION_HOSTS - sum(spread[1:]), *spread[1:])
