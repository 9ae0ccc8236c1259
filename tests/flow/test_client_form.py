"""How a step proves its client: the assertion is new in each request, and what it took is not the server's time."""

from __future__ import annotations

from urllib.parse import parse_qs

import jwt
import pytest

from iam_loadtest.errors import UserError
from iam_loadtest.flow.chain import ChainStep, Held, UserLogin
from iam_loadtest.flow.message import Request
from iam_loadtest.flow.ready_step import ready_step
from iam_loadtest.oidc.client_assertion import AssertionSigner, shared_key
from iam_loadtest.oidc.client_auth import AuthMethod, ClientCredentials
from iam_loadtest.oidc.discovery import Endpoints
from iam_loadtest.scenario.step import Step

ISSUER, URL = "https://iam.example/", "https://iam.example/token"
ENDPOINTS = Endpoints(ISSUER, URL, introspection="https://iam.example/introspect")
SECRET = "s" * 40
BY_JWT = ClientCredentials(
    "me", method=AuthMethod.CLIENT_SECRET_JWT, signer=AssertionSigner("me", URL, shared_key(SECRET))
)
BY_TLS = ClientCredentials("me", method=AuthMethod.TLS_CLIENT_AUTH)


def made(client: ClientCredentials, endpoints: Endpoints = ENDPOINTS, **keys: object) -> Request:
    """The request of a step that this client makes."""
    step: ChainStep = ready_step("mine", Step.model_validate({"client": "c", **keys}), client, endpoints)
    return step.request(Held(), UserLogin("ada", "p"))


def claims(request: Request) -> dict[str, object]:
    form = parse_qs(request.body.decode(), strict_parsing=True)
    assert form["client_id"] == ["me"]
    assert form["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
    return jwt.decode(form["client_assertion"][0], SECRET, ["HS256"], audience=URL)


@pytest.mark.parametrize("keys", [{"grant": "client_credentials", "scope": "a b"}, {"request": "introspect"}], ids=str)
def test_each_request_carries_an_assertion_of_its_own_and_says_what_it_took(keys: dict[str, object]) -> None:
    first, second = made(BY_JWT, **keys), made(BY_JWT, **keys)
    assert claims(first)["jti"] != claims(second)["jti"]
    assert first.signing_us > 0
    assert "Authorization" not in first.headers


def test_a_request_that_is_sent_again_is_proven_anew_and_is_otherwise_the_same() -> None:
    """A follow-up of a stale read would else be refused, for an assertion that was used before."""
    first = made(BY_JWT, grant="client_credentials")
    assert first.renew is not None
    again = first.renew()
    assert claims(again)["jti"] != claims(first)["jti"]
    assert again._replace(body=b"", signing_us=0, renew=None) == first._replace(body=b"", signing_us=0, renew=None)


def test_other_methods_cost_nothing_and_can_be_sent_again_as_they_are() -> None:
    request = made(ClientCredentials("me", "s"), grant="client_credentials")
    assert (request.signing_us, request.renew) == (0, None)


def test_a_client_that_shows_a_certificate_goes_where_the_provider_asks_for_it() -> None:
    """RFC 8705 section 5: the aliases are for such clients alone."""
    aliases = Endpoints(ISSUER, URL, mutual_tls=(("token_endpoint", "https://iam.example:8443/token"),))
    assert made(BY_TLS, aliases, grant="client_credentials").url == "https://iam.example:8443/token"
    assert made(BY_JWT, aliases, grant="client_credentials").url == URL
    assert made(BY_TLS, grant="client_credentials").url == URL


def test_a_device_of_such_a_client_asks_there_too() -> None:
    there = "https://iam.example:8443/device"
    aliases = Endpoints(
        ISSUER, URL, device_authorization=f"{URL}/device", mutual_tls=(("device_authorization_endpoint", there),)
    )
    assert made(BY_TLS, aliases, request="device").url == there
    assert made(BY_JWT, aliases, request="device").url == f"{URL}/device"


def test_an_alias_on_another_host_is_refused_to_those_who_would_go_there_alone() -> None:
    aliases = Endpoints(ISSUER, URL, mutual_tls=(("token_endpoint", "https://mtls.iam.example/token"),))
    assert made(BY_JWT, aliases, grant="client_credentials").url == URL
    said = (
        "mtls_endpoint_aliases.token_endpoint is on host 'mtls.iam.example', the issuer on 'iam.example'; "
        "where that is meant, name target.token_endpoint, which needs no discovery."
    )
    with pytest.raises(UserError) as caught:
        made(BY_TLS, aliases, grant="client_credentials")
    assert str(caught.value) == said


def test_neither_key_nor_assertion_is_in_a_repr() -> None:
    step = ready_step("mine", Step.model_validate({"client": "c", "grant": "client_credentials"}), BY_JWT, ENDPOINTS)
    assert SECRET not in repr((step, made(BY_JWT, grant="client_credentials")))
    assert "eyJ" not in repr(made(BY_JWT, grant="client_credentials"))
