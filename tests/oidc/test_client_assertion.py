"""Client assertions are what RFC 7523 section 3 and OpenID Connect Core section 9 ask for."""

import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from jwt.algorithms import RSAAlgorithm

from iam_loadtest.embedded.seed import demo_client_key
from iam_loadtest.oidc.client_assertion import (
    LIFETIME_S,
    AssertionSigner,
    BadKeyError,
    SigningKey,
    private_key,
    shared_key,
)
from iam_loadtest.oidc.throwaway_key import throwaway_key

AUDIENCE = "https://iam.example/token"
RSA_PEM = throwaway_key("RS256")


def read(assertion: bytes, key: object, algorithm: str) -> dict[str, object]:
    """The claims of an assertion as a provider reads them, without a look at the clock."""
    options = {"verify_exp": False, "verify_iat": False}
    return jwt.decode(assertion.decode(), key, [algorithm], options=options, audience=AUDIENCE)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"])
def test_a_provider_verifies_what_a_private_key_signed(algorithm: str) -> None:
    pem = throwaway_key(algorithm)
    signer = AssertionSigner("me", AUDIENCE, private_key(pem, algorithm))
    public = load_pem_private_key(pem.encode(), None).public_key()
    claims = read(signer.sign(1_700_000_000), public, algorithm)
    assert claims.pop("jti")
    assert claims == {
        "iss": "me",
        "sub": "me",
        "aud": AUDIENCE,
        "iat": 1_700_000_000,
        "exp": 1_700_000_000 + LIFETIME_S,
    }


@pytest.mark.parametrize(
    ("of", "usual"), [("RS256", "RS256"), ("ES256", "ES256"), ("ES384", "ES384"), ("ES512", "ES512"), ("EdDSA",) * 2]
)
def test_the_algorithm_is_the_keys_usual_one_where_none_is_named(of: str, usual: str) -> None:
    assert private_key(throwaway_key(of)).algorithm == usual


def test_a_provider_verifies_what_the_secret_signed() -> None:
    """The secret is the key as it is: OpenID Connect Core section 10.1, the octets of its UTF-8 text."""
    signer = AssertionSigner("me", AUDIENCE, shared_key("sécret " * 10))
    assert read(signer.sign(), "sécret " * 10, "HS256")["sub"] == "me"


def test_each_assertion_has_an_id_of_its_own() -> None:
    """A provider refuses one that it has seen: RFC 7523 section 3, number 7."""
    signer = AssertionSigner("me", AUDIENCE, shared_key("s" * 32))
    assert len({str(read(signer.sign(1), "s" * 32, "HS256")["jti"]) for _ in range(100)}) == 100


def test_the_key_id_is_the_scenarios_else_the_jwks_own_else_none() -> None:
    jwk, pem = private_key(json.dumps(demo_client_key())), private_key(RSA_PEM)

    def head(key: SigningKey, key_id: str | None = None) -> dict[str, object]:
        return jwt.get_unverified_header(AssertionSigner("me", AUDIENCE, key, key_id).sign().decode())

    own = demo_client_key()["kid"]
    assert [head(jwk)["kid"], head(jwk, "mine")["kid"], head(pem, "mine")["kid"]] == [own, "mine", "mine"]
    assert head(pem) == {"alg": "RS256", "typ": "JWT"}


def test_a_jwk_may_name_its_algorithm_and_the_scenario_has_the_last_word() -> None:
    document = json.dumps({**demo_client_key(), "alg": "PS256"})
    assert (private_key(document).algorithm, private_key(document, "RS512").algorithm) == ("PS256", "RS512")


def encrypted() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pass")).decode()


def public() -> str:
    key = load_pem_private_key(RSA_PEM.encode(), None).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def public_jwk() -> str:
    key = load_pem_private_key(RSA_PEM.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return RSAAlgorithm.to_jwk(key.public_key())


def of_another_kind() -> str:
    return dsa.generate_private_key(1024).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize(
    ("text", "algorithm", "said"),
    [
        (encrypted(), None, "is encrypted; store it without a password"),
        (public(), None, r"is no private key; it must hold one as PEM"),
        ("hunter2", None, r"is no private key"),
        ("".join(RSA_PEM.splitlines(keepends=True)[::2]), None, "cannot be read as PEM; write the key's file anew"),
        (public_jwk(), None, "holds no private key; a private JWK has the member d"),
        ('{"kty": "RSA", "d": 1}', None, "cannot be read as JWK"),
        ("{", None, "cannot be read as JWK"),
        (
            RSA_PEM,
            "ES256",
            "is a key for RS256, RS384, RS512, PS256, PS384, PS512, not for ES256; correct algorithm or",
        ),
        (throwaway_key("ES384"), "ES256", "is a key for ES384, not for ES256"),
        (of_another_kind(), None, "is of a kind that signs no assertion; use an RSA, EC"),
    ],
    ids=["encrypted", "public", "text", "torn", "public-jwk", "odd-jwk", "no-json", "rsa-for-ec", "curve", "dsa"],
)
def test_a_key_that_cannot_sign_says_why_and_is_not_repeated(text: str, algorithm: str | None, said: str) -> None:
    with pytest.raises(BadKeyError, match=said) as caught:
        private_key(text, algorithm)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None, "a foreign error's text may hold the key"


def test_no_key_is_in_a_repr() -> None:
    shown = repr((AssertionSigner("me", AUDIENCE, shared_key("hunter2")), private_key(RSA_PEM)))
    assert "hunter2" not in shown
    assert "RSAPrivateKey" not in shown
