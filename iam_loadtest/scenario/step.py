"""A step: one request of a workload."""

from __future__ import annotations

from pydantic import Field, model_validator

from iam_loadtest.oidc.grant import ACCESS_TOKEN_TYPE, Grant
from iam_loadtest.scenario.fields import Name, Noun


class Step(Noun):
    """One request of a workload: the grant, the acting client, and what it takes from earlier steps."""

    grant: Grant = Field(description="what is asked of the token endpoint")
    client: Name = Field(description="which of the clients acts")
    label: Name | None = Field(default=None, description="name of the step in results; its own name where left out")
    scope: str | None = Field(default=None, description="space-separated scopes; none sent where left out")
    audience: tuple[str, ...] = Field(default=(), description="audience, repeatable")
    resource: tuple[str, ...] = Field(default=(), description="resource indicators, repeatable")
    subject_token_from: Name | None = Field(
        default=None, description="step whose access token is exchanged; the last one that gave one where left out"
    )
    subject_token_type: str = Field(default=ACCESS_TOKEN_TYPE, description="subject_token_type of an exchange")
    requested_token_type: str | None = Field(default=None, description="requested_token_type of an exchange")
    extra: dict[str, str] = Field(default_factory=dict, description="further form fields, sent as they are")

    @model_validator(mode="after")
    def _exchange_has_its_keys_alone(self) -> Step:
        if self.grant is Grant.TOKEN_EXCHANGE:
            return self
        for key in ("subject_token_from", "requested_token_type"):
            if getattr(self, key) is not None:
                raise ValueError(f"has {key}, which only grant: token_exchange takes; remove it")
        return self
