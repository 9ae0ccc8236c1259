"""Client authentication at the token endpoint (RFC 6749 section 2.3, RFC 7523, RFC 8705)."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote_plus

from iam_loadtest.oidc.client_assertion import ASSERTION_TYPE, AssertionSigner
from iam_loadtest.oidc.grant import Form


class AuthMethod(StrEnum):
    """How a client proves itself; the text is the name in a scenario."""

    BASIC = "basic"
    POST = "post"
    NONE = "none"
    CLIENT_SECRET_JWT = "client_secret_jwt"  # noqa: S105  the name of a method
    PRIVATE_KEY_JWT = "private_key_jwt"
    TLS_CLIENT_AUTH = "tls_client_auth"

    @property
    def has_secret(self) -> bool:
        """Whether client and provider share a secret."""
        return self in {AuthMethod.BASIC, AuthMethod.POST, AuthMethod.CLIENT_SECRET_JWT}

    @property
    def has_assertion(self) -> bool:
        """Whether each request carries a JWT that the client signed for it."""
        return self in {AuthMethod.CLIENT_SECRET_JWT, AuthMethod.PRIVATE_KEY_JWT}


@dataclass(frozen=True)
class ClientCredentials:
    """A client as it authenticates; the secret is not in its repr.

    ``signer`` is there where the method sends an assertion: what it makes is put into each request by itself.
    """

    client_id: str
    secret: str = field(repr=False, default="")
    method: AuthMethod = AuthMethod.BASIC
    signer: AssertionSigner | None = None

    def headers(self) -> dict[str, str]:
        """Headers that authenticate the client: Basic with form-encoded id and secret, or none."""
        if self.method is not AuthMethod.BASIC:
            return {}
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.secret)}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}

    def form(self) -> Form:
        """Form fields that are the same in each request; mutual TLS needs the name alone (RFC 8705 section 2)."""
        if self.method is AuthMethod.BASIC:
            return ()
        named = (("client_id", self.client_id),)
        if self.method is AuthMethod.POST:
            return (*named, ("client_secret", self.secret))
        if self.method.has_assertion:
            return (*named, ("client_assertion_type", ASSERTION_TYPE))
        return named
