"""The certificates that a target names, loaded into a TLS context: each mistake gives one clear line."""

from __future__ import annotations

import ssl
from pathlib import Path

from iam_loadtest.errors import UserError
from iam_loadtest.scenario.target import Target


def prepare_context(context: ssl.SSLContext, target: Target, directory: Path) -> None:
    """Have a client's context do as the target says, the same before a load and in it. Raises UserError.

    Authorities that the system trusts are trusted (SSL_CERT_FILE and SSL_CERT_DIR change these), and those of the
    target's CA bundle as well.
    """
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if target.verify_tls:
        context.load_default_certs()
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    load_certificates(context, target, directory)


def load_certificates(context: ssl.SSLContext, target: Target, directory: Path) -> None:
    """Trust the target's CA bundle and show its client certificate; files are below ``directory``. Raises UserError.

    A server may ask for the certificate once it has seen the request, as Apache does where one path needs it.
    """
    if target.ca_bundle:
        _load_bundle(context, directory / target.ca_bundle)
    if target.client_certificate:
        certificate = directory / target.client_certificate
        _load_client(context, certificate, directory / target.client_key if target.client_key else None)
        context.post_handshake_auth = True
    elif target.client_key:
        raise UserError("target.client_key is given without client_certificate; add client_certificate, a PEM file.")


def check_certificates(target: Target, directory: Path) -> None:
    """Raise UserError where a target's certificates cannot be used."""
    load_certificates(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), target, directory)


def _load_bundle(context: ssl.SSLContext, path: Path) -> None:
    try:
        context.load_verify_locations(cafile=str(path))
    except ssl.SSLError as error:
        raise UserError(
            f"{path}: holds no PEM certificate ({error.reason}); ca_bundle must name a PEM file."
        ) from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}; ca_bundle must name a PEM file.") from error


def _load_client(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    _require_readable(certificate, "client_certificate")
    if key is not None:
        _require_readable(key, "client_key")
    holder = key or certificate
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except _EncryptedKeyError:
        raise UserError(f"{holder}: the key is encrypted; store it without a password.") from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise UserError(f"{holder}: the key does not belong to {certificate}; name the one that does.") from error
        missing = "" if key else ", or name the key's file as client_key"
        raise UserError(
            f"{certificate}: holds no PEM certificate with its key ({error.reason or 'unknown'}); correct it{missing}."
        ) from error


def _require_readable(path: Path, key: str) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}; {key} must name a PEM file.") from error


class _EncryptedKeyError(Exception):
    """OpenSSL asked for a password, which would otherwise be asked of the terminal."""


def _no_password() -> str:
    raise _EncryptedKeyError
