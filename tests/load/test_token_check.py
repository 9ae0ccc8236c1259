"""Tokens that must not be trusted are found, in whatever way they are bad, and what cannot be told is counted."""

from __future__ import annotations

import base64
import json
import random
import time
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from iam_loadtest.load import findings, token_check
from iam_loadtest.load.findings import Findings
from iam_loadtest.load.token_check import TokenCheck
from iam_loadtest.oidc.verify import KeySet

ISSUER = "https://iam.example/"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC_PEM = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def jwk(key: rsa.RSAPrivateKey, kid: str) -> dict[str, Any]:
    return {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())), "kid": kid, "use": "sig"}


def key_set(**keys: rsa.RSAPrivateKey) -> KeySet:
    return KeySet({"keys": [jwk(key, kid) for kid, key in keys.items()]})


def check(
    keys: Callable[[], KeySet] = lambda: key_set(k1=KEY), audiences: dict[str, tuple[str, ...]] | None = None
) -> TokenCheck:
    return TokenCheck(1.0, ISSUER, keys, audiences or {}, random.Random(1))


def token(key: Any = KEY, algorithm: str = "RS256", kid: str = "k1", **claims: Any) -> str:
    payload = {"iss": ISSUER, "exp": int(time.time()) + 86_400, "sub": "ada", **claims}
    return jwt.encode(payload, key, algorithm, {"kid": kid})


