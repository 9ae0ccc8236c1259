"""Workloads as flows: what each request carries, and that the newest tokens are used."""

from __future__ import annotations

from urllib.parse import parse_qs

from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.flow.chain import ChainStep, UserLogin, chain, drive, prepare_step
from iam_loadtest.flow.message import Request
from iam_loadtest.oidc.client_auth import AuthMethod, ClientCredentials
from iam_loadtest.oidc.grant import Grant
from iam_loadtest.oidc.token_response import Tokens
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.scenario.step import Step

URL = "https://iam.example/token"
ADA = UserLogin("ada", "p&ss wörd")
SUBJECT = ClientCredentials("subject", "s", AuthMethod.POST)
ACTOR = ClientCredentials("actor", "a")


def step(name: str, grant: Grant, client: ClientCredentials = SUBJECT, **keys: object) -> ChainStep:
    return prepare_step(name, Step.model_validate({"grant": grant, "client": "c", **keys}), client, URL)


ISSUE = step("issue_for_user", Grant.PASSWORD, label="issue", scope="openid offline_access")
REFRESH = step("refresh", Grant.REFRESH_TOKEN)
EXCHANGE = step("exchange", Grant.TOKEN_EXCHANGE, ACTOR, scope="openid")


def run(*steps: ChainStep, answers: list[Tokens]) -> tuple[Outcome, list[Request]]:
    """Drive a chain with these answers; a chain that asks for more gets a refusal."""
    sent: list[Request] = []
    left = list(answers)

    def exchange(request: Request) -> tuple[Outcome, Tokens | None]:
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
    shown = repr((ISSUE, EXCHANGE, ADA, sent))
    for secret in ("p&ss", "p%26ss", "access-1", "refresh-1", "client_secret", "Basic"):
        assert secret not in shown
