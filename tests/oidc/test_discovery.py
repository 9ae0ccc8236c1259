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
        (document(token_endpoint="https://iam.example/token HTTP/1.1"), "which is no http or https URL"),
        (document(token_endpoint="https://iam.example/token\r\nX: y"), r"token\\r\\nX: y', which is no http"),
        (document(token_endpoint="https://iam.example/\x1b[2J"), r"'https://iam.example/\\x1b\[2J', which is no http"),
        (document(jwks_uri="https://evil.example/jwk"), "jwks_uri is on host 'evil.example'"),
        (document(introspection_endpoint=7), "has no introspection_endpoint"),
        (
            document(token_endpoint_auth_signing_alg_values_supported=["ES256", "None"]),
            "token_endpoint_auth_signing_alg_values_supported holds 'none'",
        ),
        (
            document(revocation_endpoint_auth_signing_alg_values_supported=["none"]),
            "revocation_endpoint_auth_signing_alg_values_supported holds 'none'",
        ),
        (document(id_token_signing_alg_values_supported=["none"]), "holds 'none' alone"),
    ],
)
def test_a_document_that_cannot_be_trusted_is_refused(wrong: object, message: str) -> None:
    with pytest.raises(DiscoveryError, match=message):
        parse_discovery(wrong, ISSUER)


def test_none_among_the_algorithms_of_id_tokens_is_allowed() -> None:
    """INDIGO IAM names it there, as Discovery section 3 allows; a token that uses it is never taken for good."""
    assert parse_discovery(document(id_token_signing_alg_values_supported=["RS256", "none"]), ISSUER).issuer == ISSUER


def test_aliases_for_certificates_are_kept_as_they_are_and_checked_when_somebody_goes_there() -> None:
    odd = {"token_endpoint": "https://iam.example:8443/token", "revocation_endpoint": "http://x/", "jwks_uri": 7}
    endpoints = parse_discovery(document(mtls_endpoint_aliases=odd), ISSUER)
    assert dict(endpoints.mutual_tls) == {name: url for name, url in odd.items() if name != "jwks_uri"}
    with pytest.raises(DiscoveryError, match=r"mtls_endpoint_aliases\.revocation_endpoint is 'http://x/'"):
        endpoints.for_mutual_tls()
    assert parse_discovery(document(mtls_endpoint_aliases=["odd"]), ISSUER).for_mutual_tls().token == ISSUER + "token"


def test_a_long_value_is_not_repeated_as_a_whole() -> None:
    with pytest.raises(DiscoveryError) as refused:
        parse_discovery(document(issuer="x" * 1_000_000), ISSUER)
    assert len(str(refused.value)) < 400


def test_what_is_no_name_of_a_method_or_grant_is_left_out() -> None:
    """They are shown to people as the server writes them."""
    offered = ["client_secret_basic", "\x1b]0;owned\x07", "two words", "x" * 1000, 7]
    endpoints = parse_discovery(
        document(token_endpoint_auth_methods_supported=offered, grant_types_supported=["password", "a\nb"]), ISSUER
    )
    assert endpoints.auth_methods == ("client_secret_basic",)
    assert endpoints.grants == ("password",)