def by_hand(header: dict[str, str], signature: bytes = b"") -> str:
    """A token that no library would make."""
    claims = {"iss": ISSUER, "exp": int(time.time()) + 86_400}
    parts = [json.dumps(header, separators=(",", ":")).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def hs256_with_the_public_key() -> str:
    """The classic confusion: the public key, which everybody has, as the secret of an HMAC."""
    head = by_hand({"alg": "HS256", "kid": "k1"}).rpartition(".")[0]
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = algorithm.sign(head.encode(), PUBLIC_PEM)
    return f"{head}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


BAD: dict[str, tuple[str, str]] = {
    "wrong key": (token(OTHER), "InvalidSignatureError"),
    "algorithm none": (by_hand({"alg": "none", "kid": "k1"}), "InvalidAlgorithmError"),
    "HS256 with the public key": (hs256_with_the_public_key(), "InvalidAlgorithmError"),
    "expired": (token(exp=int(time.time()) - 60), "ExpiredSignatureError"),
    "other issuer": (token(iss="https://evil.example/"), "InvalidIssuerError"),
    "no issuer": (jwt.encode({"exp": 2**40}, KEY, "RS256", {"kid": "k1"}), "MissingRequiredClaimError"),
    "unknown key": (token(kid="k9"), "the key set holds no key"),
    "key of another kind": (
        token(ec.generate_private_key(ec.SECP256R1()), "ES256"),
        "",
    ),
    "garbage": ("eyJ.x.y", "DecodeError"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_is_found_and_not_repeated(name: str) -> None:
    bad, why = BAD[name]
    checking = check()
    problem = checking.problem("issue", bad)
    assert problem is not None
    assert why in problem
    assert bad not in problem
    assert checking.take()["counts"] == {"bad": 1}


def test_a_good_token_is_counted_once() -> None:
    checking = check()
    assert checking.problem("issue", token()) is None
    assert checking.take()["counts"] == {"verified": 1}
    assert checking.take() == {}


def test_an_audience_that_was_asked_for_must_be_in_the_token_and_no_other_is_looked_at() -> None:
    checking = check(audiences={"exchange": ("storage",)})
    assert checking.problem("exchange", token(aud=["storage", "compute"])) is None
    assert checking.problem("issue", token(aud="somebody")) is None
    assert "InvalidAudienceError" in (checking.problem("exchange", token(aud="compute")) or "")
    assert "aud" in (checking.problem("exchange", token()) or "")


def test_two_tokens_must_not_have_one_jti_but_one_may_be_given_out_twice() -> None:
    checking = check()
    first, second = token(jti="a"), token(jti="a", sub="bob")
    assert [checking.problem("issue", one) for one in (first, first, token(jti="b"))] == [None] * 3
    assert checking.problem("issue", second) == "another token has the same jti"
    assert checking.take()["counts"] == {"verified": 3, "bad": 1}


def test_tokens_of_two_workers_with_one_jti_are_a_caution() -> None:
    found = Findings()
    for worker, subject in enumerate(("ada", "bob", "ada")):
        checking = check()
        checking.problem("issue", token(jti="a", sub=subject, exp=2**40))
        checking.problem("issue", token(jti=f"own-{worker}"))
        found.add(worker, {"tokens": checking.take()})
    assert found.tokens == {"verified": 6, "duplicate_jti": 1}
    assert [caution.kind for caution in found.cautions()] == ["duplicate_jti"]


def test_the_ids_that_are_remembered_are_limited_and_later_tokens_are_compared_with_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(findings, "MAX_IDS", 2)
    found = Findings()
    for token_id, whole in ((1, 10), (2, 20), (3, 30), (3, 31), (2, 21), (1, 10)):
        found.add(0, {"tokens": {"ids": array("Q", (token_id, whole)).tobytes()}})
    assert found.tokens == {"duplicate_jti": 1}, "that of id 2; id 3 came when two were known"


@pytest.mark.parametrize(
    ("keys", "what", "kind"),
    [(lambda: key_set(k1=KEY), "opaque", "opaque"), (lambda: KeySet({}), token(), "without_keys")],
)
def test_what_cannot_be_verified_is_no_failure_but_is_said(keys: Callable[[], KeySet], what: str, kind: str) -> None:
    checking, found = check(keys), Findings()
    assert checking.problem("issue", what) is None
    found.add(0, {"tokens": checking.take()})
    assert found.tokens == {kind: 1}
    assert [caution.kind for caution in found.cautions()] == ["tokens_not_verified"]


def test_a_provider_may_change_its_key_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys are fetched again for a key that is not known, at most every ten seconds."""
    clock_us = [0]
    monkeypatch.setattr(token_check, "now_us", lambda: clock_us[0])
    sets: Iterator[KeySet] = iter([key_set(k1=KEY), key_set(k1=KEY, k2=OTHER)])
    checking = check(lambda: next(sets))
    assert checking.problem("issue", token(OTHER, kid="k2")) is not None, "too soon after the last fetch"
    clock_us[0] = 10_000_000
    for late in (token(OTHER, kid="k2"), token(KEY, kid="k2")):
        assert checking.problem("issue", late) is None, "cannot be told yet"
    assert checking.take()["counts"] == {"bad": 1}
    gevent.sleep(0)
    assert checking.take()["counts"] == {"verified": 1, "bad": 1}, "with the keys fetched anew"
    assert checking.problem("issue", token(OTHER, kid="k2")) is None
    assert checking.problem("issue", token(OTHER, kid="k3")) is not None, "nothing is fetched: there is no third set"


def test_nobody_waits_for_keys_and_what_still_waits_at_the_end_could_not_be_verified(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The keys never come; two tokens may wait for them."""
    monkeypatch.setattr(token_check, "_FETCH_AGAIN_US", 0)
    monkeypatch.setattr(token_check, "MAX_DEFERRED", 2)
    sets = iter([key_set(k1=KEY)])

    def keys() -> KeySet:
        for one in sets:
            return one
        gevent.sleep(60)
        return KeySet({})

    checking = check(keys)
    assert [checking.problem("issue", token(kid="k2")) for _ in range(3)] == [None] * 3
    gevent.sleep(0)
    checking.close()
    assert checking.take()["counts"] == {"without_keys": 3}


def test_the_share_is_what_was_asked_for() -> None:
    def picked(share: float) -> int:
        checking = TokenCheck(share, ISSUER, lambda: key_set(k1=KEY), {}, random.Random(1))
        return sum(checking.picks() for _ in range(10_000))

    assert (picked(0), picked(1)) == (0, 10_000)
    assert 50 < picked(0.01) < 150, "five standard deviations around 100"


def test_no_keys_are_fetched_where_nothing_is_to_be_verified() -> None:
    TokenCheck(0, ISSUER, lambda: pytest.fail("fetched"), {}, random.Random(1))
