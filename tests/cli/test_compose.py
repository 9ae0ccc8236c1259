"""deploy/indigo-iam: what `docker compose config` would check, and that the scenario for it fits."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import jwt
import pytest
import yaml

from iam_loadtest.scenario.builtin import PUBLIC_CLIENT_SECRETS
from iam_loadtest.scenario.load_file import load_scenario
from tests.runner.servers import document, serving

ROOT = Path(__file__).parents[2]
DIRECTORY = ROOT / "deploy" / "indigo-iam"
TEXT = (DIRECTORY / "compose.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SERVICE_KEYS = {"image", "environment", "command", "volumes", "healthcheck", "depends_on", "ports"}
MADE_BY_A_SCRIPT = {"./private/keystore.jwks"}
IMAGE = re.compile(r"[a-z0-9]+([._/-][a-z0-9]+)*:\S+")


def interpolated(text: str) -> str:
    """A value as Compose reads it with no variable set but those that it asks for."""
    return re.sub(r"\$\{(\w+)(?::-([^}]*)|:\?[^}]*)\}", lambda found: found[2] or "given", text)


@pytest.fixture(scope="module")
def make_keystore() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_keystore", DIRECTORY / "make_keystore.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_key_is_one_of_the_compose_specification() -> None:
    assert set(COMPOSE) == {"name", "services", "volumes"}
    for service in SERVICES.values():
        assert set(service) <= SERVICE_KEYS
        assert {"image", "healthcheck"} <= set(service)


def test_images_are_the_official_ones_with_a_tag() -> None:
    """A tag that a variable may change, and never latest by accident."""
    images = {name: interpolated(service["image"]) for name, service in SERVICES.items()}
    assert all(IMAGE.fullmatch(image) for image in images.values())
    assert images["iam"].startswith("indigoiam/iam-login-service:v1.")
    assert not any(image.endswith(":latest") for image in images.values())


def test_every_variable_has_a_default_or_is_asked_for() -> None:
    """Secrets are asked for; a variable of neither kind would be empty without a word."""
    used = re.findall(r"\$\{(\w+)(:[-?])?", TEXT)
    assert all(kind for _, kind in used), used
    assert {name for name, kind in used if kind == ":?"} == {"IAM_DB_PASSWORD", "IAM_DB_ROOT_PASSWORD"}
    assert all(f"{name}=" in TEXT.partition("services:")[0] for name, kind in used if kind == ":?")


def test_every_volume_is_declared_or_a_file_that_is_there_or_made() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            if source.startswith("."):
                assert source in MADE_BY_A_SCRIPT or (DIRECTORY / source).exists()
            else:
                assert source in COMPOSE["volumes"]


def test_services_wait_for_services_that_are_there_and_can_say_that_they_are_healthy() -> None:
    for service in SERVICES.values():
        for name, wanted in service.get("depends_on", {}).items():
            assert wanted == {"condition": "service_healthy"}
            assert SERVICES[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


@pytest.mark.parametrize(("status", "is_healthy"), [(200, True), (503, False)])
def test_the_iam_is_healthy_where_its_health_page_says_so_by_its_status(status: int, is_healthy: bool) -> None:
    """The very command, at a server of the test's own. A page of an IAM that is down names what is up, too."""
    command = SERVICES["iam"]["healthcheck"]["test"]
    assert command[:2] == ["CMD", "bash"], "dash, which is sh in the image, has no /dev/tcp"
    with serving() as server:
        server.answers["/actuator/health"] = document({"status": "?", "components": {"ping": {"status": "UP"}}}, status)
        port = server.url.rpartition(":")[2].strip("/")
        here = [part.replace("/8080", f"/{port}") for part in command[1:]]
        assert (subprocess.run(here, check=False, timeout=60).returncode == 0) is is_healthy


def test_the_ports_are_this_machine_s_only() -> None:
    """The test data hold users and clients that everybody knows."""
    ports = [interpolated(port) for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:8080:8080"]


def test_every_value_of_an_environment_is_text() -> None:
    """Compose refuses a bare true."""
    for service in SERVICES.values():
        assert all(isinstance(value, str) for value in service["environment"].values())


def test_the_scenario_asks_what_compose_starts() -> None:
    """The issuer, the health URL, and clients with upstream's public secrets."""
    scenario = load_scenario(ROOT / "scenarios" / "indigo-iam.yaml", environ={})
    environment = {name: interpolated(value) for name, value in SERVICES["iam"]["environment"].items()}
    (topology,) = scenario.topologies.values()
    assert topology.issuer == environment["IAM_ISSUER"]
    assert scenario.target.health == environment["IAM_BASE_URL"] + "/actuator/health"
    assert environment["IAM_DB_PASSWORD"] == interpolated(SERVICES["db"]["environment"]["MARIADB_PASSWORD"])
    for client in scenario.clients.values():
        assert client.secret is not None
        assert client.secret.literal == PUBLIC_CLIENT_SECRETS[client.id]


def test_the_key_set_signs_what_its_public_half_verifies(
    make_keystore: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One RS256 key called rsa1, the image's default; a second run keeps it."""
    keystore = tmp_path / "private" / "keystore.jwks"
    monkeypatch.setattr(make_keystore, "KEYSTORE", keystore)
    make_keystore.main()
    assert keystore.parent.stat().st_mode & 0o777 == 0o700, "no other user of the machine gets to the key"
    (key,) = json.loads(keystore.read_text())["keys"]
    assert (key["kid"], key["alg"]) == ("rsa1", "RS256")
    private = jwt.PyJWK(key)
    token = jwt.encode({"sub": "test_100"}, private.key, algorithm="RS256")
    public = jwt.PyJWK({name: key[name] for name in ("kty", "n", "e", "kid", "alg")})
    assert jwt.decode(token, public.key, algorithms=["RS256"]) == {"sub": "test_100"}
    with pytest.raises(SystemExit, match="is there already"):
        make_keystore.main()
