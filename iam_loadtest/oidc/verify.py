"""Verify access tokens against a provider's keys (PyJWT)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jwt

ALLOWED_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEEWAY_S = 5
MAX_KEYS = 100


class BadTokenError(ValueError):
    """A token that must not be trusted; the text says why and holds no token."""


class UnknownKeyError(BadTokenError):
    """The key set holds no key that the token names: the token is bad, or the provider has a new key."""


class KeySet:
    """The signing keys of a provider, read once. Keys of other kinds and for other uses are left out.

    ``none`` and the HMAC algorithms are never accepted, whatever a token or the key set says.
    """

    def __init__(self, document: object) -> None:
        self._keys = tuple(_signing_keys(document))

    def __len__(self) -> int:
        return len(self._keys)

    def verify(self, token: str, issuer: str, audience: Sequence[str] = ()) -> Mapping[str, Any]:
        """The claims of a token whose signature, issuer, expiry and algorithm are right; raises BadTokenError.

        Where an audience is given, the token must be meant for one of it.
        """
        try:
            return jwt.decode(
                token,
                self._key_of(token),
                algorithms=list(ALLOWED_ALGORITHMS),
                issuer=[issuer, issuer.rstrip("/"), issuer.rstrip("/") + "/"],
                audience=list(audience) or None,
                leeway=LEEWAY_S,
                options={"verify_aud": bool(audience), "require": ["exp", "iss"]},
            )
        except BadTokenError:
            raise
        except (jwt.PyJWTError, ValueError, OverflowError, RecursionError) as error:  # whatever a server can write
            raise BadTokenError(_sendable(f"{type(error).__name__}: {error}")) from error

    def _key_of(self, token: str) -> jwt.PyJWK:
        key_id = jwt.get_unverified_header(token).get("kid")
        for key in self._keys:
            if key.key_id == key_id or (key_id is None and len(self._keys) == 1):
                return key
        raise UnknownKeyError(f"the key set holds no key {key_id!a}")


def verify_access_token(token: str, jwks: object, issuer: str) -> Mapping[str, Any]:
    """The claims of a good token, by a key set that is used once; raises BadTokenError."""
    return KeySet(jwks).verify(token, issuer)


def is_jwt(token: str) -> bool:
    """Whether a token looks like a signed JWT; others are opaque, and only their issuer can tell about them."""
    return token.count(".") == 2 and token.startswith("eyJ")


def _signing_keys(document: object) -> Iterator[jwt.PyJWK]:
    keys = document.get("keys") if isinstance(document, Mapping) else None
    for key in keys[:MAX_KEYS] if isinstance(keys, list) else ():
        if isinstance(key, Mapping) and key.get("use", "sig") == "sig" and key.get("kty") in ("RSA", "EC", "OKP"):
            try:
                yield jwt.PyJWK(dict(key))
            except (jwt.PyJWTError, ValueError, TypeError):
                continue


def _sendable(text: str) -> str:
    """Without halves of surrogate pairs, which JSON can hold and UTF-8 cannot."""
    return text.encode("utf-8", "backslashreplace").decode()
