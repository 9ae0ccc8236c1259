"""A key pair of a client that authenticates by private_key_jwt: new at each start."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import RSAAlgorithm


@dataclass(frozen=True)
class ClientKey:
    """``private`` is for the client, as PEM; ``public`` for the provider, as JSON Web Key Set."""

    private: str = field(repr=False)
    public: str


def new_client_key() -> ClientKey:
    """An RSA key for RS256."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    named = {"kid": "client", "use": "sig", "alg": "RS256"}
    public = json.loads(RSAAlgorithm.to_jwk(key.public_key()))
    public.pop("key_ops", None)
    return ClientKey(pem, json.dumps({"keys": [{**public, **named}]}))
