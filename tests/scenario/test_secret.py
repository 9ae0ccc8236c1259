"""Secrets are read from where the scenario says, and are never shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.errors import ScenarioError, SecretMissingError
from iam_loadtest.flow.need import require_what_is_needed
from iam_loadtest.flow.prepare import prepare_workload
from iam_loadtest.oidc.discovery import Endpoints
from iam_loadtest.scenario.load_file import parse_scenario
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.secret import SecretRef, parse_secret, says_where
from tests.scenario.scenarios import EMBEDDED, scenario_of

ENDPOINTS = Endpoints("http://iam.invalid/", "http://iam.invalid/token")
ACTOR = {"id": "c", "auth": "none"}


def test_a_secret_comes_from_the_environment(tmp_path: Path) -> None:
    """`${NAME}` is the variable's value, as it is."""
    assert parse_secret("${IAM_SECRET}").resolve(tmp_path, {"IAM_SECRET": " s3cr3t "}) == " s3cr3t "


def test_a_secret_comes_from_a_file_beside_the_scenario(tmp_path: Path) -> None:
    """A relative path counts from the scenario's directory; the line end that editors add is dropped."""
    (tmp_path / "actor.secret").write_text("s3cr3t\n", encoding="utf-8")
    assert parse_secret({"file": "actor.secret"}).resolve(tmp_path, {}) == "s3cr3t"


def test_a_secret_comes_from_a_file_elsewhere(tmp_path: Path) -> None:
    """An absolute path stays what it is."""
    path = tmp_path / "there.secret"
    path.write_text("s3cr3t", encoding="utf-8")
    assert parse_secret({"file": str(path)}).resolve(Path("/nowhere"), {}) == "s3cr3t"


@pytest.mark.parametrize("environ", [{}, {"IAM_SECRET": ""}])
def test_a_variable_that_is_not_set_or_empty_is_named(environ: dict[str, str], tmp_path: Path) -> None:
    """An empty secret would be refused by the IAM with a message that helps nobody."""
    with pytest.raises(SecretMissingError) as caught:
        parse_secret("${IAM_SECRET}").resolve(tmp_path, environ)
    assert str(caught.value) == "environment variable IAM_SECRET is not set; export it before the run."


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file or directory; put the secret there."),
        (b" \n", "is empty; write the secret into it."),
        (b"\xff\xfe", "is not UTF-8 text; write the secret into it."),
    ],
)
def test_a_secret_file_that_cannot_be_used_is_named(content: bytes | None, problem: str, tmp_path: Path) -> None:
    """Missing, empty and binary files each say so."""
    path = tmp_path / "iam.secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SecretMissingError) as caught:
        parse_secret({"file": "iam.secret"}).resolve(tmp_path, {})
    assert str(caught.value) == f"secret file {path} {problem}"


def test_a_reference_is_kept_as_it_is() -> None:
    """A reference that was read already is not read again."""
    reference = SecretRef(env="IAM_SECRET")
    assert parse_secret(reference) is reference


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        (SecretRef(env="IAM_SECRET"), "${IAM_SECRET}"),
        (SecretRef(file="iam.secret"), "file: iam.secret"),
        (SecretRef(literal="secret"), "(public test secret)"),
    ],
)
def test_a_reference_says_where_and_never_what(reference: SecretRef, text: str) -> None:
    """Neither the description nor the repr of a public literal repeats it."""
    assert reference.describe() == text
    assert repr(reference) == f"SecretRef({text})"


def test_all_missing_secrets_are_named_before_anything_starts(tmp_path: Path) -> None:
    """Nobody learns of the second missing variable after twenty hours."""
    scenario = scenario_of(
        clients={"access": {"id": "a", "secret": "${A}"}, "subject": {"id": "b", "secret": "${B}"}, "actor": ACTOR},
        topologies={"one": {"provider": "embedded", "database": "${D}"}},
    )
    with pytest.raises(ScenarioError) as caught:
        require_what_is_needed(scenario, "small.yaml", tmp_path, {"B": "there"})
    assert caught.value.problems == (
        "small.yaml: clients.access.secret: environment variable A is not set; export it before the run.",
        "small.yaml: topologies.one.database: environment variable D is not set; export it before the run.",
    )


