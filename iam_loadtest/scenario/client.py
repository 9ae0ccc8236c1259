"""Who acts in steps: OAuth clients, and the users whose tokens are asked for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator, model_validator

from iam_loadtest.oidc.client_auth import AuthMethod
from iam_loadtest.scenario.fields import Noun, Whole
from iam_loadtest.scenario.secret import Secret


class Client(Noun):
    """An OAuth client that acts in steps."""

    id: Annotated[str, Field(min_length=1)] = Field(description="client_id")
    auth: AuthMethod = Field(default=AuthMethod.BASIC, description="how the client authenticates at the token endpoint")
    secret: Secret | None = Field(default=None, description="the client's secret, by reference")

    @model_validator(mode="after")
    def _has_what_its_method_needs(self) -> Client:
        if self.auth is AuthMethod.NONE and self.secret is not None:
            raise ValueError("has a secret, and auth: none sends none; remove the secret or choose basic or post")
        if self.auth is not AuthMethod.NONE and self.secret is None:
            raise ValueError(f"has no secret, and auth: {self.auth} needs one; write secret: ${{ENV_VARIABLE}}")
        return self


class Users(Noun):
    """The users whose tokens are asked for: a numbered range, or a CSV file with columns username and password."""

    pattern: str = Field(default="test_{n}", description="user name with {n} for the number")
    first: Annotated[Whole, Field(ge=0)] = Field(default=100, description="first number of the range")
    last: Annotated[Whole, Field(ge=0)] = Field(default=347, description="last number of the range, included")
    password: Secret | None = Field(default=None, description="the password of all of them, by reference")
    file: str | None = Field(default=None, description="CSV file with the columns username and password")

    @field_validator("pattern")
    @classmethod
    def _numbers_users(cls, pattern: str) -> str:
        if "{n}" not in pattern:
            raise ValueError("must hold {n}, which stands for the user's number")
        return pattern

    @field_validator("last")
    @classmethod
    def _is_not_before_first(cls, last: int, info: ValidationInfo) -> int:
        if last < info.data.get("first", 0):
            raise ValueError(f"must not be below users.first, which is {info.data['first']}")
        return last

    @model_validator(mode="after")
    def _names_users_once(self) -> Users:
        if self.file is None and self.password is None:
            raise ValueError("has neither a password nor a file; write password: ${ENV_VARIABLE} or file: users.csv")
        if self.file is not None and self.password is not None:
            raise ValueError("has both a password and a file; keep one of them")
        return self
