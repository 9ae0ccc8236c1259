"""A workload made ready: secrets read, users listed, what is wrong said."""

from __future__ import annotations

from pathlib import Path

import pytest

from iam_loadtest.errors import SecretMissingError, UserError
from iam_loadtest.flow.prepare import load_users, prepare_workload
from iam_loadtest.oidc.discovery import Endpoints
from iam_loadtest.scenario.client import Users
from iam_loadtest.scenario.load_file import parse_scenario

ENDPOINTS = Endpoints("http://127.0.0.1:8490/", "http://127.0.0.1:8490/token")


def test_the_built_in_workflow_is_three_steps_for_248_users(tmp_path: Path) -> None:
    scenario = parse_scenario({"name": "t", "topologies": {"one": {"provider": "embedded"}}}, "test")
    ready = prepare_workload(scenario, "workflow", ENDPOINTS, tmp_path, {})
    assert [step.label for step in ready.steps] == ["issue", "refresh", "exchange"]
    assert {step.form.url for step in ready.steps} == {ENDPOINTS.token}
    assert (ready.users[0].username, ready.users[-1].username, len(ready.users)) == ("test_100", "test_347", 248)
    assert "UserLogin" not in repr(ready)
    assert "client_secret" not in repr(ready)


SCENARIO = {
    "name": "t",
    "topologies": {"one": {"provider": "url", "issuer": "https://iam.example/"}},
    "clients": {"a": {"id": "a", "secret": "${A_SECRET}"}, "b": {"id": "b", "secret": {"file": "b.txt"}}},
    "users": {"file": "users.csv"},
    "steps": {
        "issue": {"grant": "client_credentials", "client": "a"},
        "other": {"grant": "client_credentials", "client": "b"},
    },
    "workloads": {"a": ["issue"], "b": ["other"]},
}


def test_only_the_secrets_of_the_workload_are_needed(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("username,password\nada,x\n")
    scenario = parse_scenario(SCENARIO, "test")
    assert prepare_workload(scenario, "a", ENDPOINTS, tmp_path, {"A_SECRET": "s"}).steps[0].name == "issue"
    with pytest.raises(SecretMissingError, match="A_SECRET is not set"):
        prepare_workload(scenario, "a", ENDPOINTS, tmp_path, {})
    with pytest.raises(SecretMissingError, match=r"b\.txt:? cannot be read"):
        prepare_workload(scenario, "b", ENDPOINTS, tmp_path, {})
    (tmp_path / "b.txt").write_text(" secret \n")
    assert prepare_workload(scenario, "b", ENDPOINTS, tmp_path, {}).steps[0].name == "other"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", "the first line must name the columns username and password"),
        ("name,password\nada,x\n", "the first line must name the columns username and password"),
        ("username,password\n", "names no user; add a line per user"),
        ("username,password\nada\n", "line 2 has no password"),
        ("username,password\n,x\n", "line 2 has no username"),
        (b"username,password\n\xff,x\n", "is not a CSV file in UTF-8"),
    ],
)
def test_a_users_file_that_cannot_be_used_is_named(tmp_path: Path, content: str | bytes | None, message: str) -> None:
    path = tmp_path / "users.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as error:
        load_users(Users(file="users.csv"), tmp_path, {})
    assert f"{path}: " in str(error.value)
    assert message in str(error.value)


def test_a_users_file_keeps_its_order_and_any_password(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text('\ufeffusername,password,note\nada,"a,b"\nbob,c d,x\n', encoding="utf-8")
    users = load_users(Users(file="users.csv"), tmp_path, {})
    assert [(user.username, user.password) for user in users] == [("ada", "a,b"), ("bob", "c d")]


def test_a_range_may_be_one_user(tmp_path: Path) -> None:
    users = load_users(Users(pattern="u{n}", first=7, last=7, password="password"), tmp_path, {})
    assert [user.username for user in users] == ["u7"]
