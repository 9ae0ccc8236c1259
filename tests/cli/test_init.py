"""`init` writes a scenario for an IAM that it was only told the issuer of, and checks it against that IAM."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from iam_loadtest.cli import cli
from iam_loadtest.embedded.seed import demo_client_key
from iam_loadtest.runner.embedded_iam import embedded_iam
from iam_loadtest.scenario.topology import EmbeddedTopology
from tests.cli.front_door import call
from tests.hostile_discovery import CASES, SECRET, hostile_issuer
from tests.runner.servers import DISCOVERY, document, serving

pytestmark = pytest.mark.usefixtures("unmeasured")

ACTOR = ("--actor", "token-exchange-actor", "--actor-auth", "post", "--actor-proof", "ACTOR_SECRET")
SUBJECT = ("--subject", "token-exchange-subject", "--subject-auth", "post", "--subject-proof", "SUBJECT_SECRET")
NUMBERS = ("--users-first", "100", "--users-last", "347")
USERS = ("--users-pattern", "test_{n}", *NUMBERS, "--users-password", "USERS_PASSWORD")
NOTHING = ("--refresh-by", "none", "--access", "none")


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A built-in IAM that runs already."""
    directory = tmp_path_factory.mktemp("iam")
    with embedded_iam(EmbeddedTopology.model_validate({"provider": "embedded"}), directory) as iam:
        yield iam.issuer


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACTOR_SECRET", "SUBJECT_SECRET", "ACCESS_SECRET"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("USERS_PASSWORD", "password")


