"""Who acts in steps: OAuth clients, and the users whose tokens are asked for."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from iam_loadtest.oidc.client_assertion import SHARED_KEY_ALGORITHMS
from iam_loadtest.oidc.client_auth import AuthMethod
from iam_loadtest.scenario.fields import Noun, Whole
from iam_loadtest.scenario.secret import Secret

_REGISTERED_NAMES: Final = {
    "client_secret_basic": AuthMethod.BASIC,
    "client_secret_post": AuthMethod.POST,
    "self_signed_tls_client_auth": AuthMethod.TLS_CLIENT_AUTH,
}
"""What discovery documents call them; the last differs on the provider's side alone."""
Auth = Annotated[
    AuthMethod, BeforeValidator(lambda name: _REGISTERED_NAMES.get(name, name) if isinstance(name, str) else name)
]
Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512"
]
Audience = Literal["token_endpoint", "issuer"]


class Client(Noun):
    """An OAuth client that acts in steps."""

    id: Annotated[str, Field(min_length=1)] = Field(description="client_id")
    auth: Auth = Field(default=AuthMethod.BASIC, description="how the client authenticates at the token endpoint")
    secret: Secret | None = Field(default=None, description="the client's secret, by reference")
    key: Secret | None = Field(default=None, description="the private key of private_key_jwt, by reference: PEM or JWK")
    algorithm: Algorithm | None = Field(default=None, description="signature of assertions; the key's usual one")
    key_id: str | None = Field(default=None, description="kid of assertions; a JWK's own where left out")
    assertion_audience: Audience = Field(default="token_endpoint", description="whom assertions are meant for")

    @model_validator(mode="after")
    def _has_what_its_method_needs(self) -> Client:
        if self.secret is not None and not self.auth.has_secret:
            raise ValueError(
                f"has a secret, and auth: {self.auth} sends none; remove the secret or choose basic or post"
            )
        if self.secret is None and self.auth.has_secret:
            raise ValueError(f"has no secret, and auth: {self.auth} needs one; write secret: ${{ENV_VARIABLE}}")
        if self.key is None and self.auth is AuthMethod.PRIVATE_KEY_JWT:
            raise ValueError("has no key, and auth: private_key_jwt needs one; write key: {file: client.pem}")
        if self.key is not None and self.auth is not AuthMethod.PRIVATE_KEY_JWT:
            raise ValueError("has a key, which only auth: private_key_jwt takes; remove it")
        return self

    @model_validator(mode="after")
    def _says_of_assertions_what_is_used(self) -> Client:
        for key in ("algorithm", "key_id", "assertion_audience"):
            if key in self.model_fields_set and not self.auth.has_assertion:
                raise ValueError(f"has {key}, which only auth: private_key_jwt or client_secret_jwt takes; remove it")
        is_shared = self.auth is AuthMethod.CLIENT_SECRET_JWT
        if self.algorithm is not None and (self.algorithm in SHARED_KEY_ALGORITHMS) is not is_shared:
            fitting = [name for name in get_args(Algorithm) if (name in SHARED_KEY_ALGORITHMS) is is_shared]
            raise ValueError(f"has algorithm: {self.algorithm}, and auth: {self.auth} signs with {', '.join(fitting)}")
        return self


class Users(Noun):
    """The users whose tokens are asked for: a numbered range, or a CSV file with columns username and password.

    Where no step logs anybody in, neither password nor file is needed.
    """

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
        if self.file is not None and self.password is not None:
            raise ValueError("has both a password and a file; keep one of them")
        return self
