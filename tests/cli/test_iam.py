"""`iam` says what is dangerous about how it was called, before it starts; the server itself is in tests/embedded."""

from __future__ import annotations

import pytest

from iam_loadtest.embedded import serve as serve_module
from tests.cli.front_door import Called, call

URL = "mysql://iam:{}@db.example.org/iam"


@pytest.fixture(autouse=True)
def _does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve_module, "serve", lambda *_: None)
    monkeypatch.delenv("IAM_LOADTEST_DATABASE_URL", raising=False)


def warnings(called: Called) -> list[str]:
    return [line for line in called.err.splitlines() if line.startswith("Warning: ")]


def test_a_password_on_the_command_line_is_worth_a_word_and_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--database", URL.format("hunter2"), "--sessions", "redis://:hunter2@redis.example.org/0")
    called = call(capsys, "iam", *options)
    assert warnings(called) == [
        f"Warning: --{name} holds a password, which the process list shows; write ${{NAME}} there."
        for name in ("database", "sessions")
    ]
    assert "hunter2" not in called.out + called.err


def test_one_that_stands_in_the_environment_is_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert warnings(call(capsys, "iam", "--database", URL.format("${DB_PASSWORD}"))) == []
    monkeypatch.setenv("IAM_LOADTEST_DATABASE_URL", URL.format("hunter2"))
    assert warnings(call(capsys, "iam")) == []


def test_an_address_that_others_reach_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    called = call(capsys, "iam", "--host", "0.0.0.0")
    assert warnings(called) == ["Warning: --host 0.0.0.0 lets other machines reach it."]