def test_options_alone_give_a_scenario_that_works(
    issuer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three workloads and two controls, a key in a file, and no secret in what was written or said."""
    (tmp_path / "key.json").write_text(json.dumps(demo_client_key()))
    access = ("--access", "jwt-auth-private_key_jwt", "--access-auth", "private_key_jwt")
    path = tmp_path / "first.yaml"
    options = (*access, "--access-proof", "file:key.json", "--refresh-by", "password", *SUBJECT, *ACTOR, *USERS)
    called = call(capsys, "init", issuer, "--output", path, "--no-ask", *options)
    assert (called.code, called.err) == (0, "")
    assert f"{issuer}: indigo-iam" in called.out
    assert "profile: indigo-iam" in path.read_text()
    for row in ("access       issue", "workflow     exchange", "jwks         jwks", "refresh      refresh"):
        assert row in called.out
    assert called.out.endswith(f"All good. Next: iam-loadtest run {path}\n")
    assert "=secret" not in called.out
    assert demo_client_key()["d"][:20] not in called.out + path.read_text()


def test_it_asks_what_no_option_says_and_never_for_a_secret(issuer: str, tmp_path: Path) -> None:
    """CERN's chain: a service exchanges for offline_access, and refreshes as the actor.

    A secret that is typed all the same is asked for again, and is not written anywhere.
    """
    path = tmp_path / "asked.yaml"
    answers = ["token-exchange-subject", "post", "hunter2typed", "SUBJECT_SECRET", "exchange"]
    answers += ["token-exchange-actor", "post", "ACTOR_SECRET", ""]
    done = CliRunner().invoke(cli, ["init", issuer, "--output", str(path), "--ask"], input="\n".join(answers) + "\n")
    assert done.exit_code == 0, done.output
    assert "How is a user's first refresh token had (password, code, device, exchange, file, none)" in done.output
    assert "Error: --access-proof is no file:PATH and no name of a variable" in done.output
    assert "refresh: {prime: [issue_for_service, exchange_offline], steps: [refresh]}" in path.read_text()
    assert "hunter2" not in path.read_text()


def test_a_check_that_fails_keeps_the_file_and_says_what_to_do(
    issuer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ACCESS_SECRET")
    path = tmp_path / "first.yaml"
    options = ("--access", "client-cred", "--refresh-by", "none", "--no-ask")
    called = call(capsys, "init", issuer, "--output", path, *options)
    assert called.code == 1
    assert path.exists()
    assert "environment variable ACCESS_SECRET is not set; export it before the run." in called.err
    assert called.err.endswith(f"Correct that, then: iam-loadtest check {path}\n")


def test_a_file_that_is_there_is_overwritten_by_force_alone(
    issuer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("precious")
    called = call(capsys, "init", issuer, "--output", path, "--no-ask", *NOTHING)
    assert (called.code, path.read_text()) == (1, "precious")
    assert called.err == f"{path}: is there already; name another --output, or overwrite it with --force.\n"
    assert call(capsys, "init", issuer, "--output", path, "--no-ask", "--force", *NOTHING).code == 0
    assert "workloads:" in path.read_text()


def test_a_place_that_cannot_be_written_is_said_before_anything_is_asked(
    issuer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    called = call(capsys, "init", issuer, "--output", tmp_path / "gone" / "first.yaml", "--no-ask", *NOTHING)
    where = tmp_path / "gone"
    assert (called.code, called.out) == (1, "")
    assert called.err == f"{where}/first.yaml: there is no directory {where}; make it, or name another --output.\n"


def test_a_scenario_without_a_client_is_written_and_said_to_ask_for_no_token(
    issuer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there is no terminal, and no option names one."""
    path = tmp_path / "first.yaml"
    called = call(capsys, "init", issuer, "--output", path, "--no-ask")
    assert called.code == 0
    assert called.err == f"{path}: no workload asks for tokens; --access and --refresh-by add some.\n"


def test_what_is_needed_and_not_given_is_wrong_usage(
    issuer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "first.yaml"
    called = call(capsys, "init", issuer, "--output", path, "--no-ask", "--refresh-by", "password")
    assert called.code == 2
    assert "--subject is needed: Id of the client of the users' tokens." in called.err
    for secret in ("hun-ter2", "hunter2"):
        access = ("--access", "a", "--access-proof", secret)
        users = ("--refresh-by", "password", *SUBJECT, "--users-pattern", "u{n}", "--users-password", secret)
        for wrong in (access, users):
            given = call(capsys, "init", issuer, "--output", path, "--no-ask", *wrong)
            assert given.code == 2
            assert "it must not be the secret itself" in given.err
            assert secret not in given.err
            assert not path.exists(), "it would stand there"
    exchanges = call(capsys, "init", issuer, "--output", path, "--no-ask", "--refresh-by", "exchange", *ACTOR)
    assert exchanges.code == 2
    assert "--access is needed with --refresh-by exchange" in exchanges.err
    assert not path.exists()


def test_keycloak_is_recognised_and_its_profile_is_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving() as server:
        realm = f"{server.url}realms/one"
        there = {"issuer": realm, "token_endpoint": f"{realm}/protocol/openid-connect/token"}
        answer = document({**there, "jwks_uri": f"{realm}/protocol/openid-connect/certs"})
        server.answers["/realms/one" + DISCOVERY] = answer
        server.answers["/realms/one/protocol/openid-connect/certs"] = document({"keys": [{"kty": "RSA"}]})
        path = tmp_path / "first.yaml"
        called = call(capsys, "init", realm, "--output", path, "--no-ask", *NOTHING)
    assert (called.code, called.err) == (0, "")
    assert "profile: keycloak" in path.read_text()


@pytest.mark.parametrize("case", ["another-host", "huge-keys", "redirected-discovery"])
def test_an_issuer_that_leads_elsewhere_gets_no_scenario(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "first.yaml"
    with hostile_issuer(case, tmp_path) as hostile:
        options = ("--output", path, "--no-ask", "--ca-bundle", hostile.ca_bundle, *NOTHING)
        called = call(capsys, "init", hostile.server.url, *options)
    assert called.code == 1
    assert CASES[case] in called.err
    assert not path.exists()
    assert hostile.posts == []
    assert SECRET not in called.out


@pytest.mark.parametrize("issuer", ["iam.example.org", "https://user:word@iam.example.org/", "ftp://x/"])
def test_an_issuer_that_is_no_url_is_said_to_be_none(issuer: str, capsys: pytest.CaptureFixture[str]) -> None:
    called = call(capsys, "init", issuer, "--output", "/nowhere/first.yaml", "--no-ask")
    assert called.code == 1
    assert "must be an http or https URL" in called.err
    assert "word" not in called.err
