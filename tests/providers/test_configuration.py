"""What can be said of the providers without starting one: pins, configuration, what is said where one is missing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from providers import keycloak, mariadb, missing, nanoidp, oidc_provider
from providers.cache import made_once
from providers.missing import PACKAGES, missing_programs
from providers.running import LoggedRequest, Running, logged_json
from tests.providers.conftest import REQUIRED, provider_under_test

PROVIDERS = Path(keycloak.__file__).parents[1]


def test_the_lock_file_pins_every_package_by_hash_and_names_no_registry() -> None:
    """So npm takes the same packages from whatever registry it is set up for."""
    directory = PROVIDERS / "oidc_provider"
    lock = json.loads((directory / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not any("resolved" in package for package in packages.values())
    wanted = json.loads((directory / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted


def test_every_requirement_of_nanoidp_is_pinned() -> None:
    lines = (PROVIDERS / "nanoidp" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pins)
    assert any(line.startswith("nanoidp==") for line in pins)


def test_root_of_a_provider_s_database_is_not_reached_through_its_port() -> None:
    """It has no password, and may write files; the port of 127.0.0.1 is every local user's."""
    first, then, *others = mariadb.account_statements("keycloak", "hunter2")
    assert first == "DELETE FROM mysql.global_priv WHERE User = 'root' AND Host <> 'localhost'"
    assert then == "FLUSH PRIVILEGES"
    assert all("root" not in statement for statement in others)


def test_secrets_of_the_realm_are_references() -> None:
    """Keycloak replaces them from its environment; each start has new ones."""
    text = (PROVIDERS / "keycloak" / "realm.json").read_text(encoding="utf-8")
    realm = json.loads(text)
    assert {client["clientId"] for client in realm["clients"]} == set(keycloak.CLIENTS)
    for client in realm["clients"]:
        assert client["secret"] == f"${{KEYCLOAK_{client['clientId'].upper()}_SECRET}}"


def test_the_actor_may_exchange_what_the_subject_is_given() -> None:
    """Standard token exchange: switched on for the actor, which stands in the audience of the subject's tokens."""
    realm = json.loads((PROVIDERS / "keycloak" / "realm.json").read_text(encoding="utf-8"))
    clients = {client["clientId"]: client for client in realm["clients"]}
    assert clients["actor"]["attributes"]["standard.token.exchange.enabled"] == "true"
    audience = {mapper["config"]["included.client.audience"] for mapper in clients["subject"]["protocolMappers"]}
    assert "actor" in audience
    assert "protocolMappers" not in clients["stranger"]


def test_a_missing_program_is_said_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missing, "program", lambda _: None)
    assert keycloak.missing() == [PACKAGES["java"], PACKAGES["mvn"], PACKAGES["mariadbd"], PACKAGES["mariadb"]]
    assert oidc_provider.missing() == [PACKAGES["node"], PACKAGES["npm"]]
    assert nanoidp.missing() == []


def test_a_program_that_is_too_old_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\necho v18.19.0\n")
    node.chmod(0o755)
    monkeypatch.setattr(missing, "program", lambda _: str(node))
    assert missing_programs("node") == [PACKAGES["node"]]
    node.write_text("#!/bin/sh\necho v20.20.2\n")
    assert missing_programs("node") == []


def test_what_a_machine_cannot_have_is_skipped_with_its_reason_or_fails_where_it_is_required(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never a silent pass."""
    monkeypatch.setattr(missing, "program", lambda _: None)
    monkeypatch.delenv(REQUIRED, raising=False)
    with (
        pytest.raises(pytest.skip.Exception, match=r"oidc-provider not here: Node\.js, 20 or newer"),
        provider_under_test("oidc-provider", oidc_provider, tmp_path),
    ):
        pass
    monkeypatch.setenv(REQUIRED, "keycloak oidc-provider")
    with (
        pytest.raises(pytest.fail.Exception, match="oidc-provider is required here"),
        provider_under_test("oidc-provider", oidc_provider, tmp_path),
    ):
        pass


def test_secrets_are_in_no_repr() -> None:
    running = Running("http://127.0.0.1:1", {"A_SECRET": "hidden-1"}, list, admin={"B_SECRET": "hidden-2"})
    assert "hidden" not in repr(running)


def test_an_access_log_is_read_up_to_its_last_whole_line(tmp_path: Path) -> None:
    """The pattern of keycloak.conf; a dash stands for no User-Agent."""
    log = tmp_path / "access.log"
    assert keycloak.logged(log) == []
    log.write_text("POST /realms/a/token 200 -\nGET /realms/a 404 python-requests/2.34.2\nPOST /realms/a/tok")
    assert keycloak.logged(log) == [
        LoggedRequest("POST", "/realms/a/token", 200, ""),
        LoggedRequest("GET", "/realms/a", 404, "python-requests/2.34.2"),
    ]


def test_a_log_of_json_lines_is_read_up_to_its_last_whole_line(tmp_path: Path) -> None:
    log = tmp_path / "requests.log"
    assert logged_json(log) == []
    log.write_text('{"method": "POST", "path": "/token", "status": 200, "agent": ""}\n{"method": "PO')
    assert logged_json(log) == [LoggedRequest("POST", "/token", 200, "")]


def test_what_is_cached_is_made_once_and_never_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IAM_LOADTEST_CACHE", str(tmp_path))

    def fail(target: Path) -> None:
        (target / "half").touch()
        raise NotImplementedError

    with pytest.raises(NotImplementedError):
        made_once("thing", fail)
    made = made_once("thing", lambda target: (target / "whole").touch())
    assert [path.name for path in made.iterdir()] == ["whole"]
    assert made_once("thing", fail) == made
