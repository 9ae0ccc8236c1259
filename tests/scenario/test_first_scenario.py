"""A first scenario is right whatever was answered, and has no secret in it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import yaml

from iam_loadtest.oidc.client_auth import AuthMethod
from iam_loadtest.oidc.discovery import Endpoints
from iam_loadtest.oidc.recognise import recognise
from iam_loadtest.scenario.first_scenario import REFRESH_BY, Answers, ClientAnswer, RefreshBy, first_scenario
from iam_loadtest.scenario.load_file import parse_scenario
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.secret import SecretRef

SUBJECT = ClientAnswer("subj: #1", AuthMethod.POST, "SUBJECT_SECRET")
FULL = Answers(
    name="iam-example-org",
    issuer="https://iam.example.org/",
    profile="indigo-iam",
    access=ClientAnswer("a", AuthMethod.PRIVATE_KEY_JWT, "file:a.pem"),
    subject=SUBJECT,
    actor=ClientAnswer("c", AuthMethod.TLS_CLIENT_AUTH),
    redirect_uri="http://localhost/cb",
    users_password="USERS_PASSWORD",
    tokens_file="tokens.csv",
    client_certificate="client.pem",
)


def read(answers: Answers) -> Scenario:
    document = yaml.safe_load(first_scenario(answers))
    return parse_scenario(document, "first.yaml", environ={})


@pytest.mark.parametrize(
    ("refresh_by", "has_access", "has_actor"),
    [
        one
        for one in product(REFRESH_BY, [True, False], [True, False])
        if one[0] != "exchange" or one[1:] == (True, True)
    ],
)
def test_every_way_gives_a_scenario_that_loads(refresh_by: RefreshBy, has_access: bool, has_actor: bool) -> None:
    answers = replace(FULL, refresh_by=refresh_by)
    answers = answers if has_access else replace(answers, access=None)
    answers = answers if has_actor else replace(answers, actor=None)
    scenario = read(replace(answers, subject=SUBJECT if refresh_by in {"password", "code", "device", "file"} else None))
    assert ("access" in scenario.workloads) is has_access
    assert ("refresh" in scenario.workloads) is (refresh_by != "none")
    assert ("workflow" in scenario.workloads) is (has_actor and refresh_by not in {"none", "exchange"})
    assert {"discovery", "jwks"} <= set(scenario.workloads)


@pytest.mark.parametrize(
    ("profile", "scope", "extra"),
    [
        ("generic", "openid offline_access", {"prompt": "consent"}),
        ("generic", "openid profile", {}),
        ("keycloak", "openid offline_access", {}),
    ],
)
def test_a_strict_provider_is_asked_for_consent_to_offline_access(
    profile: str, scope: str, extra: dict[str, str]
) -> None:
    """OpenID Connect Core section 11: without it oidc-provider leaves offline_access, and the refresh token, out."""
    scenario = read(replace(FULL, refresh_by="code", profile=profile, scope=scope))
    assert scenario.steps["login_page"].extra == extra


def test_secrets_are_references_and_names_are_quoted() -> None:
    scenario = read(replace(FULL, refresh_by="password"))
    assert scenario.clients["access"].key == SecretRef(file="a.pem")
    assert (scenario.clients["subject"].id, scenario.clients["subject"].secret) == (
        "subj: #1",
        SecretRef(env="SUBJECT_SECRET"),
    )
    assert scenario.clients["actor"].auth is AuthMethod.TLS_CLIENT_AUTH
    assert scenario.users.password == SecretRef(env="USERS_PASSWORD")
    assert scenario.target.client_certificate == "client.pem"


def test_users_may_stand_in_a_file() -> None:
    assert read(replace(FULL, refresh_by="password", users_file="my users.csv")).users.file == "my users.csv"


def test_each_section_has_a_comment_that_says_what_to_do() -> None:
    text = first_scenario(replace(FULL, refresh_by="password"))
    assert text.count("# ") >= 7
    assert max(map(len, text.splitlines())) < 140


def endpoints(token: str, **more: str) -> Endpoints:
    return Endpoints("https://iam.example/", f"https://iam.example{token}", **more)


def test_indigo_iam_and_keycloak_are_known_by_their_endpoints() -> None:
    keycloak = endpoints("/auth/realms/one/protocol/openid-connect/token")
    indigo = endpoints("/token", jwks="https://iam.example/jwk", device_authorization="https://iam.example/devicecode")
    assert [recognise(one) for one in (keycloak, indigo, endpoints("/token"))] == ["keycloak", "indigo-iam", "generic"]


def test_no_scenario_that_ships_is_named_like_the_default_output() -> None:
    """`init` writes scenario.yaml where it is called."""
    assert not (Path(__file__).parents[2] / "scenario.yaml").exists()
