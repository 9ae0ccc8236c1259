"""What every token request goes through, without a server: forms, values, ids, the answer to our own mistakes."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.embedded.change import NewAccessToken, NewHolder, NewRefreshToken
from iam_loadtest.embedded.client_auth import Credentials
from iam_loadtest.embedded.context import Iam, parse_form
from iam_loadtest.embedded.entity import Account, Client, Holder, StoredRefreshToken
from iam_loadtest.embedded.instrument import instrumented
from iam_loadtest.embedded.issue import Grant, Signed
from iam_loadtest.embedded.metrics import Board
from iam_loadtest.embedded.problem import OAuthError
from iam_loadtest.embedded.token_endpoint import TokenEndpoint
from iam_loadtest.embedded.tokens import AccessTokenClaims, Signer, access_token

HIDDEN = "hidden-7c1f"
NAMES = frozenset({"openid"})
CLIENT = Client(1, "app", "App", HIDDEN, HIDDEN, HIDDEN, "post", True, False, True, "", NAMES, NAMES, NAMES)
ACCOUNT = Account("u-1", "test_100", "Test", "User", "test@test.example", HIDDEN)
HOLDER = Holder(1, "app", "test_100", None, NAMES, {"nonce": HIDDEN}, ACCOUNT)


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=5))
def test_an_encoded_form_is_read_as_it_was_meant(pairs: list[tuple[str, str]]) -> None:
    fields, _ = parse_form(urlencode(pairs).encode())
    assert fields == dict(reversed(pairs))


@given(st.text("ab=&+%2F;ü", max_size=30))
def test_an_odd_form_is_read_as_the_standard_library_reads_it(text: str) -> None:
    fields, _ = parse_form(text.encode())
    assert fields == dict(reversed(parse_qsl(text, keep_blank_values=True)))


def test_all_audiences_of_a_form_are_kept_in_their_order() -> None:
    _, audience = parse_form(b"audience=a+b&scope=x&audience=c")
    assert audience == ("a", "b", "c")


@pytest.mark.parametrize("body", [b"a=1&" * 100 + b"a=1", b"a=\xff"])
def test_too_many_fields_or_other_bytes_are_no_form(body: bytes) -> None:
    with pytest.raises(OAuthError, match="not a form"):
        parse_form(body)


@pytest.mark.parametrize(
    "value",
    [
        CLIENT,
        ACCOUNT,
        HOLDER,
        StoredRefreshToken(1, HIDDEN, None, "app", HOLDER),
        Credentials("post", "app", HIDDEN),
        NewHolder("app", None, NAMES, {"nonce": HIDDEN}),
        NewAccessToken(HIDDEN, 1, 1, NAMES),
        NewRefreshToken(HIDDEN, 1, 1),
        Grant(CLIENT, NAMES, ACCOUNT, {"nonce": HIDDEN}),
        Signed(HIDDEN, HIDDEN, 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_repr_shows_a_secret(value: object) -> None:
    assert HIDDEN not in repr(value)
    assert repr(value).startswith(type(value).__name__ + "(")


def test_the_id_of_every_token_is_a_random_uuid_of_its_own() -> None:
    seen: list[str] = []

    class Recorder:
        issuer = "http://iam/"

        def sign(self, claims: dict[str, Any]) -> str:
            seen.append(claims["jti"])
            return ""

    for _ in range(200):
        access_token(cast(Signer, Recorder()), AccessTokenClaims("u", "app", NAMES), 0, 60)
    assert len(set(seen)) == 200
    assert {(uuid.UUID(text).version, uuid.UUID(text).variant) for text in seen} == {(4, uuid.RFC_4122)}
    assert [str(uuid.UUID(text)) for text in seen] == seen


def test_a_mistake_of_ours_is_a_counted_500_and_is_raised_for_the_log() -> None:
    board, sent = Board(1), []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"grant_type=client_credentials&client_id=app"}

    async def send(message: Any) -> None:
        sent.append(message)

    app = instrumented(TokenEndpoint(cast(Iam, None), board.part(0)), board.part(0), "frontend-1", None)
    scope = {"type": "http", "method": "POST", "path": "/token", "headers": []}
    with pytest.raises(AttributeError):
        asyncio.run(app(scope, receive, send))
    assert [message.get("status") for message in sent] == [500, None]
    assert (b"x-backend", b"frontend-1") in sent[0]["headers"]
    assert 'grant="client_credentials",status="500",backend="frontend-1"} 1' in board.render()
