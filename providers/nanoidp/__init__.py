"""nanoidp, a test identity provider from PyPI, in a virtual environment of its own."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from providers.cache import made_once
from providers.process import await_answer, free_port, run, running_process
from providers.running import Running, logged_json

USERS = range(100, 150)
SECRETS = ("access", "subject", "stranger", "session", "management")

_HERE = Path(__file__).parent
_READY_WITHIN_S = 60.0


def missing() -> list[str]:
    """What this machine lacks: nothing beyond the Python that runs this."""
    return []


def install() -> None:
    """Install what ``requirements.txt`` pins; nothing is done where that was done before."""
    _environment()


@contextmanager
def running(directory: Path) -> Iterator[Running]:
    """A fresh nanoidp below ``directory``; its keys and what it remembers are gone when the block ends."""
    config, log, requests = directory / "nanoidp", directory / "nanoidp.log", directory / "requests.log"
    config.mkdir()
    shutil.copy(_HERE / "settings.yaml", config)
    (config / "users.yaml").write_text(yaml.safe_dump(_users()), encoding="utf-8")
    issuer = f"http://127.0.0.1:{(port := free_port())}"
    secret = {f"NANOIDP_{name.upper()}_SECRET": secrets.token_urlsafe(32) for name in SECRETS}
    known = {"NANOIDP_ISSUER": issuer, **secret, "NANOIDP_USERS_PASSWORD": secrets.token_urlsafe(24)}
    environ = {**known, "NANOIDP_PORT": str(port), "NANOIDP_LOG": str(requests), "NANOIDP_CONFIG_DIR": str(config)}
    with running_process([_environment() / "bin" / "python", _HERE / "serve.py"], log, environ, config) as process:
        await_answer(f"{issuer}/.well-known/openid-configuration", process, log, _READY_WITHIN_S)
        yield Running(issuer, known, lambda: logged_json(requests))


def _users() -> dict[str, object]:
    user = {"password": "${NANOIDP_USERS_PASSWORD}", "roles": ["USER"]}
    return {"config_version": 1, "users": {f"test_{number}": dict(user) for number in USERS}}


def _environment() -> Path:
    """The virtual environment: kept under a name that changes with the pins and with Python's version."""
    pins = (_HERE / "requirements.txt").read_bytes()
    digest = hashlib.sha256(pins + sys.version.encode()).hexdigest()[:12]
    return made_once(f"nanoidp-{digest}", _install) / "venv"


def _install(target: Path) -> None:
    """The environment is moved afterwards, so what is run in it is its Python, never a script with a path inside."""
    run([sys.executable, "-m", "venv", target / "venv"], target)
    pip: list[str | Path] = [target / "venv" / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-deps"]
    run([*pip, "--requirement", _HERE / "requirements.txt"], target)
