"""How the generator talks to the IAM."""

from __future__ import annotations

from pydantic import Field

from iam_loadtest.scenario.fields import DurationS, Noun, Switch, Url


class Target(Noun):
    """How the generator talks to the IAM."""

    timeout_s: DurationS = Field(default=60, alias="timeout", gt=0, description="time limit of one request")
    connect_timeout_s: DurationS = Field(default=10, alias="connect_timeout", gt=0, description="time limit to connect")
    verify_tls: Switch = Field(default=True, description="check the server's certificate")
    ca_bundle: str | None = Field(default=None, description="PEM file of further certificate authorities")
    backend_header: str = Field(default="X-Backend", description="response header that names the serving node")
    token_endpoint: Url | None = Field(default=None, description="where discovery does not say it")
    health: Url | None = Field(default=None, description="awaited before a trial; the discovery document if left out")
    health_timeout_s: DurationS = Field(default=60, alias="health_timeout", description="how long health is awaited")
