"""Keys and tokens: signing keys live in the database, so that every frontend signs with the same one."""

from __future__ import annotations

import os
import secrets
import time
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jwt
import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.utils import base64url_encode

from iam_loadtest.embedded.settings import Algorithm, Settings
from iam_loadtest.embedded.store import Store, Transaction

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
_KIDS: dict[Algorithm, str] = {"RS256": "rsa1", "ES256": "ec1"}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A loaded key pair: loading a PEM costs 140 signatures, so it happens once per process."""

    kid: str
    algorithm: str
    private: PrivateKey = field(repr=False)

    def public_jwk(self) -> dict[str, Any]:
        """The public half as /jwk shows it."""
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            jwk = dict(RSAAlgorithm.to_jwk(public, as_dict=True))
        else:
            jwk = dict(ECAlgorithm.to_jwk(public, as_dict=True))
        jwk.pop("key_ops", None)
        return jwk | {"kid": self.kid, "alg": self.algorithm, "use": "sig"}


class Signer:
    """Signs with one key, verifies with all that the database holds."""

    def __init__(self, keys: Mapping[str, SigningKey], algorithm: Algorithm, issuer: str) -> None:
        self.issuer = issuer
        self._keys = keys
        self._key = keys[_KIDS[algorithm]]
        self._algorithm = jwt.get_algorithm_by_name(self._key.algorithm)
        header = {"alg": self._key.algorithm, "kid": self._key.kid, "typ": "JWT"}
        self._header = base64url_encode(orjson.dumps(header)) + b"."
        self.jwks = orjson.dumps({"keys": [key.public_jwk() for key in keys.values()]})

    @property
    def algorithms(self) -> list[str]:
        """The algorithms a client may meet in this issuer's tokens."""
        return sorted(key.algorithm for key in self._keys.values())

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A compact JWS of the claims; the header is the same for every token, so it is encoded once."""
        signed = self._header + base64url_encode(orjson.dumps(claims))
        signature = self._algorithm.sign(signed, self._key.private)
        return (signed + b"." + base64url_encode(signature)).decode()

    def claims(self, token: str) -> dict[str, Any] | None:
        """The claims of one of our own tokens, expired or not; None for anything else."""
        try:
            key = self._keys[jwt.get_unverified_header(token)["kid"]]
            verified: dict[str, Any] = jwt.decode(
                token,
                key.private.public_key(),
                algorithms=[key.algorithm],
                issuer=self.issuer,
                options={"verify_exp": False, "verify_aud": False, "require": ["exp", "iat", "sub", "jti"]},
            )
        except (jwt.PyJWTError, KeyError, ValueError):
            return None
        return verified


class AccessTokenClaims(NamedTuple):
    """What an access token says. ``act`` is the actor of an exchange, RFC 8693 section 4.1."""

    subject: str
    client_id: str
    scopes: frozenset[str]
    audience: tuple[str, ...] = ()
    act: Mapping[str, Any] | None = None


def access_token(signer: Signer, claims: AccessTokenClaims, now: int, lifetime_s: int) -> str:
    """A signed access token with upstream's claims, scope included."""
    payload: dict[str, Any] = {
        "iss": signer.issuer,
        "sub": claims.subject,
        "client_id": claims.client_id,
        "iat": now,
        "nbf": now,
        "exp": now + lifetime_s,
        "jti": _new_uuid(),
        "scope": " ".join(sorted(claims.scopes)),
    }
    if claims.audience:
        payload["aud"] = claims.audience[0] if len(claims.audience) == 1 else list(claims.audience)
    if claims.act is not None:
        payload["act"] = claims.act
    return signer.sign(payload)


def id_token(signer: Signer, claims: Mapping[str, Any], client_id: str, now: int) -> str:
    """A signed ID token for the client; ``claims`` holds sub and whatever the scopes allow."""
    fixed = {"iss": signer.issuer, "aud": client_id, "iat": now, "exp": now + 600, "jti": _new_uuid()}
    return signer.sign({**claims, **fixed})


def claims_of_stored(token: str) -> dict[str, Any]:
    """The claims of a token that was found in the database, read without verifying it a second time."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = orjson.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def _new_uuid() -> str:
    """A random UUID (RFC 9562 section 5.4) in a third of the time that the standard library's class takes."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def opaque_token() -> str:
    """A refresh token, code or session id: 256 random bits."""
    return secrets.token_urlsafe(32)


def now_s() -> int:
    """The time as tokens and rows hold it."""
    return int(time.time())


async def ensure_signing_key(store: Store, algorithm: Algorithm) -> None:
    """Make the key of this algorithm unless the database has it; of several frontends that try, one wins."""
    kid = _KIDS[algorithm]
    if kid in await store.write(_load_pems):
        return
    pem = _pem_of(_new_key(algorithm))

    def insert() -> Transaction[None]:
        found = yield "SELECT kid FROM signing_key WHERE kid = ?", (kid,)
        if not found.rows:
            yield "INSERT INTO signing_key (kid, algorithm, private_pem) VALUES (?, ?, ?)", (kid, algorithm, pem)

    await store.write(insert)


async def load_signer(store: Store, settings: Settings) -> Signer:
    """The signer every frontend on this database shares; read on the primary, a replica may be behind."""
    pems = await store.write(_load_pems)
    keys = {kid: SigningKey(kid, algorithm, _key_of(pem)) for kid, (algorithm, pem) in pems.items()}
    return Signer(keys, settings.algorithm, settings.issuer)


def _load_pems() -> Transaction[dict[str, tuple[str, str]]]:
    found = yield "SELECT kid, algorithm, private_pem FROM signing_key ORDER BY kid DESC", ()
    return {kid: (algorithm, pem) for kid, algorithm, pem in found.rows}


def _new_key(algorithm: Algorithm) -> PrivateKey:
    if algorithm == "RS256":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def _pem_of(key: PrivateKey) -> str:
    encoding, container = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, container, serialization.NoEncryption()).decode()


def _key_of(pem: str) -> PrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise TypeError(f"the database holds a {type(key).__name__} as signing key")
    return key
