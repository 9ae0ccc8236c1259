"""Client assertions: a JWT that proves who the client is (RFC 7523 section 2.2, OpenID Connect Core section 9)."""

from __future__ import annotations

import json
import secrets
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt import PyJWK, PyJWTError
from jwt.algorithms import get_default_algorithms

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SHARED_KEY_ALGORITHMS: Final = ("HS256", "HS384", "HS512")
_RSA_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
LIFETIME_S: Final = 60
"""Long enough for a slow answer, and no longer than providers allow by default."""
_NO_JWK: Final = "cannot be read as JWK; write the key's file anew"
_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_ALGORITHMS: Final = get_default_algorithms()


class BadKeyError(ValueError):
    """A key that cannot sign; the text says why, ends with what to do, and holds nothing of the key."""


@dataclass(frozen=True)
class SigningKey:
    """A key that is loaded, which takes a hundred times as long as signing with it. Not in its own repr.

    ``key_id`` is what a JWK says of itself, None where the key was a PEM.
    """

    key: Any = field(repr=False)
    algorithm: str
    key_id: str | None = None


@dataclass(frozen=True)
class AssertionSigner:
    """Makes the assertions of one client for one audience."""

    client_id: str
    audience: str
    key: SigningKey
    key_id: str | None = None

    def sign(self, now_s: float | None = None) -> bytes:
        """A new assertion: each is good for one request, since servers refuse a ``jti`` that they have seen."""
        issued_at = int(time.time() if now_s is None else now_s)
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.audience,
            "jti": secrets.token_urlsafe(18),
            "iat": issued_at,
            "exp": issued_at + LIFETIME_S,
        }
        signed = b"%b.%b" % (self._head(), _encoded(orjson.dumps(claims)))
        return b"%b.%b" % (signed, _encoded(_ALGORITHMS[self.key.algorithm].sign(signed, self.key.key)))

    def _head(self) -> bytes:
        key_id = self.key_id or self.key.key_id
        named = {"kid": key_id} if key_id else {}
        return _encoded(orjson.dumps({"alg": self.key.algorithm, "typ": "JWT", **named}))


def shared_key(secret: str, algorithm: str | None = None) -> SigningKey:
    """The key of client_secret_jwt: the client's secret."""
    return SigningKey(secret.encode(), algorithm or "HS256")


def private_key(text: str, algorithm: str | None = None) -> SigningKey:
    """The private key in a PEM or JWK; raises BadKeyError. ``algorithm`` is the key's usual one where None."""
    if not text.lstrip().startswith("{"):
        key = _from_pem(text)
        return SigningKey(key, _fitting(key, algorithm))
    document = _jwk(text)
    key = _from_jwk(document)
    return SigningKey(key, _fitting(key, algorithm or document.get("alg")), document.get("kid"))


def _from_pem(text: str) -> Any:
    if "PRIVATE KEY" not in text:
        raise BadKeyError("is no private key; it must hold one as PEM (-----BEGIN PRIVATE KEY-----) or JWK")
    try:
        return load_pem_private_key(text.encode(), password=None)
    except TypeError:
        raise BadKeyError("is encrypted; store it without a password") from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadKeyError("cannot be read as PEM; write the key's file anew") from None  # its text may hold the key


def _jwk(text: str) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(text)
    except ValueError:
        raise BadKeyError(_NO_JWK) from None  # the error's text may hold the key
    if "d" not in document:
        raise BadKeyError("holds no private key; a private JWK has the member d")
    return document


def _from_jwk(document: dict[str, Any]) -> Any:
    try:
        return PyJWK(document).key
    except (PyJWTError, ValueError, TypeError, AttributeError):
        raise BadKeyError(_NO_JWK) from None  # the error's text may hold the key


def _fitting(key: Any, algorithm: str | None) -> str:
    usual = _usual_algorithms(key)
    if algorithm is None:
        return usual[0]
    if algorithm not in usual:
        raise BadKeyError(f"is a key for {', '.join(usual)}, not for {algorithm}; correct algorithm or the key")
    return algorithm


def _usual_algorithms(key: Any) -> tuple[str, ...]:
    """What a key can sign, its usual algorithm first."""
    if isinstance(key, RSAPrivateKey):
        return _RSA_ALGORITHMS
    if isinstance(key, EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return (_CURVES[key.curve.name],)
    if isinstance(key, Ed25519PrivateKey):
        return ("EdDSA",)
    raise BadKeyError("is of a kind that signs no assertion; use an RSA, EC (P-256, P-384, P-521) or Ed25519 key")


def _encoded(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")
