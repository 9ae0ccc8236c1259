"""Which product an issuer is, by the endpoints that its discovery document names."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from iam_loadtest.oidc.discovery import Endpoints

Product = Literal["indigo-iam", "keycloak", "generic"]


def recognise(endpoints: Endpoints) -> Product:
    """The product whose endpoints these are; generic where they are nobody's that is known."""
    below = {key: _path(getattr(endpoints, key)) for key in ("token", "jwks", "device_authorization")}
    if below["token"].endswith("/protocol/openid-connect/token") and "/realms/" in below["token"]:
        return "keycloak"
    if below["device_authorization"].endswith("/devicecode") and below["jwks"].endswith("/jwk"):
        return "indigo-iam"
    return "generic"


def _path(url: str | None) -> str:
    return urlsplit(url or "").path
