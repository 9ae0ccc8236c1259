"""node oidc-provider, a certified OpenID provider, with the project's configuration beside this file."""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from providers.cache import made_once
from providers.certificates import SUBJECT, MutualTls, registered_key, write_certificates
from providers.client_key import new_client_key
from providers.missing import missing_programs, require_program
from providers.process import await_answer, free_port, run, running_process
from providers.running import Running, logged_json

CLIENTS = ("access", "subject", "actor", "rotating", "stranger", "secret_jwt")

_HERE = Path(__file__).parent
_PACKAGE = ("package.json", "package-lock.json")
_READY_WITHIN_S = 30.0


def missing() -> list[str]:
    """What this machine lacks; empty where the provider can be installed and started."""
    return missing_programs("node", "npm")


def install() -> None:
    """Install what the lock file names; nothing is done where that was done before."""
    _modules()


@contextmanager
def running(directory: Path) -> Iterator[Running]:
    """A fresh provider below ``directory``; what it stores is gone when the block ends."""
    home, log, requests = directory / "oidc-provider", directory / "oidc-provider.log", directory / "requests.log"
    home.mkdir()
    for source in _HERE.glob("*.mjs"):
        shutil.copy(source, home)
    shutil.copy(_HERE / "package.json", home)
    (home / "node_modules").symlink_to(_modules() / "node_modules")
    issuer = f"http://127.0.0.1:{(port := free_port())}"
    write_certificates(certificates := directory / "certificates")
    secured = MutualTls(f"https://127.0.0.1:{(secured_port := free_port())}", certificates)
    secret = {f"OIDC_PROVIDER_{name.upper()}_SECRET": secrets.token_urlsafe(32) for name in CLIENTS}
    known = {"OIDC_PROVIDER_ISSUER": issuer, **secret, "OIDC_PROVIDER_USERS_PASSWORD": secrets.token_urlsafe(24)}
    key = new_client_key()
    environ = {
        **known,
        "OIDC_PROVIDER_KEY_JWT_JWKS": key.public,
        "OIDC_PROVIDER_PORT": str(port),
        "OIDC_PROVIDER_LOG": str(requests),
        "OIDC_PROVIDER_SECURED_ISSUER": secured.issuer,
        "OIDC_PROVIDER_SECURED_PORT": str(secured_port),
        "OIDC_PROVIDER_MTLS_PORT": str(free_port()),
        "OIDC_PROVIDER_CERTIFICATES": str(certificates),
        "OIDC_PROVIDER_MTLS_SUBJECT": f"CN={SUBJECT}",
        "OIDC_PROVIDER_MTLS_JWKS": registered_key(certificates),
        "NODE_ENV": "production",
    }
    hidden = {"OIDC_PROVIDER_KEY_JWT_KEY": key.private}
    with running_process([require_program("node"), home / "server.mjs"], log, environ) as process:
        await_answer(f"{issuer}/.well-known/openid-configuration", process, log, _READY_WITHIN_S)
        yield Running(issuer, known, lambda: logged_json(requests), admin=hidden, mutual_tls=secured)


def _modules() -> Path:
    """The installed packages: kept under a name that changes with the lock file."""
    digest = hashlib.sha256((_HERE / "package-lock.json").read_bytes()).hexdigest()[:12]
    return made_once(f"oidc-provider-{digest}", _install)


def _install(target: Path) -> None:
    for name in _PACKAGE:
        shutil.copy(_HERE / name, target)
    run([require_program("npm"), "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"], target)
