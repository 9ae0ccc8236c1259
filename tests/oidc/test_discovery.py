"""The discovery document, and that a secret is not sent where it must not go."""

from typing import Any

import pytest

from iam_loadtest.oidc.discovery import DiscoveryError, Endpoints, discovery_url, parse_discovery

ISSUER = "https://iam.example/"


def document(**changes: Any) -> dict[str, Any]:
    return {"issuer": ISSUER, "token_endpoint": ISSUER + "token", "jwks_uri": ISSUER + "jwk", **changes}


@pytest.mark.parametrize("issuer", ["https://iam.example", "https://iam.example/", "https://iam.example/realms/a"])
def test_the_document_stands_below_the_issuer(issuer: str) -> None:
    assert discovery_url(issuer) == issuer.rstrip("/") + "/.well-known/openid-configuration"


def test_endpoints_are_read_and_missing_ones_are_none() -> None:
    endpoints = parse_discovery(document(), "https://iam.example")
    assert endpoints == Endpoints(ISSUER, "https://iam.example/token", "https://iam.example/jwk")
    assert endpoints.introspection is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("text", "not a JSON object"),
        (document(issuer="https://other.example/"), "is of issuer 'https://other.example/'"),
        (document(issuer=None), "is of issuer None"),
        ({"issuer": ISSUER}, "has no token_endpoint"),
        (document(token_endpoint="https://evil.example/token"), "is on host 'evil.example'"),
        (document(token_endpoint="http://iam.example/token"), "http, where the issuer is https"),
        (document(token_endpoint="ftp://iam.example/token"), "which is no http or https URL"),
        (document(token_endpoint="/token"), "which is no http or https URL"),
        (document(token_endpoint="https://[iam.example/token"), "which is no http or https URL"),
        (document(token_endpoint="https://iam.example:99999/token"), "which is no http or https URL"),
        (document(token_endpoint="https://user:word@iam.example/token"), "which is no http or https URL"),
        (document(jwks_uri="https://evil.example/jwk"), "jwks_uri is on host 'evil.example'"),
        (document(introspection_endpoint=7), "has no introspection_endpoint"),
    ],
)
def test_a_document_that_cannot_be_trusted_is_refused(wrong: object, message: str) -> None:
    with pytest.raises(DiscoveryError, match=message):
        parse_discovery(wrong, ISSUER)
