"""Keycloak as its makers distribute it, from Maven Central, on a MariaDB of its own.

What is configured stands in ``keycloak.conf`` and ``realm.json``; ports and secrets are new at each start and go in
by the environment.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from providers import mariadb
from providers.cache import cache_directory, made_once
from providers.certificates import MutualTls, write_certificates
from providers.client_key import new_client_key
from providers.mariadb import Maria, running_mariadb
from providers.missing import ProviderError, missing_programs, require_program
from providers.process import await_answer, free_port, run, running_process
from providers.running import LoggedRequest, Running

VERSION = "26.7.3"
REALM = "loadtest"
USERS = range(100, 124)
"""Users test_100 to test_123; each is hashed at the start, which takes some hundredths of a second."""
_OF_SCENARIOS = ("access", "subject", "actor", "web", "device")
_OF_TESTS = ("secret_jwt", "key_jwt", "mtls", "stranger", "manager")
CLIENTS = (*_OF_SCENARIOS, *_OF_TESTS)
_FOR_TESTS = tuple(f"KEYCLOAK_{name.upper()}_SECRET" for name in _OF_TESTS)
"""Secrets that no scenario needs."""

_HERE = Path(__file__).parent
_SHA256 = "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f"
_MAVEN_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
_HEAP = "-Xms256m -Xmx768m"
_READY_WITHIN_S = 420.0
_LOG_LINE = re.compile(r"^(\S+) (\S+) (\d{3}) (.*)$")
_NOTHING = "-"
_QUICK = {"JAVA_OPTS_APPEND": "-XX:TieredStopAtLevel=1"}
"""For what a server does once: compile less, which takes half the CPU."""


def missing() -> list[str]:
    """What this machine lacks; empty where Keycloak can be installed and started."""
    return missing_programs("java", "mvn", "mariadbd", "mariadb-install-db", "mariadb")


def install() -> None:
    """Download the distribution, build it, fill a database to copy; nothing is done where that was done before."""
    distribution()
    _seed()


@contextmanager
def running(directory: Path) -> Iterator[Running]:
    """A fresh Keycloak below ``directory``, with a fresh database; both end with the block.

    ``JAVA_OPTS_APPEND`` of the caller's environment is kept: -XX:TieredStopAtLevel=1 starts in half the CPU, and is
    slower under load.
    """
    home, key = _home(directory), new_client_key()
    (home / "data" / "import").mkdir(parents=True)
    (home / "data" / "import" / "realm.json").write_text(json.dumps(_realm(key.public)), encoding="utf-8")
    known = new_secrets(CLIENTS)
    for_tests = {name: known.pop(name) for name in _FOR_TESTS}
    tls, tls_port = directory / "certificates", free_port()
    write_certificates(tls)
    with (
        running_mariadb("keycloak", directory / "mariadb", _seed() / "mariadb" / "data") as maria,
        _started(home, maria, ["--import-realm"], {**known, **for_tests, **_tls_environ(tls, tls_port)}) as port,
    ):
        issuer = f"http://127.0.0.1:{port}/realms/{REALM}"
        access_log = home / "data" / "log" / "keycloak-http-access.log"
        hidden = {**for_tests, "KEYCLOAK_KEY_JWT_KEY": key.private}
        # Its documents name the issuer above however it is reached, so the endpoint is named here.
        secured = f"https://127.0.0.1:{tls_port}/realms/{REALM}"
        mutual_tls = MutualTls(secured, tls, f"{secured}/protocol/openid-connect/token")
        environ = {"KEYCLOAK_ISSUER": issuer, **known}
        yield Running(issuer, environ, lambda: logged(access_log), maria.kill, hidden, mutual_tls)


@contextmanager
def _started(home: Path, maria: Maria, options: Sequence[str], environ: Mapping[str, str]) -> Iterator[int]:
    """The port of a server that is ready."""
    port, management = free_port(), free_port()
    log = home.parent / "keycloak.log"
    command: list[str | Path] = ["sh", home / "bin" / "kc.sh", *_config(home), "start", "--optimized", *options]
    settings = {**_environ(maria, port, management), **environ}
    with running_process(command, log, settings, home, is_script=True) as process:
        await_answer(f"http://127.0.0.1:{management}/health/ready", process, log, _READY_WITHIN_S)
        yield port


def _home(directory: Path) -> Path:
    """A copy of the distribution: a server writes below its home."""
    run(["cp", "-a", "--reflink=auto", distribution(), directory / "keycloak"], directory)
    return directory / "keycloak"


def _seed() -> Path:
    """A database with Keycloak's tables and its master realm, which take most of a first start; there is no admin."""
    digest = hashlib.sha256((VERSION + mariadb.version()).encode()).hexdigest()[:12]
    return made_once(f"keycloak-database-{digest}", _make_seed)


def _make_seed(target: Path) -> None:
    home = _home(target)
    with running_mariadb("keycloak", target / "mariadb") as maria, _started(home, maria, [], _QUICK):
        pass
    shutil.rmtree(home)


