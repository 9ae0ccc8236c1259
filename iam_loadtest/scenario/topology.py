"""How the IAM is deployed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from iam_loadtest.scenario.fields import Factor, Name, Noun, Switch, Url, Whole
from iam_loadtest.scenario.hook import Hooks
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


Topology = Annotated[UrlTopology | EmbeddedTopology, Field(discriminator="provider")]
