"""The parts of a deployment that the lab builds on this machine: numbers per cluster, the database and the link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from iam_loadtest.scenario.fields import DurationS, Noun, Share

MAX_CLUSTERS = 8
MAX_MEMBERS = 32
DNS_NAME = "lab.localhost"
"""The host of the issuer where it stands for several balancers; names below localhost are never asked of a server."""
_MAX_DELAY_S = 2.0
_VARIABLE = r"^[a-z][a-z0-9_]*$"


def _numbers(value: Any, least: int) -> Any:
    listed = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    if not 1 <= len(listed) <= MAX_CLUSTERS or not all(_fits(number, least) for number in listed):
        raise ValueError(
            f"must be a whole number from {least} to {MAX_MEMBERS}, or a list with one for each of up to"
            f" {MAX_CLUSTERS} clusters, such as [3, 2]"
        )
    return tuple(listed)


def _fits(number: Any, least: int) -> bool:
    return type(number) is int and least <= number <= MAX_MEMBERS


def _schema(least: int) -> WithJsonSchema:
    number = {"type": "integer", "minimum": least, "maximum": MAX_MEMBERS}
    return WithJsonSchema(
        {"anyOf": [number, {"type": "array", "items": number, "minItems": 1, "maxItems": MAX_CLUSTERS}]}
    )


def _check_delay(delay_s: float) -> float:
    if delay_s > _MAX_DELAY_S:
        raise ValueError("must be 2s or less; milliseconds are written as 30ms")
    return delay_s


def _check_loss(loss: float) -> float:
    if loss > 0.5:
        raise ValueError("must be 50% or less")
    return loss


def _check_setting(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float) or not str(value).isprintable():
        raise ValueError("must be a text of one line or a number, as my.cnf has it")
    return value


EachCluster = Annotated[tuple[int, ...], BeforeValidator(lambda value: _numbers(value, 1)), _schema(1)]
"""One number of 1 or more for each cluster; a single number where there is one cluster."""
SomeClusters = Annotated[tuple[int, ...], BeforeValidator(lambda value: _numbers(value, 0)), _schema(0)]
LinkLoss = Annotated[
    Share, AfterValidator(_check_loss), PlainSerializer(lambda loss: f"{loss * 100:g}%", when_used="json")
]
LinkDelay = Annotated[DurationS, AfterValidator(_check_delay)]
_Variable = Annotated[str, Field(pattern=_VARIABLE)]
_Setting = Annotated[str | int | float, BeforeValidator(_check_setting)]


class LabDatabase(Noun):
    """The database of a lab: one server, or several that replicate."""

    kind: Literal["sqlite", "mariadb", "replication", "galera"] = Field(
        default="mariadb", description="sqlite: a file; mariadb: one server; replication: a primary; galera: all equal"
    )
    nodes: SomeClusters | None = Field(default=None, description="servers in each cluster")
    reads: Literal["local", "primary"] = Field(
        default="local", description="with replication, where statements outside transactions go"
    )
    settings: dict[_Variable, _Setting] = Field(default_factory=dict, description="variables of the server")


class LabLink(Noun):
    """The network between a lab's first cluster and each of the others."""

    rtt_s: LinkDelay = Field(default=0.0, alias="rtt", description="round-trip time, half of it each way")
    jitter_s: LinkDelay = Field(default=0.0, alias="jitter", description="each way, up to this much more or less")
    loss: LinkLoss = Field(default=0.0, description="share of packets lost, each way", validate_default=False)
    vpn: Literal["none", "wireguard"] = Field(default="none", description="a tunnel over the link")

    @property
    def is_shaped(self) -> bool:
        """Whether packets are delayed or lost on it."""
        return bool(self.rtt_s or self.jitter_s or self.loss)


def default_nodes(kind: str, frontends: Sequence[int]) -> tuple[int, ...]:
    """Database servers per cluster where a file does not say.

    Galera has one beside each frontend; replication a primary and a replica in the first cluster and a replica in each
    other; the rest one in the first cluster.
    """
    others = len(frontends) - 1
    if kind == "galera":
        return tuple(frontends)
    if kind == "replication":
        return (2, *(1,) * others)
    return (int(kind == "mariadb"), *(0,) * others)


def public_addresses(balancer: str, clusters: int) -> tuple[str, ...]:
    """The loopback addresses of the balancers: one in front of all, or one in each cluster with ``dns``."""
    return tuple(f"127.0.0.{number}" for number in range(1, (clusters if balancer == "dns" else 1) + 1))


def lab_factors(
    frontends: Sequence[int],
    nodes: Sequence[int],
    database: str,
    links: Sequence[LabLink],
    balancer: str,
    sessions: str,
) -> Mapping[str, str | int | float]:
    """What tells one lab from another, for tables and charts; the latency is that of the most distant cluster."""
    vpns = {link.vpn for link in links} - {"none"}
    return {
        "clusters": len(frontends),
        "frontends": sum(frontends),
        "database": database,
        "database_members": sum(nodes),
        "latency_ms": round(max((link.rtt_s for link in links), default=0.0) * 1000, 3),
        "network": "+".join(sorted(vpns)) or "direct",
        "balancer": balancer,
        "sessions": sessions,
    }
