"""How the IAM is deployed."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from iam_loadtest.scenario.fault import Fault, check_faults
from iam_loadtest.scenario.fields import Factor, Name, Noun, Switch, Url, Whole
from iam_loadtest.scenario.hook import Hooks
from iam_loadtest.scenario.lab import (
    EachCluster,
    LabDatabase,
    LabLink,
    default_nodes,
    lab_factors,
    public_addresses,
)
from iam_loadtest.scenario.lab_frontend import LabFrontend
from iam_loadtest.scenario.target import Target


class _Topology(Noun):
    factors: dict[Name, Factor] = Field(
        default_factory=dict, description="what tells this deployment from others: frontends, database, latency_ms, ..."
    )
    description: str = Field(default="", description="one line for the report")
    target: Target | None = Field(default=None, description="keys that differ from the scenario's target")
    hooks: Hooks | None = Field(default=None, description="keys that differ from the scenario's hooks")


class UrlTopology(_Topology):
    """An IAM that is already deployed."""

    provider: Literal["url"]
    issuer: Url = Field(description="the issuer, as its discovery document names it")


class IamSettings(Noun):
    """Settings of the built-in IAM; what is left out has the built-in IAM's own default."""

    algorithm: Literal["RS256", "ES256"] | None = Field(default=None, description="signature of tokens")
    store_access_tokens: Switch | None = Field(default=None, description="access tokens in the database")
    clear_access_tokens_on_refresh: Switch | None = Field(default=None, description="a refresh deletes older ones")
    rotate_refresh_tokens: Switch | None = Field(default=None, description="a refresh gives a new refresh token")
    extra_statements: Annotated[Whole, Field(ge=0)] | None = Field(default=None, description="more SQL per request")
    error_style: Literal["indigo", "rfc"] | None = Field(default=None, description="statuses and texts of errors")
    retry_deadlocks: Annotated[Whole, Field(ge=0)] | None = Field(default=None, description="retries of a deadlock")
    users: Annotated[Whole, Field(ge=1)] | None = Field(default=None, description="how many users are seeded")


class EmbeddedTopology(_Topology):
    """The built-in IAM, started for each trial with a fresh database."""

    provider: Literal["embedded"]
    frontends: Annotated[Whole, Field(ge=1, le=64)] = Field(default=1, description="IAM processes on one port")
    database: str = Field(
        default="sqlite", pattern=r"^(sqlite|\$\{[A-Za-z_][A-Za-z0-9_]*\})$",
        description="sqlite, or ${ENV_VARIABLE} that holds the URL of a MariaDB database",
    )  # fmt: skip
    settings: IamSettings = Field(default_factory=IamSettings, description="settings of the built-in IAM")

    @property
    def database_variable(self) -> str | None:
        """The environment variable that holds the URL of its database; None for SQLite."""
        return None if self.database == "sqlite" else self.database[2:-1]


SESSION_SERVERS = 3
"""Redis servers of a lab, wherever sessions are in Redis."""


class LabTopology(_Topology):
    """Clusters with frontends, databases and a balancer, built on this machine for each trial.

    ``factors`` holds what follows from the other keys, with the file's own entries on top.
    """

    provider: Literal["lab"]
    frontends: EachCluster = Field(default=(1,), description="frontends in each cluster")
    database: LabDatabase = Field(default_factory=LabDatabase, description="where the frontends keep tokens")
    link: LabLink = Field(default_factory=LabLink, description="the network between the clusters")
    links: tuple[LabLink, ...] = Field(
        default=(), description="where they differ: one for each cluster after the first, in place of link"
    )
    balancer: Literal["roundrobin", "leastconn", "sticky", "dns"] = Field(
        default="roundrobin", description="how HAProxy chooses a frontend; dns: one HAProxy in each cluster"
    )
    sessions: Literal["none", "redis-sentinel"] = Field(
        default="none", description="web sessions in the database, or in Redis that Sentinel watches"
    )
    settings: IamSettings = Field(default_factory=IamSettings, description="settings of the frontends")
    frontend: LabFrontend | None = Field(
        default=None, description="another program as the frontends; the built-in IAM where left out"
    )
    faults: tuple[Fault, ...] = Field(default=(), description="what is broken inside each trial, and when")

    @property
    def servers(self) -> tuple[str, ...]:
        """The names of the servers that faults can hit."""
        counts = {"frontend": sum(self.frontends), "database": sum(self.nodes), "sessions": SESSION_SERVERS}
        if self.sessions == "none":
            del counts["sessions"]
        return tuple(f"{role}-{number}" for role, count in counts.items() for number in range(1, count + 1))

    @property
    def named_links(self) -> dict[str, LabLink]:
        """The links from the first cluster to the others by name."""
        return {f"link-{cluster}": link for cluster, link in enumerate(self.wires, start=2)}

    @property
    def nodes(self) -> tuple[int, ...]:
        """Database servers in each cluster."""
        return self.database.nodes or default_nodes(self.database.kind, self.frontends)

    @property
    def wires(self) -> tuple[LabLink, ...]:
        """The link from the first cluster to each other one."""
        return self.links or (self.link,) * (len(self.frontends) - 1)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where its balancers are reached from outside of the lab, one port on each."""
        return public_addresses(self.balancer, len(self.frontends))

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        kind, clusters, members = self.database.kind, len(self.frontends), sum(self.nodes)
        if len(self.nodes) != clusters:
            raise ValueError(f"database.nodes must have {clusters} entries, one for each cluster of frontends")
        if kind == "sqlite" and (clusters > 1 or members):
            raise ValueError("database.kind cannot be sqlite with several clusters or nodes; a file is in one place")
        if kind == "mariadb" and members != 1:
            raise ValueError("database.nodes must add up to 1 with kind: mariadb; take replication or galera for more")
        if kind in {"replication", "galera"} and members < 2:
            raise ValueError(f"database.nodes must add up to 2 or more with kind: {kind}")
        if kind != "sqlite" and not self.nodes[0]:
            raise ValueError("database.nodes must begin with 1 or more; the first cluster has the first server")
        if self.frontend and self.settings != IamSettings():
            raise ValueError("settings is for the built-in IAM; remove it, or frontend")
        if clusters == 1 and self.balancer == "dns":
            raise ValueError("balancer cannot be dns with one cluster; it has one HAProxy, so take roundrobin")
        if clusters == 1 and self.link != LabLink():
            raise ValueError("link is between clusters; give frontends for two, such as frontends: [3, 2]")
        if self.links and self.link != LabLink():
            raise ValueError("links stands beside link; keep link where all are alike, else links")
        if self.links and len(self.links) != clusters - 1:
            raise ValueError(f"links must have {clusters - 1} entries, one for each cluster after the first")
        return self

    @model_validator(mode="after")
    def _check_faults(self) -> Self:
        check_faults(self.faults, self.servers, self.named_links)
        return self

    @model_validator(mode="after")
    def _add_factors(self) -> Self:
        known = lab_factors(self.frontends, self.nodes, self.database.kind, self.wires, self.balancer, self.sessions)
        object.__setattr__(self, "factors", {**known, **self.factors})
        return self


Topology = Annotated[UrlTopology | EmbeddedTopology | LabTopology, Field(discriminator="provider")]
