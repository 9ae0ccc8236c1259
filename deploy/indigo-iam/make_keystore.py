"""Write private/keystore.jwks beside this file: one RSA key called rsa1, which INDIGO IAM signs its tokens with."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

KEYSTORE = Path(__file__).parent / "private" / "keystore.jwks"


def keystore() -> dict[str, object]:
    """A JSON Web Key Set (RFC 7517) with a new private key."""
    key = json.loads(RSAAlgorithm.to_jwk(rsa.generate_private_key(public_exponent=65537, key_size=2048)))
    return {"keys": [{**key, "kid": "rsa1", "use": "sig", "alg": "RS256", "key_ops": ["sign", "verify"]}]}


def main() -> None:
    """A key that is there is kept: tokens signed with it stay good.

    The image's user may be another than this one, so the file can be read by all who get there; of this machine's users
    only this one does.
    """
    if KEYSTORE.exists():
        sys.exit(f"{KEYSTORE.name} is there already; remove it for a new key.")
    KEYSTORE.parent.mkdir(mode=0o700, exist_ok=True)
    with os.fdopen(os.open(KEYSTORE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w", encoding="utf-8") as file:
        json.dump(keystore(), file)


if __name__ == "__main__":
    main()
