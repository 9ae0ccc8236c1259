"""A web page cannot send a process's secrets elsewhere."""

from dataclasses import replace

import pytest

from iam_loadtest.errors import UserError
from iam_loadtest.load.secret_guard import SecretGuard, advice_for_worker
from iam_loadtest.load.setup import CLIENT_SECRET_VARIABLE, Choices, setup_of_choices

FIRST = setup_of_choices(Choices(issuer="https://iam.example/"))
SECRETS = {CLIENT_SECRET_VARIABLE: "hidden"}


def guard(environ: dict[str, str]) -> SecretGuard:
    return SecretGuard(FIRST.issuer, environ)


@pytest.mark.parametrize("issuer", ["https://evil.example/", "http://iam.example/", "https://iam.example:444/"])
def test_secrets_do_not_go_to_another_origin(issuer: str) -> None:
    with pytest.raises(UserError, match="another one than at the start") as error:
        guard(SECRETS).check(replace(FIRST, issuer=issuer))
    assert "hidden" not in str(error.value)


def test_another_path_of_the_same_origin_is_fine() -> None:
    guard(SECRETS).check(replace(FIRST, issuer="https://iam.example/realms/test"))


def test_public_test_secrets_may_go_anywhere() -> None:
    guard({}).check(replace(FIRST, issuer="https://other.example/"))


def test_a_users_file_is_a_secret() -> None:
    users = FIRST.scenario.users.model_copy(update={"file": "users.csv", "password": None})
    setup = replace(FIRST, scenario=FIRST.scenario.model_copy(update={"users": users}), issuer="https://other.example/")
    with pytest.raises(UserError):
        guard({}).check(setup)


def test_a_start_without_issuer_trusts_none() -> None:
    with pytest.raises(UserError, match="another one than at the start"):
        SecretGuard(None, SECRETS).check(FIRST)


def test_an_issuer_with_a_bad_port_is_named() -> None:
    with pytest.raises(UserError, match="its port must be a number"):
        guard(SECRETS).check(replace(FIRST, issuer="https://iam.example:port/"))


def test_a_worker_that_trusts_its_master_with_secrets_says_how_not_to() -> None:
    said = advice_for_worker("", FIRST, SECRETS)
    assert said == "This worker sends its secrets wherever its master says; start it with --issuer to hold it to one."
    assert advice_for_worker("https://iam.example/", FIRST, SECRETS) is None
    assert advice_for_worker("", FIRST, {}) is None
