"""Tokens are believed only by their signature, issuer, expiry and an allowed algorithm."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from iam_loadtest.oidc.verify import BadTokenError, KeySet, verify_access_token

ISSUER = "https://iam.example/"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwks(*keys: tuple[str, Any]) -> dict[str, Any]:
    algorithm = jwt.algorithms.RSAAlgorithm
    return {
        "keys": [
            {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "alg": "RS256", "use": "sig"}
            for kid, key in keys
        ]
    }


def token(key: Any = KEY, kid: str | None = "k1", algorithm: str = "RS256", **claims: Any) -> str:
    payload = {"iss": ISSUER, "exp": int(time.time()) + 60, "sub": "ada", **claims}
    headers = {} if kid is None else {"kid": kid}
    return jwt.encode({name: value for name, value in payload.items() if value is not None}, key, algorithm, headers)


SET = jwks(("k1", KEY))


@pytest.mark.parametrize("issuer", ["https://iam.example", "https://iam.example/"])
def test_a_good_token_gives_its_claims_with_or_without_the_slash(issuer: str) -> None:
    assert verify_access_token(token(), SET, issuer)["sub"] == "ada"


def test_the_only_key_is_used_where_the_token_names_none() -> None:
    assert verify_access_token(token(kid=None), SET, ISSUER)["sub"] == "ada"


def none_token() -> str:
    parts = ({"alg": "none", "kid": "k1"}, {"iss": ISSUER, "exp": int(time.time()) + 60})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join(encoded) + "."


@pytest.mark.parametrize(
    "bad",
    [
        token(OTHER_KEY),
        token(kid="k2"),
        token(iss="https://evil.example/"),
        token(iss=None),
        token(exp=int(time.time()) - 60),
        token(exp=None),
        token("a shared secret of thirty-two bytes!", algorithm="HS256"),
        token(ec.generate_private_key(ec.SECP256R1()), algorithm="ES256"),
        none_token(),
        "not.a.token",
        "opaque",
    ],
)
def test_anything_else_is_a_bad_token_and_not_repeated(bad: str) -> None:
    with pytest.raises(BadTokenError) as error:
        verify_access_token(bad, SET, ISSUER)
    assert len(bad) < 10 or bad not in str(error.value)


def test_a_token_without_key_id_is_refused_where_there_are_several_keys() -> None:
    with pytest.raises(BadTokenError, match="holds no key None"):
        verify_access_token(token(kid=None), jwks(("k1", KEY), ("k2", OTHER_KEY)), ISSUER)


def test_an_empty_key_set_is_a_bad_token() -> None:
    with pytest.raises(BadTokenError):
        verify_access_token(token(), {"keys": []}, ISSUER)


@pytest.mark.parametrize(
    "header", [{"alg": "RS256", "kid": "k1", "crit": ["\ud800"]}, {"alg": "RS256", "kid": "\ud800"}]
)
def test_what_is_said_of_a_bad_token_can_be_sent(header: dict[str, Any]) -> None:
    """JSON can hold half a surrogate pair, UTF-8 cannot."""
    encoded = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    with pytest.raises(BadTokenError) as bad:
        verify_access_token(f"{encoded}.e30.AA", SET, ISSUER)
    assert str(bad.value).encode()


@pytest.mark.parametrize(
    "odd", [{"kty": ["RSA"]}, {"kty": "RSA", "n": "AQ", "e": "AQ", "alg": [1]}, {"kty": "RSA", "n": 5}]
)
def test_an_odd_key_is_left_out_and_the_others_are_used(odd: dict[str, Any]) -> None:
    assert len(KeySet({"keys": [odd, *SET["keys"]]})) == 1


@pytest.mark.parametrize("claims", ["[" * 100_000, '{"exp": Infinity, "iss": "x"}', '{"exp": [1], "iss": "x"}', "7"])
def test_claims_that_are_none_are_a_bad_token_and_no_crash(claims: str) -> None:
    """Signed by the right key: whatever a server writes there, the trial gets its reason."""
    signed = jwt.api_jws.encode(claims.encode(), KEY, "RS256", {"kid": "k1"})
    with pytest.raises(BadTokenError):
        verify_access_token(signed, SET, ISSUER)


def test_a_token_is_verified_by_the_algorithm_of_its_key_alone() -> None:
    """The key is one for RS256; RS512 is on the list of those allowed, and still is not this key's."""
    with pytest.raises(BadTokenError):
        verify_access_token(token(algorithm="RS512"), SET, ISSUER)
