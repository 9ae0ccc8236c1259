"""Servers and observers are given no secret of the scenario."""

from __future__ import annotations

import pytest

from iam_loadtest.runner.embedded_iam import EmbeddedIam
from iam_loadtest.runner.environment import without_secrets
from tests.runner.servers import serving, text
from tests.scenario.scenarios import scenario_of


def test_what_a_scenario_refers_to_as_secrets_is_left_out() -> None:
    """Those of clients, users, the proxy, and the databases of other topologies."""
    scenario = scenario_of(
        topologies={
            "there": {"provider": "url", "issuer": "https://iam.example.org/", "target": {"proxy": "${PROXY_URL}"}},
            "here": {"provider": "embedded", "database": "${DATABASE}"},
        },
        clients={
            "access": {"id": "a", "secret": "${ACCESS}"},
            "key": {"id": "k", "auth": "private_key_jwt", "key": "${KEY}"},
        },
        users={"password": "${PASSWORD}"},
        steps={"issue": {"grant": "client_credentials", "client": "access"}},
        workloads={"access": ["issue"]},
    )
    secret = dict.fromkeys(("ACCESS", "KEY", "PASSWORD", "PROXY_URL", "DATABASE"), "hunter2")
    assert without_secrets(scenario, {**secret, "PATH": "/bin", "OTHER": "x"}) == {"PATH": "/bin", "OTHER": "x"}


def test_a_proxy_of_the_environment_is_not_asked_for_a_server_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a .netrc say who asks."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    counted = 'iam_requests_total{endpoint="token",grant="password",status="200",backend="frontend-1"} 3\n'
    with serving({"/metrics": text(200, counted)}) as server:
        assert EmbeddedIam(server.url).requests_by_kind() == {"password": 3}
