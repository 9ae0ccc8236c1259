"""Certificates of a provider that is reached by TLS, and of clients that show one: new at each start."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate
from jwt.algorithms import ECAlgorithm

from iam_loadtest.embedded.self_signed import self_signed

SUBJECT = "loadtest-mtls"
"""The common name of a client's certificate, which is registered with the provider."""
_NAMES = {"server": "127.0.0.1", "client": SUBJECT, "other": SUBJECT}


@dataclass(frozen=True)
class MutualTls:
    """Where clients are known by the certificates that they show (RFC 8705).

    ``token_endpoint`` is empty where discovery says it. ``directory`` holds NAME.pem and NAME.key of the server, of the
    client that is registered, and of another one that only has its name.
    """

    issuer: str
    directory: Path
    token_endpoint: str = ""

    def target(self, shown: str = "client") -> dict[str, str]:
        """A scenario's target whose clients show this certificate, or none."""
        trusted = {"ca_bundle": str(self.directory / "server.pem")}
        if self.token_endpoint:
            trusted["token_endpoint"] = self.token_endpoint
        if not shown:
            return trusted
        own = {"client_certificate": f"{shown}.pem", "client_key": f"{shown}.key"}
        return {**trusted, **{key: str(self.directory / name) for key, name in own.items()}}


def write_certificates(directory: Path) -> None:
    """A certificate and its key for each name, each signed by itself."""
    directory.mkdir(mode=0o700)
    for name, subject in _NAMES.items():
        certificate, key = self_signed(subject)
        (directory / f"{name}.pem").write_bytes(certificate)
        (directory / f"{name}.key").write_bytes(key)


def registered_key(directory: Path) -> str:
    """The client's certificate as a JSON Web Key Set: how one that is signed by itself is registered."""
    certificate = load_pem_x509_certificate((directory / "client.pem").read_bytes())
    key = certificate.public_key()
    assert isinstance(key, EllipticCurvePublicKey)
    shown = b64encode(certificate.public_bytes(Encoding.DER)).decode()
    named = {"kid": "certificate", "use": "sig", "x5c": [shown]}
    return json.dumps({"keys": [{**json.loads(ECAlgorithm.to_jwk(key)), **named}]})