def logged(access_log: Path) -> list[LoggedRequest]:
    """The requests of an access log with the pattern of ``keycloak.conf``; a line half written is left out."""
    if not access_log.exists():
        return []
    whole = access_log.read_text(encoding="utf-8", errors="replace").rpartition("\n")[0]
    found = (_LOG_LINE.match(line) for line in whole.splitlines())
    return [LoggedRequest(one[1], one[2], int(one[3]), "" if one[4] == _NOTHING else one[4]) for one in found if one]


def new_secrets(clients: Sequence[str] = _OF_SCENARIOS) -> dict[str, str]:
    """What a realm with these clients refers to: a secret for each, a password for all users."""
    secret = {f"KEYCLOAK_{name.upper()}_SECRET": secrets.token_urlsafe(24) for name in clients}
    return {**secret, "KEYCLOAK_USERS_PASSWORD": secrets.token_urlsafe(24)}


def _realm(public_key: str) -> dict[str, Any]:
    """The realm with its users and a client's key. Secrets stay references, which Keycloak itself replaces."""
    realm: dict[str, Any] = json.loads((_HERE / "realm.json").read_text(encoding="utf-8"))
    (client,) = (client for client in realm["clients"] if client["clientId"] == "key_jwt")
    client["attributes"]["jwks.string"] = public_key
    realm["users"] += [_user(f"test_{number}") for number in USERS]
    return realm


def realm_of_scenarios() -> dict[str, Any]:
    """The realm with no more than what scenarios need: nobody in it can administer it."""
    realm = _realm("")
    realm["clients"] = [client for client in realm["clients"] if client["clientId"] in _OF_SCENARIOS]
    realm["users"] = [user for user in realm["users"] if "serviceAccountClientId" not in user]
    return realm


def _user(name: str) -> dict[str, Any]:
    return {
        "username": name,
        "enabled": True,
        "emailVerified": True,
        "email": f"{name}@example.org",
        "firstName": "Test",
        "lastName": name,
        "credentials": [{"type": "password", "value": "${KEYCLOAK_USERS_PASSWORD}"}],
        "realmRoles": [f"default-roles-{REALM}"],
    }


def _environ(maria: Maria, port: int, management: int) -> Mapping[str, str]:
    return {
        "JAVA_OPTS_KC_HEAP": _HEAP,
        "KC_DB_URL": f"jdbc:mariadb://127.0.0.1:{maria.port}/{maria.name}",
        "KC_DB_USERNAME": maria.name,
        "KC_DB_PASSWORD": maria.password,
        "KC_HOSTNAME": f"http://127.0.0.1:{port}",
        "KC_HTTP_PORT": str(port),
        "KC_HTTP_MANAGEMENT_PORT": str(management),
    }


def _tls_environ(certificates: Path, port: int) -> Mapping[str, str]:
    """HTTPS beside HTTP, which trusts the certificate of the client that is registered."""
    return {
        "KC_HTTPS_PORT": str(port),
        "KC_HTTPS_CERTIFICATE_FILE": f"{certificates}/server.pem",
        "KC_HTTPS_CERTIFICATE_KEY_FILE": f"{certificates}/server.key",
        "KC_TRUSTSTORE_PATHS": f"{certificates}/client.pem",
    }


def _config(home: Path) -> list[str]:
    return [f"--config-file={home / 'conf' / 'keycloak.conf'}"]


def distribution(settings: Path = _HERE / "keycloak.conf") -> Path:
    """The unpacked distribution, built for MariaDB: kept under a name that changes with version and settings."""
    digest = hashlib.sha256(settings.read_bytes() + _SHA256.encode()).hexdigest()[:12]
    return made_once(f"keycloak-{VERSION}-{digest}", partial(_build, settings)) / f"keycloak-{VERSION}"


def _build(settings: Path, target: Path) -> None:
    archive = _downloaded()
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(target)
    home = target / f"keycloak-{VERSION}"
    shutil.copyfile(settings, home / "conf" / "keycloak.conf")
    run(["sh", home / "bin" / "kc.sh", *_config(home), "build"], target, _QUICK)


def _downloaded() -> Path:
    """The archive in Maven's own repository or, where it is not there yet, from Maven Central; its hash is checked."""
    downloads = cache_directory() / "downloads"
    downloads.mkdir(exist_ok=True)
    archive = downloads / f"keycloak-quarkus-dist-{VERSION}.zip"
    if not archive.exists():
        artifact = f"-Dartifact=org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
        goal = f"{_MAVEN_PLUGIN}:copy"
        run([require_program("mvn"), "--batch-mode", "-q", goal, artifact, f"-DoutputDirectory={downloads}"], downloads)
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != _SHA256:
        archive.unlink()
        raise ProviderError(f"{archive.name} has the SHA-256 {found}, not {_SHA256}; it was removed.")
    return archive
