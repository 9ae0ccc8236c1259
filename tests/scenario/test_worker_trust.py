"""What a worker lets a master do that may not be its own: where it sends secrets, and what it reads."""

from __future__ import annotations

from typing import Any

import pytest

from iam_loadtest.errors import UserError
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.worker_trust import WorkerTrust, parse_origin
from tests.scenario.scenarios import scenario_of

ISSUER = "https://iam.example.org/"
TRUST = WorkerTrust((parse_origin(ISSUER),))
SECRET = {"id": "a", "secret": "${ACCESS_SECRET}"}
PUBLIC = {"id": "client-cred", "secret": "secret"}


def scenario(client: dict[str, Any] = SECRET, **sections: Any) -> Scenario:
    return scenario_of(
        topologies={"one": {"provider": "url", "issuer": ISSUER}},
        clients=dict.fromkeys(("access", "subject", "actor"), client),
        **{"users": {"password": "${PASSWORD}"}, **sections},
    )


def refusal(trust: WorkerTrust, noun: Scenario, issuer: str = ISSUER) -> str:
    with pytest.raises(UserError) as error:
        trust.check(noun, "one", issuer)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("iam.example.org", "https://iam.example.org:443"),
        ("iam.example.org:8443", "https://iam.example.org:8443"),
        ("https://IAM.example.org/realms/test", "https://iam.example.org:443"),
        ("http://10.0.0.7/", "http://10.0.0.7:80"),
        ("http://127.0.0.1:*", "http://127.0.0.1:*"),
        ("https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443"),
    ],
)
def test_an_origin_is_scheme_host_and_port(text: str, origin: str) -> None:
    assert parse_origin(text) == origin


@pytest.mark.parametrize("text", ["", "ftp://iam.example.org", "https://user@iam.example.org", "https://", "a b"])
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is no host and no http or https URL"):
        parse_origin(text)


def test_the_origin_that_was_named_is_served() -> None:
    TRUST.check(scenario(), "one", ISSUER)
    TRUST.check(scenario(), "one", "https://iam.example.org/realms/another")


@pytest.mark.parametrize(
    "issuer",
    [
        "https://evil.example/",
        "http://iam.example.org/",
        "https://iam.example.org:8443/",
        "https://iam.example.org.evil.example/",
    ],
)
def test_load_and_secrets_go_to_no_other_origin(issuer: str) -> None:
    said = refusal(TRUST, scenario(), issuer)
    assert said.startswith(f"the master wants load on {issuer}; this worker serves https://iam.example.org:443 alone")
    assert f"--target {parse_origin(issuer)}" in said


def test_public_secrets_bring_no_load_to_another_origin_either() -> None:
    noun = scenario(PUBLIC, users={"password": "password"})
    assert "wants load on" in refusal(TRUST, noun, "https://evil.example/")


def test_the_token_endpoint_counts_like_the_issuer() -> None:
    noun = scenario(target={"token_endpoint": "https://evil.example/token"})
    assert "wants load on https://evil.example/token" in refusal(TRUST, noun)


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ({"proxy": "http://proxy.example:3128"}, "http://proxy.example:3128"),
        ({"resolve": {"iam.example.org": ["192.0.2.7", "2001:db8::7"]}}, "https://192.0.2.7:443"),
        ({"nodes": {"site-a": "https://a.example.org:8443"}}, "https://a.example.org:8443"),
    ],
)
def test_a_proxy_and_pinned_addresses_count_like_the_issuer(target: dict[str, Any], url: str) -> None:
    """Else load, and over http secrets, would go to whom the master names."""
    assert f"wants load on {url};" in refusal(TRUST, scenario(target=target))
    addresses = (url, "https://[2001:db8::7]:443")
    WorkerTrust((*TRUST.targets, *addresses)).check(scenario(target=target), "one", ISSUER)


def test_a_proxy_that_the_worker_s_own_environment_names_is_its_operator_s_choice() -> None:
    TRUST.check(scenario(target={"proxy": "${PROXY}"}), "one", ISSUER)


def test_any_port_of_a_host_may_be_named() -> None:
    trust = WorkerTrust((parse_origin("http://127.0.0.1:*"),))
    trust.check(scenario(), "one", "http://127.0.0.1:8490/")
    assert "wants load on" in refusal(trust, scenario(), "http://127.0.0.2:8490/")
    assert "wants load on" in refusal(trust, scenario(), "https://127.0.0.1:8490/")


def test_secrets_need_certificate_checks_unless_the_worker_says_otherwise() -> None:
    noun = scenario(target={"verify_tls": False})
    assert "start the worker with --insecure" in refusal(TRUST, noun)
    WorkerTrust(TRUST.targets, insecure=True).check(noun, "one", ISSUER)
    TRUST.check(scenario(PUBLIC, users={"password": "password"}, target={"verify_tls": False}), "one", ISSUER)


@pytest.mark.parametrize("name", ["/etc/passwd", "../../.ssh/id_ed25519", "a/../../b"])
@pytest.mark.parametrize("key", ["a secret", "users.file", "target.ca_bundle", "target.client_key", "target.proxy"])
def test_files_stand_below_the_secrets_directory(name: str, key: str) -> None:
    sections: dict[str, Any] = {
        "users.file": {"users": {"file": name}},
        "target.ca_bundle": {"target": {"ca_bundle": name}},
        "target.client_key": {"target": {"client_key": name, "client_certificate": "mine.pem"}},
        "target.proxy": {"target": {"proxy": {"file": name}}},
    }
    client = {"id": "a", "secret": {"file": name}} if key == "a secret" else SECRET
    noun = scenario(client, **sections.get(key, {}))
    said = refusal(WorkerTrust(TRUST.targets, "/secrets"), noun)
    assert said.startswith(f"{key} is file {name!r}; with workers on other hosts it must be a relative path")


def test_no_file_is_read_where_no_directory_was_named() -> None:
    noun = scenario(users={"file": "users.csv"})
    assert (
        refusal(TRUST, noun)
        == "users.file is file 'users.csv'; start the worker with --secrets-directory, where it stands."
    )
    WorkerTrust(TRUST.targets, "/secrets").check(noun, "one", ISSUER)


def test_trust_survives_the_environment() -> None:
    trust = WorkerTrust((parse_origin(ISSUER), "http://127.0.0.1:*"), "/secrets", True)
    assert WorkerTrust.from_json(trust.to_json()) == trust
