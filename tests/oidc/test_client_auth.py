"""How clients prove themselves (RFC 6749 section 2.3.1)."""

import base64

import pytest

from iam_loadtest.oidc.client_auth import AuthMethod, ClientCredentials


def test_basic_sends_the_header_of_the_rfc_and_no_form_field() -> None:
    """The example of RFC 6749 section 2.3.1."""
    client = ClientCredentials("s6BhdRkqt3", "gX1fBat3bV")
    assert client.headers() == {"Authorization": "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"}
    assert client.form() == ()


def test_basic_encodes_id_and_secret_as_a_form_before_joining_them() -> None:
    """A colon in the id, a space and a percent sign in the secret must not end in the wrong half."""
    header = ClientCredentials("a:b", "c d%").headers()["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(header) == b"a%3Ab:c+d%25"


def test_post_sends_form_fields_and_no_header() -> None:
    client = ClientCredentials("id", "secret", AuthMethod.POST)
    assert client.headers() == {}
    assert client.form() == (("client_id", "id"), ("client_secret", "secret"))


def test_none_names_the_client_and_sends_no_secret() -> None:
    client = ClientCredentials("id", method=AuthMethod.NONE)
    assert (client.headers(), client.form()) == ({}, (("client_id", "id"),))


def test_the_secret_is_not_in_the_repr() -> None:
    assert "hidden" not in repr(ClientCredentials("id", "hidden"))


@pytest.mark.parametrize("method", [AuthMethod.CLIENT_SECRET_JWT, AuthMethod.PRIVATE_KEY_JWT])
def test_an_assertions_type_is_the_same_in_each_request_and_no_secret_is_sent(method: AuthMethod) -> None:
    client = ClientCredentials("id", "secret", method)
    assert client.headers() == {}
    assert client.form() == (
        ("client_id", "id"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
    )


def test_mutual_tls_names_the_client_and_leaves_the_proof_to_the_connection() -> None:
    """RFC 8705 section 2: client_id is a parameter of every request."""
    client = ClientCredentials("id", method=AuthMethod.TLS_CLIENT_AUTH)
    assert (client.headers(), client.form()) == ({}, (("client_id", "id"),))
