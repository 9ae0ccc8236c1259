"""Client authentication at the token endpoint (RFC 6749 section 2.3.1)."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote_plus

from iam_loadtest.oidc.grant import Form


class AuthMethod(StrEnum):
    """How a client proves itself; the text is the name in a scenario."""

    BASIC = "basic"
    POST = "post"
    NONE = "none"


@dataclass(frozen=True)
class ClientCredentials:
    """A client as it authenticates; the secret is not in its repr."""

    client_id: str
    secret: str = field(repr=False, default="")
    method: AuthMethod = AuthMethod.BASIC

    def headers(self) -> dict[str, str]:
        """Headers that authenticate the client: Basic with form-encoded id and secret, or none."""
        if self.method is not AuthMethod.BASIC:
            return {}
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.secret)}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}

    def form(self) -> Form:
        """Form fields that name or authenticate the client where the header does not."""
        if self.method is AuthMethod.POST:
            return (("client_id", self.client_id), ("client_secret", self.secret))
        if self.method is AuthMethod.NONE:
            return (("client_id", self.client_id),)
        return ()
