"""Workloads as flows: what each request carries, and that the newest tokens are used."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.errors import UserError
from iam_loadtest.flow.answer import INTROSPECT_REVOKED, Answer
from iam_loadtest.flow.chain import ChainStep, UserLogin, chain, drive
from iam_loadtest.flow.message import Request
from iam_loadtest.flow.ready_step import ready_step
from iam_loadtest.oidc.client_auth import AuthMethod, ClientCredentials
from iam_loadtest.oidc.discovery import Endpoints
from iam_loadtest.oidc.grant import Grant
from iam_loadtest.oidc.token_response import Tokens
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.scenario.step import Step

URL = "https://iam.example/token"
ENDPOINTS = Endpoints(
    "https://iam.example/",
    URL,
    jwks="https://iam.example/jwk",
    introspection="https://iam.example/introspect",
    userinfo="https://iam.example/userinfo",
    revocation="https://iam.example/revoke",
)
ADA = UserLogin("ada", "p&ss wörd")
SUBJECT = ClientCredentials("subject", "s", AuthMethod.POST)
ACTOR = ClientCredentials("actor", "a")


def step(name: str, grant: Grant, client: ClientCredentials = SUBJECT, **keys: object) -> ChainStep:
    return ready_step(name, Step.model_validate({"grant": grant, "client": "c", **keys}), client, ENDPOINTS)


ISSUE = step("issue_for_user", Grant.PASSWORD, label="issue", scope="openid offline_access")
REFRESH = step("refresh", Grant.REFRESH_TOKEN)
EXCHANGE = step("exchange", Grant.TOKEN_EXCHANGE, ACTOR, scope="openid")


def run(*steps: ChainStep, answers: list[Answer]) -> tuple[Outcome, list[Request]]:
    """Drive a chain with these answers; a chain that asks for more gets a refusal."""
    sent: list[Request] = []
    left = list(answers)

    def exchange(request: Request) -> tuple[Outcome, Answer]:
        sent.append(request)
        return (Outcome.OK, left.pop(0)) if left else (Outcome.REFUSED, None)

    return drive(chain(steps, ADA), exchange), sent


def form(request: Request) -> dict[str, str]:
    fields = parse_qs(request.body.decode(), strict_parsing=True)
    assert all(len(values) == 1 for values in fields.values())
    return {name: values[0] for name, values in fields.items()}


def test_the_refreshed_access_token_is_exchanged_by_the_actor() -> None:
    answers = [Tokens("access-1", "refresh-1"), Tokens("access-2"), Tokens("access-3")]
    outcome, sent = run(ISSUE, REFRESH, EXCHANGE, answers=answers)
    assert outcome is Outcome.OK
    assert [request.step for request in sent] == ["issue", "refresh", "exchange"]
    issue, refresh, exchange = (form(request) for request in sent)
    assert (issue["username"], issue["password"], issue["client_id"]) == ("ada", "p&ss wörd", "subject")
    assert refresh["refresh_token"] == "refresh-1"
    assert exchange["subject_token"] == "access-2"
    assert "client_id" not in exchange
    assert sent[2].headers["Authorization"].startswith("Basic ")


def test_a_refresh_token_that_comes_back_is_adopted_and_otherwise_the_old_one_stays() -> None:
    answers = [Tokens("a", "r1"), Tokens("b", "r2"), Tokens("c"), Tokens("d")]
    _, sent = run(ISSUE, REFRESH, REFRESH, REFRESH, answers=answers)
    assert [form(request)["refresh_token"] for request in sent[1:]] == ["r1", "r2", "r2"]


def test_an_exchange_may_name_the_step_whose_token_it_takes() -> None:
    first = step("exchange", Grant.TOKEN_EXCHANGE, ACTOR, subject_token_from="issue_for_user")
    _, sent = run(ISSUE, REFRESH, first, answers=[Tokens("access-1", "r"), Tokens("access-2"), Tokens("access-3")])
    assert form(sent[2])["subject_token"] == "access-1"


def other(name: str, request: str, client: ClientCredentials | None = None, **keys: object) -> ChainStep:
    acting = {"client": "c"} if client else {}
    step = Step.model_validate({"request": request, **acting, **keys})
    return ready_step(name, step, client, ENDPOINTS)


def test_the_newest_access_token_is_introspected_and_shown_to_userinfo() -> None:
    steps = (ISSUE, REFRESH, other("introspect", "introspect", ACTOR), other("userinfo", "userinfo"))
    outcome, sent = run(*steps, answers=[Tokens("access-1", "r"), Tokens("access-2"), None, None])
    assert outcome is Outcome.OK
    introspect, userinfo = sent[2:]
    assert (introspect.url, introspect.method, introspect.kind) == (ENDPOINTS.introspection, "POST", "introspect")
    assert form(introspect) == {"token_type_hint": "access_token", "token": "access-2"}
    assert introspect.headers["Authorization"].startswith("Basic ")
    assert (userinfo.url, userinfo.method, userinfo.body) == (ENDPOINTS.userinfo, "GET", b"")
    assert userinfo.headers["Authorization"] == "Bearer access-2"


def test_what_was_revoked_must_not_be_active_any_more_and_other_tokens_must() -> None:
    about_access = other("introspect", "introspect", ACTOR)
    about_refresh = other("introspect", "introspect", ACTOR, token="refresh_token")
    steps = (ISSUE, about_access, other("revoke", "revoke", SUBJECT), about_access, about_refresh)
    _, sent = run(*steps, answers=[Tokens("access-1", "refresh-1"), None, None, None, None])
    assert [request.kind for request in sent[1:]] == ["introspect", "revoke", INTROSPECT_REVOKED, "introspect"]
    assert form(sent[2])["token"] == "access-1"
    assert form(sent[4]) == {"token_type_hint": "refresh_token", "token": "refresh-1"}


def test_controls_are_plain_gets_that_name_nobody() -> None:
    _, sent = run(other("discovery", "discovery"), other("jwks", "jwks"), answers=[None, None])
    assert [(request.method, request.url) for request in sent] == [
        ("GET", "https://iam.example/.well-known/openid-configuration"),
        ("GET", "https://iam.example/jwk"),
    ]
    assert all("Authorization" not in request.headers for request in sent)


@pytest.mark.parametrize("request_kind", ["introspect", "userinfo", "revoke", "jwks"])
def test_an_issuer_without_the_endpoint_is_named(request_kind: str) -> None:
    step = Step.model_validate({"request": request_kind, **({"client": "c"} if request_kind[1] in "ne" else {})})
    with pytest.raises(UserError, match=f"steps.mine is request: {request_kind}, and https://iam.example/ names no"):
        ready_step("mine", step, SUBJECT, Endpoints("https://iam.example/", URL))


def test_a_failed_step_ends_the_chain_with_its_outcome() -> None:
    outcome, sent = run(ISSUE, REFRESH, EXCHANGE, answers=[Tokens("a", "r")])
    assert (outcome, [request.step for request in sent]) == (Outcome.REFUSED, ["issue", "refresh"])


def test_each_chain_starts_afresh() -> None:
    _, first = run(ISSUE, REFRESH, answers=[Tokens("a", "r1"), Tokens("b")])
    _, second = run(ISSUE, REFRESH, answers=[Tokens("a", "r2"), Tokens("b")])
    assert form(first[1])["refresh_token"] == "r1"
    assert form(second[1])["refresh_token"] == "r2"


@given(st.text(), st.text(min_size=1))
def test_any_token_and_password_arrive_unchanged(password: str, token: str) -> None:
    """Servers issue texts; surrogates are no text."""
    password, token = (text.encode("utf-8", "ignore").decode() for text in (password, token))
    flow = chain([ISSUE, REFRESH], UserLogin("ada", password))
    issue = parse_qs(next(flow).body.decode(), keep_blank_values=True)
    refresh = parse_qs(flow.send(Tokens("a", token)).body.decode(), keep_blank_values=True)
    assert issue["password"] == [password]
    assert refresh["refresh_token"] == [token]


def test_nothing_that_is_secret_is_in_a_repr() -> None:
    _, sent = run(ISSUE, REFRESH, answers=[Tokens("access-1", "refresh-1"), Tokens("b")])
    shown = repr((ISSUE, EXCHANGE, ADA, sent, other("introspect", "introspect", SUBJECT)))
    for secret in ("p&ss", "p%26ss", "access-1", "refresh-1", "client_secret", "Basic"):
        assert secret not in shown
