"""A certificate that signs itself, for a server on this machine and as long as it runs."""

from __future__ import annotations

import os
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from iam_loadtest.errors import UserError

_VALID = timedelta(days=30)


def self_signed_context(certificate_file: Path, host: str) -> ssl.SSLContext:
    """A server's TLS context with a fresh key; its certificate is written for clients to trust, the key is not kept.

    Raises UserError where the file cannot be written.
    """
    certificate, private = self_signed(host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _load(context, certificate + private)
    try:
        certificate_file.write_bytes(certificate)
    except OSError as error:
        raise UserError(f"{certificate_file}: cannot be written: {error.strerror}; choose another.") from error
    return context


def self_signed(host: str) -> tuple[bytes, bytes]:
    """A fresh certificate for a name or an address, and its private key, both PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(key, host).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate, private


def _load(context: ssl.SSLContext, pem: bytes) -> None:
    """Python's ssl reads keys from files only: this one is readable by its owner, and gone at once."""
    descriptor, name = tempfile.mkstemp()
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
        context.load_cert_chain(name)
    finally:
        Path(name).unlink()


def _certificate(key: ec.EllipticCurvePrivateKey, host: str) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
