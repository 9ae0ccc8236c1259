"""Verify an access token against a provider's keys (PyJWT)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jwt

ALLOWED_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEEWAY_S = 5


class BadTokenError(ValueError):
    """A token that must not be trusted; the text says why and holds no token."""


def verify_access_token(token: str, jwks: Mapping[str, Any], issuer: str) -> Mapping[str, Any]:
    """The claims of a token whose signature, issuer, expiry and algorithm are right; raises BadTokenError.

    ``none`` and the HMAC algorithms are never accepted, whatever the token or the key set says.
    """
    try:
        key = _signing_key(token, jwks)
        return jwt.decode(
            token,
            key,
            algorithms=list(ALLOWED_ALGORITHMS),
            issuer=[issuer, issuer.rstrip("/"), issuer.rstrip("/") + "/"],
            leeway=LEEWAY_S,
            options={"verify_aud": False, "require": ["exp", "iss"]},
        )
    except jwt.PyJWTError as error:
        raise BadTokenError(f"{type(error).__name__}: {error}") from error


def _signing_key(token: str, jwks: Mapping[str, Any]) -> jwt.PyJWK:
    key_id = jwt.get_unverified_header(token).get("kid")
    keys = jwt.PyJWKSet.from_dict(dict(jwks)).keys
    for key in keys:
        if key.key_id == key_id or (key_id is None and len(keys) == 1):
            return key
    raise BadTokenError(f"the key set holds no key {key_id!r}")
