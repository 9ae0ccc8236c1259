"""Rows of an error table."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from iam_loadtest.scenario.fields import DurationS, Name, Noun, Whole

Asked = Literal[
    "client_credentials", "password", "authorization_code", "device_code", "refresh_token", "token_exchange",
    "introspect", "userinfo", "revoke", "login_page", "login", "device", "approve",
]  # fmt: skip
"""What a request asked for: the grant of a token request, or its kind."""


class ErrorRule(Noun):
    """One row of an error table: all conditions given must hold; the first row that fits decides."""

    outcome: Literal["stale_read", "write_conflict", "pool_exhausted", "refused", "throttled", "server_error"]
    step: Name | None = Field(default=None, description="step label")
    request: Asked | None = Field(default=None, description="grant of a token request, or kind of another one")
    status: Annotated[Whole, Field(ge=100, le=599)] | None = Field(default=None, description="HTTP status")
    error: str | None = Field(default=None, description="OAuth error code")
    description: str | None = Field(default=None, description="regular expression found in error_description")
    min_latency_s: DurationS | None = Field(default=None, alias="min_latency", description="at least this slow")
    max_latency_s: DurationS | None = Field(default=None, alias="max_latency", description="at most this slow")

    @model_validator(mode="after")
    def _compiles(self) -> ErrorRule:
        try:
            re.compile(self.description or "")
        except re.error as error:
            raise ValueError(f"description is no regular expression: {error}") from error
        return self

    @model_validator(mode="after")
    def _has_a_condition(self) -> ErrorRule:
        if self.model_fields_set <= {"outcome"}:
            raise ValueError(
                "has no condition, so it would fit every error; add status, error, description, request or step"
            )
        return self
