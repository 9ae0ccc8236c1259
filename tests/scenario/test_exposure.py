"""Where secrets would go in a way that others can read or take."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from iam_loadtest.scenario.exposure import exposures, goes_in_clear
from tests.scenario.scenarios import scenario_of

CLIENTS = {"access": {"id": "mine", "secret": "${SECRET}"}}
STEPS = {"issue": {"grant": "client_credentials", "client": "access"}}


def problems(
    issuer: str, clients: dict[str, Any] = CLIENTS, directory: Path = Path("nowhere"), **target: Any
) -> list[str]:
    scenario = scenario_of(
        topologies={"there": {"provider": "url", "issuer": issuer}},
        clients=clients,
        users={},
        steps=STEPS,
        workloads={"access": ["issue"]},
        target=target,
    )
    return [one.problem for one in exposures(scenario, "there", issuer, directory)]


@pytest.mark.parametrize(
    ("url", "is_clear"),
    [
        ("http://iam.example.org/", True),
        ("http://10.0.0.5:8080/", True),
        ("https://iam.example.org/", False),
        ("http://localhost:8080/", False),
        ("http://lab.localhost/", False),
        ("http://127.0.0.2/", False),
        ("http://[::1]:80/", False),
        ("http://localhost.evil.example/", True),
    ],
)
def test_only_this_machine_needs_no_tls(url: str, is_clear: bool) -> None:
    assert goes_in_clear(url) is is_clear


def test_secrets_over_http_are_worth_a_word() -> None:
    (said,) = problems("http://iam.example.org/")
    assert said == "http://iam.example.org/ is http: secrets and tokens cross the network in clear"
    assert problems("https://iam.example.org/") == []
    (node,) = problems("https://iam.example.org/", nodes={"far": "http://10.0.0.5"})
    assert node.startswith("http://10.0.0.5 is http")


def test_certificates_that_are_not_checked_are_worth_a_word() -> None:
    (said,) = problems("https://iam.example.org/", verify_tls=False)
    assert said == "target.verify_tls is false: secrets and tokens go to whoever answers"


def test_who_sends_no_secret_exposes_none() -> None:
    """Nor one that everybody knows."""
    public = {"access": {"id": "client-cred", "secret": "secret"}}
    assert problems("http://iam.example.org/", public) == []
    assert problems("http://iam.example.org/", {"access": {"id": "mine", "auth": "none"}}) == []


def test_a_file_of_secrets_that_others_may_read_is_worth_a_word(tmp_path: Path) -> None:
    """One that is not there is named elsewhere."""
    issuer = "https://iam.example.org/"
    clients = {"access": {"id": "mine", "secret": {"file": "mine.secret"}}}
    assert problems(issuer, clients, tmp_path) == []
    (tmp_path / "mine.secret").write_text("hunter2")
    (tmp_path / "mine.secret").chmod(0o600)
    assert problems(issuer, clients, tmp_path) == []
    (tmp_path / "mine.secret").chmod(0o644)
    (said,) = problems(issuer, clients, tmp_path)
    assert said == f"{tmp_path / 'mine.secret'} holds secrets, and other users may read it"


def test_the_key_of_a_certificate_is_a_secret_too(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("hunter2")
    (tmp_path / "key.pem").chmod(0o640)
    clients = {"access": {"id": "mine", "auth": "tls_client_auth"}}
    (said,) = problems("https://iam.example.org/", clients, tmp_path, client_certificate="c.pem", client_key="key.pem")
    assert said.startswith(f"{tmp_path / 'key.pem'} holds secrets")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_file_of_another_user_is_that_one_s_to_close(tmp_path: Path) -> None:
    """A container is given its secrets so: root's, and readable."""
    (tmp_path / "mine.secret").write_text("hunter2")
    (tmp_path / "mine.secret").chmod(0o644)
    os.chown(tmp_path / "mine.secret", 65534, 65534)
    clients = {"access": {"id": "mine", "secret": {"file": "mine.secret"}}}
    assert problems("https://iam.example.org/", clients, tmp_path) == []
