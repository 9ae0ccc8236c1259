"""Options become a setup: defaults of the built-in IAM, or a scenario's, and secrets only by reference."""

from pathlib import Path

import pytest

from iam_loadtest.errors import UserError
from iam_loadtest.load.setup import (
    ALL_WORKLOADS,
    CLIENT_SECRET_VARIABLE,
    OWN_WORKLOAD,
    PASSWORD_VARIABLE,
    Choices,
    setup_of_choices,
    setup_of_spec,
    with_first_client,
    workload_choices,
)
from iam_loadtest.scenario.builtin import DEFAULT_ISSUER
from iam_loadtest.scenario.trial_spec import TrialSpec

SCENARIO = """\
name: geo
target: {timeout: 7s, ca_bundle: ca.pem, token_endpoint: https://iam.example/token}
clients:
  mine: {id: me, auth: post, secret: "${MY_SECRET}"}
users: {file: users.csv}
steps:
  issue: {grant: client_credentials, client: mine, scope: openid}
workloads:
  only: [issue]
topologies:
  far: {provider: url, issuer: "https://iam.example/", target: {timeout: 9s}}
  near: {provider: embedded}
"""


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    path = tmp_path / "geo.yaml"
    path.write_text(SCENARIO)
    return str(path)


def test_without_options_it_is_the_built_in_iam() -> None:
    setup = setup_of_choices(Choices())
    assert (setup.issuer, setup.is_embedded, setup.samples) == (DEFAULT_ISSUER, True, None)
    assert setup.workloads_for("refresh") == ("refresh",)
    assert setup.workloads_for(None) == ("access", "refresh", "workflow")


def test_a_chosen_workload_comes_before_the_class_own() -> None:
    assert setup_of_choices(Choices(workload="access")).workloads_for("refresh") == ("access",)
    assert setup_of_choices(Choices(workload=ALL_WORKLOADS)).workloads_for("refresh") == (
        "access",
        "refresh",
        "workflow",
    )


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (
            Choices(workload="nonsense"),
            "workload is 'nonsense'; it must be one of: default, access, refresh, workflow, mixed.",
        ),
        (Choices(issuer="localhost:8490"), "issuer is 'localhost:8490'; it must be an http or https URL"),
        (Choices(issuer="http://me:pass@iam.example/"), "without user, query or fragment"),
        (Choices(topology="one"), "--topology is given without --scenario"),
        (Choices(scenario="/nowhere.yaml"), "/nowhere.yaml: cannot be read"),
    ],
)
def test_a_wrong_choice_is_said_in_one_line(choices: Choices, message: str) -> None:
    """The web UI does not check choices; this does."""
    with pytest.raises(UserError) as error:
        setup_of_choices(choices)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_class_whose_workload_the_scenario_has_not_is_refused(scenario: str) -> None:
    with pytest.raises(UserError, match="workload is 'refresh'; it must be one of: default, only, mixed"):
        setup_of_choices(Choices(scenario=scenario)).workloads_for("refresh")


def test_a_scenario_gives_issuer_target_and_workloads(scenario: str, tmp_path: Path) -> None:
    far = setup_of_choices(Choices(scenario=scenario))
    near = setup_of_choices(Choices(scenario=scenario, topology="near"))
    assert (far.issuer, far.target.timeout_s, far.is_embedded, far.directory) == (
        "https://iam.example/",
        9,
        False,
        tmp_path,
    )
    assert (near.issuer, near.target.timeout_s, near.is_embedded) == (DEFAULT_ISSUER, 7, True)


def test_an_unknown_topology_is_refused_with_the_known_ones(scenario: str) -> None:
    with pytest.raises(UserError, match="topology is 'two'; it must be one of: far, near"):
        setup_of_choices(Choices(scenario=scenario, topology="two"))


def test_another_issuer_is_discovered_anew(scenario: str) -> None:
    """A secret must not go to the scenario's token endpoint when another issuer was asked for."""
    setup = setup_of_choices(Choices(scenario=scenario, issuer="https://other.example/"))
    assert (setup.issuer, setup.target.token_endpoint) == ("https://other.example/", None)


def test_tls_options_come_before_the_scenario(scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    setup = setup_of_choices(Choices(scenario=scenario, ca_bundle="mine.pem", insecure=True))
    assert (setup.target.ca_bundle, setup.target.verify_tls) == (str(tmp_path / "mine.pem"), False)


def test_the_client_and_scope_chosen_are_those_of_the_first_step() -> None:
    setup = setup_of_choices(Choices(client_id="mine", scope="openid a"))
    scenario = with_first_client(setup, "workflow", {CLIENT_SECRET_VARIABLE: "s"})
    assert scenario.clients["subject"].id == "mine"
    assert scenario.clients["subject"].secret.env == CLIENT_SECRET_VARIABLE
    assert scenario.steps["issue_for_user"].scope == "openid a"
    assert scenario.clients["actor"].id == "token-exchange-actor", "the exchange's client stays"
    assert scenario.steps["exchange"].scope == "openid profile"


def test_a_public_client_of_the_built_in_iam_needs_no_secret_given() -> None:
    setup = setup_of_choices(Choices(client_id="client-cred"))
    assert with_first_client(setup, "refresh", {}).clients["subject"].secret.literal == "secret"


def test_a_client_of_ones_own_takes_its_secret_from_the_environment_and_from_nowhere_else() -> None:
    setup = setup_of_choices(Choices(client_id="mine"))
    assert with_first_client(setup, "access", {}).clients["access"].secret.env == CLIENT_SECRET_VARIABLE


def test_the_password_may_come_from_the_environment() -> None:
    setup = setup_of_choices(Choices())
    assert with_first_client(setup, "refresh", {PASSWORD_VARIABLE: "p"}).users.password.env == PASSWORD_VARIABLE
    assert with_first_client(setup, "refresh", {}).users.password.literal == "password"


def test_a_trials_scenario_is_taken_as_it_is(scenario: str, tmp_path: Path) -> None:
    spec = TrialSpec(
        scenario, str(tmp_path), "near", "only", "http://127.0.0.1:5/", str(tmp_path / "trial"), {"users": 3}
    )
    setup = setup_of_spec(spec)
    assert (setup.workload, setup.issuer, setup.samples) == ("only", "http://127.0.0.1:5/", tmp_path / "trial")
    assert setup.scenario.load.users == 3
    assert with_first_client(setup, "only", {CLIENT_SECRET_VARIABLE: "s"}) is setup.scenario


def test_the_choices_of_the_option_are_the_scenarios_workloads(scenario: str) -> None:
    assert workload_choices("") == (OWN_WORKLOAD, "access", "refresh", "workflow", ALL_WORKLOADS)
    assert workload_choices(scenario) == (OWN_WORKLOAD, "only", ALL_WORKLOADS)
    assert workload_choices("/nowhere.yaml") == workload_choices("")