def test_a_client_that_no_workload_uses_needs_no_secret(tmp_path: Path) -> None:
    """A scenario may be run in part where only some secrets are at hand."""
    clients = {"access": {"id": "a", "secret": "${A}"}, "subject": {"id": "b", "secret": "${B}"}, "actor": ACTOR}
    scenario = scenario_of(clients=clients, workloads={"access": ["issue"]})
    require_what_is_needed(scenario, "small.yaml", tmp_path, {"A": "there"})


TYPED = st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), max_size=40)


@given(TYPED.map(lambda text: f"hunter2{text}"))
def test_a_secret_is_in_nothing_that_is_shown(secret: str) -> None:
    """Not in run.json, not in a repr of the scenario or of a workload that is ready to run."""
    environ = {"A_SECRET": secret, "USERS_PASSWORD": secret}
    clients = {"access": {"id": "a", "secret": "${A_SECRET}"}, "subject": {"id": "b", "secret": "${A_SECRET}"}}
    scenario = scenario_of(
        clients={**clients, "actor": ACTOR}, users={"password": "${USERS_PASSWORD}"}, environ=environ
    )
    ready = prepare_workload(scenario, "workflow", ENDPOINTS, Path(), environ)
    for shown in (json.dumps(scenario.resolved()), repr(scenario), str(scenario), repr(ready), repr(ready.steps)):
        assert secret not in shown


@given(
    secret=TYPED,
    place=st.sampled_from(["secret", "secret list", "client", "users", "password", "url", "extra", "auth typo"]),
)
def test_a_secret_written_out_is_refused_without_being_repeated(secret: str, place: str) -> None:
    """Wherever it was put by mistake, the message names the key and not the value."""
    marked = f"hunter2{secret}"
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(document_with(marked, place), "small.yaml", environ={})
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def document_with(secret: str, place: str) -> dict[str, object]:
    """A scenario that has the secret where it must not be."""
    clients: dict[str, object] = {
        "access": {"id": "a", "secret": "${A}"},
        "subject": {"id": "b", "secret": "${B}"},
        "actor": ACTOR,
    }
    broken: dict[str, dict[str, object]] = {
        "secret": {"clients": {**clients, "access": {"id": "a", "secret": secret}}},
        "secret list": {"clients": {**clients, "access": {"id": "a", "secret": [secret]}}},
        "client": {"clients": {**clients, "access": secret}},
        "users": {"users": secret},
        "password": {"users": {"password": secret}},
        "auth typo": {"clients": {**clients, "access": {"id": "a", "secrt": secret}}},
        "url": {"topologies": {"far": {"provider": "url", "issuer": f"https://a:{secret.replace('/', '')}@iam/"}}},
        "extra": {
            "steps": {"issue": {"grant": "client_credentials", "client": "access", "extra": {"client_secret": secret}}},
            "workloads": {"access": ["issue"]},
        },
    }
    return {"name": "small", "topologies": EMBEDDED, "clients": clients, **broken[place]}


def test_public_secrets_of_the_built_in_iam_may_be_written_out() -> None:
    """Everybody knows them, and the demo would be longer without."""
    scenario: Scenario = scenario_of(
        clients={
            "access": {"id": "client-cred", "secret": "secret"},
            "subject": {"id": "token-exchange-subject", "secret": "secret"},
            "actor": {"id": "token-exchange-actor", "secret": "secret"},
        },
        users={"password": "password"},
    )
    assert scenario.clients["access"].secret == SecretRef(literal="secret")
    assert '"secret": "secret"' not in json.dumps(scenario.resolved())


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("ACCESS_SECRET", True),
        ("_A1", True),
        ("set_already", True),
        ("file:key.pem", True),
        ("file:", False),
        ("", False),
        ("not_set", False),
        ("xYz123", False),
        ("1A", False),
        ("A-B", False),
        ("${A}", False),
        ("A}", False),
    ],
)
def test_an_option_says_where_a_secret_is_and_is_not_the_secret(text: str, is_one: bool) -> None:
    """What could be either is taken for a variable where it is one, or written as they are."""
    assert says_where(text, {"set_already": "s"}) is is_one
