"""Every way to prove a client, against servers that check it."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from iam_loadtest.embedded.seed import HMAC_SECRET, demo_client_key
from iam_loadtest.embedded.self_signed import self_signed
from iam_loadtest.flow.prepare import prepare_workload
from iam_loadtest.oidc.throwaway_key import throwaway_key
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.runner.embedded_iam import EmbeddedIam, embedded_iam
from iam_loadtest.runner.preflight import CheckedStep, Preflight
from iam_loadtest.scenario.load_file import parse_scenario
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.topology import EmbeddedTopology
from tests.runner.servers import DISCOVERY, document, serving
from tests.runner.servers import self_signed as self_signed_server

pytestmark = pytest.mark.usefixtures("unmeasured")

PRIVATE = {"id": "jwt-auth-private_key_jwt", "auth": "private_key_jwt", "key": {"file": "demo.json"}}
SHARED = {"id": "jwt-auth-client_secret_jwt", "auth": "client_secret_jwt", "secret": HMAC_SECRET}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedIam]:
    with embedded_iam(EmbeddedTopology(provider="embedded"), tmp_path_factory.mktemp("iam")) as running:
        yield running


def scenario_with(client: dict[str, Any], issuer: str, **target: object) -> Scenario:
    """One step, asked for by this client."""
    return parse_scenario(
        {
            "name": "methods",
            "topologies": {"one": {"provider": "url", "issuer": issuer}},
            "target": target,
            "clients": {"mine": client},
            "users": {"password": "password"},
            "steps": {"issue": {"grant": "client_credentials", "client": "mine"}},
            "workloads": {"access": ["issue"]},
        },
        "methods.yaml",
    )


def walked(scenario: Scenario, issuer: str, directory: Path) -> CheckedStep:
    """What the step came to."""
    with Preflight(issuer, scenario.target, directory) as preflight:
        workload = prepare_workload(scenario, "access", preflight.discover(), directory, {})
        (checked,), _ = preflight.walk(workload)
    return checked


@pytest.mark.parametrize(
    "client",
    [
        {"id": "client-cred", "auth": "client_secret_basic", "secret": "secret"},
        {"id": "token-exchange-subject", "auth": "client_secret_post", "secret": "secret"},
        SHARED,
        {**SHARED, "assertion_audience": "issuer"},
        PRIVATE,
        {**PRIVATE, "assertion_audience": "issuer", "algorithm": "RS256", "key_id": "any"},
    ],
    ids=["basic", "post", "client_secret_jwt", "its-issuer", "private_key_jwt", "its-issuer-and-key-id"],
)
def test_the_built_in_iam_knows_the_client(server: EmbeddedIam, client: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text(json.dumps(demo_client_key()))
    checked = walked(scenario_with(client, server.issuer), server.issuer, tmp_path)
    assert (checked.status, checked.outcome) == (200, Outcome.OK), checked.detail


def test_a_key_that_is_not_the_clients_is_refused(server: EmbeddedIam, tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text(throwaway_key("RS256"))
    checked = walked(scenario_with(PRIVATE, server.issuer), server.issuer, tmp_path)
    assert (checked.status, checked.outcome) == (401, Outcome.REFUSED)


def test_mutual_tls_shows_the_certificate_and_names_the_client(tmp_path: Path) -> None:
    """RFC 8705 section 2, with the alias of section 5: the server asks for the certificate there."""
    context, _ = self_signed_server(tmp_path)
    certificate, key = self_signed("loadtest-mtls")
    (tmp_path / "client.pem").write_bytes(certificate)
    (tmp_path / "client.key").write_bytes(key)
    context.load_verify_locations(tmp_path / "client.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    seen: list[tuple[object, dict[str, list[str]]]] = []

    def token(request: BaseHTTPRequestHandler) -> None:
        subject = request.connection.getpeercert()["subject"]  # type: ignore[attr-defined]
        seen.append((subject, parse_qs(vars(request)["content"].decode())))
        document({"access_token": "a", "token_type": "Bearer"})(request)

    with serving({"/mtls/token": token}, context) as iam:
        aliases = {"token_endpoint": f"{iam.url}mtls/token"}
        iam.answers[DISCOVERY] = document(iam.discovery(mtls_endpoint_aliases=aliases))
        target = {"ca_bundle": "ca.pem", "client_certificate": "client.pem", "client_key": "client.key"}
        scenario = scenario_with({"id": "me", "auth": "tls_client_auth"}, iam.url, **target)
        assert walked(scenario, iam.url, tmp_path).outcome is Outcome.OK
    ((subject, form),) = seen
    assert subject == ((("commonName", "loadtest-mtls"),),)
    assert form == {"grant_type": ["client_credentials"], "client_id": ["me"]}
