"""Refresh tokens that were issued beforehand: each is used by one chain only, whoever takes it."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from iam_loadtest.errors import UserError
from iam_loadtest.flow.chain import Held, UserLogin, chain, drive
from iam_loadtest.flow.prepare import prepare_workload
from iam_loadtest.flow.token_pool import TokenPool, TokensUsedUpError
from iam_loadtest.oidc.discovery import Endpoints
from iam_loadtest.oidc.token_response import Tokens
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.scenario.target import Target
from tests.scenario.scenarios import scenario_of


def tokens_file(directory: Path, text: str, mode: int = 0o600) -> Path:
    path = directory / "tokens.csv"
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "one\ntwo\n\n",
        "refresh_token\none\ntwo\n",
        'user,Refresh_Token,note\nada,one,"a, b"\nbob,two,\n',
        "one\none\ntwo",
    ],
    ids=["lines", "column", "columns", "repeated"],
)
def test_tokens_are_taken_in_their_order_and_once(tmp_path: Path, text: str) -> None:
    pool = TokenPool(tokens_file(tmp_path, text))
    assert pool.unused() == 2
    assert [pool.take(), pool.take()] == ["one", "two"]
    with pytest.raises(TokensUsedUpError, match=r"tokens\.csv: all 2 tokens were used; add more, or remove tokens"):
        pool.take()


def test_another_trial_goes_on_where_the_last_one_stopped(tmp_path: Path) -> None:
    """And tokens that are added later are found."""
    path = tokens_file(tmp_path, "one\ntwo\n")
    first, second = TokenPool(path), TokenPool(path)
    assert [first.take(), second.take()] == ["one", "two"]
    tokens_file(tmp_path, "one\ntwo\nthree\n")
    assert TokenPool(path).take() == "three"


def test_no_token_stands_in_the_ledger_or_a_repr(tmp_path: Path) -> None:
    pool = TokenPool(tokens_file(tmp_path, "hunter2\n"))
    pool.take()
    ledger = tmp_path / "tokens.csv.used"
    assert "hunter2" not in ledger.read_text() + repr(pool)
    assert ledger.stat().st_mode & 0o077 == 0


def take_all(path: Path, taken: multiprocessing.Queue[list[str]]) -> None:
    pool, mine = TokenPool(path), []
    try:
        while True:
            mine.append(pool.take())
    except TokensUsedUpError:
        taken.put(mine)


def test_processes_that_take_at_once_never_take_the_same(tmp_path: Path) -> None:
    path = tokens_file(tmp_path, "\n".join(f"token{n}" for n in range(400)))
    context = multiprocessing.get_context("fork")
    taken: multiprocessing.Queue[list[str]] = context.Queue()
    processes = [context.Process(target=take_all, args=(path, taken)) for _ in range(3)]
    for process in processes:
        process.start()
    all_taken = [token for _ in processes for token in taken.get(timeout=60)]
    for process in processes:
        process.join(10)
    assert sorted(all_taken) == sorted(f"token{n}" for n in range(400))


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("one\n", 0o644, "others than its owner may read it, and it holds tokens; chmod 600 it"),
        ("", 0o600, "holds no token"),
        (
            "user,token\nada,hunter2\n",
            0o600,
            "is neither one token a line nor a CSV file with the column refresh_token",
        ),
        ("refresh_token\n", 0o600, "holds no token; write one a line"),
        ('refresh_token\n"hunter2\n', 0o600, "is no CSV file"),
    ],
)
def test_a_file_that_cannot_be_used_says_why_and_repeats_no_token(
    tmp_path: Path, text: str, mode: int, said: str
) -> None:
    with pytest.raises(UserError, match=said) as caught:
        TokenPool(tokens_file(tmp_path, text, mode))
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"tokens\.csv: cannot be read: No such file or directory; name a file of refresh"
    ):
        TokenPool(tmp_path / "tokens.csv")


def test_a_chain_begins_with_a_token_of_the_file_and_adopts_what_comes_back(tmp_path: Path) -> None:
    """The step asks nobody: it gives no request and so no row."""
    tokens_file(tmp_path, "mine\n")
    scenario = scenario_of(
        steps={"take": {"request": "pre_issued"}, "refresh": {"grant": "refresh_token", "client": "subject"}},
        workloads={"long": {"prime": ["take"], "steps": ["refresh", "refresh"]}},
    )
    endpoints = Endpoints("https://iam.example/", "https://iam.example/token")
    target = Target(refresh_tokens="tokens.csv")
    ready = prepare_workload(scenario, "long", endpoints, tmp_path, {}, target)
    held, user, sent = Held(), UserLogin("ada", ""), list[bytes]()
    answers = iter([Tokens("a", "rotated"), Tokens("b")])

    def exchange(request: object) -> tuple[Outcome, Tokens]:
        sent.append(request.body)  # type: ignore[attr-defined]
        return Outcome.OK, next(answers)

    assert drive(chain(ready.prime, user, held), exchange) is Outcome.OK
    assert (sent, held.refresh_token) == ([], "mine")
    assert drive(chain(ready.steps, user, held), exchange) is Outcome.OK
    assert [body.rpartition(b"=")[2] for body in sent] == [b"mine", b"rotated"]
