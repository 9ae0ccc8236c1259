"""Each client authenticates by the method it is registered with, and by no other."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from iam_loadtest.embedded.seed import HMAC_SECRET, demo_client_key
from tests.embedded.server import CRED, SUBJECT, Iam, good

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PRIVATE = "jwt-auth-private_key_jwt"
SHARED = "jwt-auth-client_secret_jwt"


def claims_of(iam: Iam, client_id: str, **changed: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": iam.issuer + "token", "exp": now + 60, "jti": "1", "iat": now}
    return {name: value for name, value in (claims | changed).items() if value is not None}


def with_assertion(iam: Iam, assertion: str, **form: str) -> requests.Response:
    return iam.token(
        grant_type="client_credentials", client_assertion_type=ASSERTION, client_assertion=assertion, **form
    )


def demo_signed(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, jwt.PyJWK(demo_client_key()), headers={"kid": "demo"})


@pytest.mark.parametrize("audience", ["token", ""])
def test_private_key_jwt_is_accepted_for_the_token_endpoint_or_the_issuer(iam: Iam, audience: str) -> None:
    claims = claims_of(iam, PRIVATE, aud=iam.issuer + audience)
    assert good(with_assertion(iam, demo_signed(claims)))["access_token"]
    assert good(with_assertion(iam, demo_signed(claims), client_id=PRIVATE))["access_token"]


def test_client_secret_jwt_is_accepted(iam: Iam) -> None:
    assertion = jwt.encode(claims_of(iam, SHARED), HMAC_SECRET, algorithm="HS256")
    assert good(with_assertion(iam, assertion))["access_token"]


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "https://other.example/token"},
        {"exp": 946684800},
        {"exp": None},
        {"jti": None},
        {"iss": "somebody-else"},
        {"aud": None},
    ],
    ids=str,
)
def test_an_assertion_with_a_wrong_claim_is_refused(iam: Iam, changed: dict[str, Any]) -> None:
    response = with_assertion(iam, demo_signed(claims_of(iam, PRIVATE, **changed)))
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


def test_an_assertion_by_another_key_or_unsigned_or_not_a_jwt_is_refused(iam: Iam) -> None:
    claims = claims_of(iam, PRIVATE)
    other = jwt.encode(claims, rsa.generate_private_key(public_exponent=65537, key_size=2048), algorithm="RS256")
    unsigned = jwt.encode(claims, None, algorithm="none")
    confused = jwt.encode(claims, json.dumps({"n": demo_client_key()["n"]}), algorithm="HS256")
    for assertion in (other, unsigned, confused, "no.jwt", ""):
        assert with_assertion(iam, assertion).status_code == 401


def test_an_assertion_does_not_speak_for_another_client(iam: Iam) -> None:
    as_another = with_assertion(iam, demo_signed(claims_of(iam, PRIVATE)), client_id="client-cred")
    about_another = with_assertion(iam, demo_signed(claims_of(iam, "client-cred")))
    assert (as_another.status_code, about_another.status_code) == (401, 401)


def test_a_client_cannot_use_a_method_it_is_not_registered_with(iam: Iam) -> None:
    basic_by_post = iam.token(grant_type="client_credentials", client_id=CRED[0], client_secret=CRED[1])
    post_by_basic = iam.token((SUBJECT["client_id"], SUBJECT["client_secret"]), grant_type="client_credentials")
    basic_by_none = iam.token(grant_type="client_credentials", client_id=CRED[0])
    key_by_secret = iam.token((PRIVATE, "secret"), grant_type="client_credentials")
    statuses = [r.status_code for r in (basic_by_post, post_by_basic, basic_by_none, key_by_secret)]
    assert statuses == [401, 401, 401, 401]


def test_basic_credentials_are_form_encoded_before_they_are_joined(iam: Iam) -> None:
    """RFC 6749 section 2.3.1: client-cred may arrive as client%2Dcred."""
    pair = base64.b64encode(b"client%2Dcred:secret").decode()
    headers = {"Authorization": f"Basic {pair}"}
    response = iam.http.post(iam.issuer + "token", {"grant_type": "client_credentials"}, headers=headers, timeout=60)
    assert response.status_code == 200


@pytest.mark.parametrize("header", ["Basic !!!", "Basic " + base64.b64encode(b"no-colon").decode(), "Basic /w=="])
def test_a_broken_basic_header_is_refused(iam: Iam, header: str) -> None:
    response = iam.http.post(
        iam.issuer + "token", {"grant_type": "client_credentials"}, headers={"Authorization": header}, timeout=10
    )
    assert (response.status_code, response.json()["error"]) == (401, "unauthorized")
