"""A scenario file becomes a scenario: defaults, variables, overrides, and keys that topologies override."""

from __future__ import annotations

from pathlib import Path

import pytest

from iam_loadtest.errors import ScenarioError
from iam_loadtest.scenario.load_file import load_scenario
from iam_loadtest.scenario.model import default_sections
from iam_loadtest.scenario.topology import EmbeddedTopology, UrlTopology
from tests.scenario.scenarios import scenario_of

FAR = {"far": {"provider": "url", "issuer": "https://${IAM_HOST}/"}}
OWN = {
    "clients": {
        "access": {"id": "${IAM_CLIENT}", "secret": "${IAM_SECRET}"},
        "subject": {"id": "b", "auth": "none"},
        "actor": {"id": "c", "auth": "none"},
    },
    "users": {"file": "${IAM_USERS}"},
}
VARIABLES = {"IAM_HOST": "iam.example.org", "IAM_CLIENT": "mine", "IAM_USERS": "users.csv"}


def test_a_file_is_read_with_its_defaults(tmp_path: Path) -> None:
    """A name and a topology are enough; the load is the study's."""
    path = tmp_path / "small.yaml"
    path.write_text("\ufeffname: small\ntopologies: {one: {provider: embedded}}\n", encoding="utf-8")
    scenario = load_scenario(path, environ={})
    load = scenario.load
    assert (load.users, load.spawn_rate_per_s, load.duration_s, load.trials, load.workers) == (500, 10, 600, 3, 8)
    assert load.ramp_s == 50
    assert {name: scenario.steps_of(name) for name in scenario.tried_workloads} == {
        "access": ("issue",),
        "refresh": ("issue_for_user", "refresh"),
        "workflow": ("issue_for_user", "refresh", "exchange"),
    }
    assert [scenario.label_of(step) for step in scenario.steps_of("workflow")] == ["issue", "refresh", "exchange"]


def test_dates_stay_texts(tmp_path: Path) -> None:
    """YAML's habit of making dates of texts does not reach a scenario."""
    path = tmp_path / "dated.yaml"
    path.write_text(
        "name: 2026-11-22\ntopologies: {one: {provider: embedded, factors: {since: 2026-13-45}}}\n", encoding="utf-8"
    )
    scenario = load_scenario(path, environ={})
    assert scenario.name == "2026-11-22"
    assert scenario.topologies["one"].factors == {"since": "2026-13-45"}


def test_variables_are_read_where_they_are_no_secret() -> None:
    """Issuer, client id and users file come from the environment; the secret stays a reference."""
    scenario = scenario_of(environ=VARIABLES, topologies=FAR, **OWN)
    topology = scenario.topologies["far"]
    assert isinstance(topology, UrlTopology)
    assert topology.issuer == "https://iam.example.org/"
    assert scenario.clients["access"].id == "mine"
    assert scenario.users.file == "users.csv"
    assert scenario.resolved()["clients"]["access"]["secret"] == "${IAM_SECRET}"


def test_each_variable_that_is_not_set_is_named_once_with_its_key() -> None:
    """One line per key and variable, and nothing that only follows from it."""
    with pytest.raises(ScenarioError) as caught:
        scenario_of(environ={}, topologies=FAR, **OWN)
    assert caught.value.problems == (
        "small.yaml: topologies.far.issuer refers to ${IAM_HOST}, which is not set; export IAM_HOST first.",
        "small.yaml: clients.access.id refers to ${IAM_CLIENT}, which is not set; export IAM_CLIENT first.",
        "small.yaml: users.file refers to ${IAM_USERS}, which is not set; export IAM_USERS first.",
    )


@pytest.mark.parametrize("key", ["duration", "duration_s"])
def test_overrides_win_over_the_file(key: str) -> None:
    """--duration and --trials replace what the file says and leave the rest of its load."""
    scenario = scenario_of(
        load={"users": 20, key: "10m", "trials": 5}, overrides={"duration": 3.0, "trials": 1}, environ={}
    )
    assert (scenario.load.users, scenario.load.duration_s, scenario.load.trials) == (20, 3, 1)


def test_overrides_are_checked_as_the_file_is() -> None:
    """A wrong value given on the command line is a problem of the same kind."""
    with pytest.raises(ScenarioError, match=r"load\.workers is 1000; it must be 256 or less\."):
        scenario_of(overrides={"workers": 1000})


def test_a_topology_s_target_replaces_only_the_keys_it_names() -> None:
    """The rest comes from the scenario's target, the rest of that from the defaults."""
    scenario = scenario_of(
        target={"timeout": "10s", "backend_header": "X-Node"},
        topologies={"one": {"provider": "embedded"}, "two": {"provider": "embedded", "target": {"timeout": "5s"}}},
    )
    assert scenario.target_of("one").timeout_s == 10
    two = scenario.target_of("two")
    assert (two.timeout_s, two.backend_header, two.connect_timeout_s) == (5, "X-Node", 10)


def test_a_topology_s_hooks_replace_only_the_keys_it_names() -> None:
    """A hook that a topology sets to nothing is not run there."""
    scenario = scenario_of(
        hooks={"before_trial": "./reset --all", "after_trial": ["./collect", "the logs"]},
        topologies={
            "one": {"provider": "embedded"},
            "two": {"provider": "embedded", "hooks": {"before_topology": "./deploy two", "after_trial": None}},
        },
    )
    one, two = scenario.hooks_of("one"), scenario.hooks_of("two")
    assert one.before_topology is None
    assert one.after_trial is not None
    assert one.after_trial.command == ("./collect", "the logs")
    assert two.before_topology is not None
    assert two.before_topology.command == ("./deploy", "two")
    assert two.before_trial is not None
    assert two.before_trial.command == ("./reset", "--all")
    assert two.after_trial is None


def test_resolved_is_the_same_for_a_default_and_for_the_default_written_out() -> None:
    """Writing out what is the default anyway does not make another scenario of it."""
    plain = scenario_of()
    written = scenario_of(
        load={"duration": "10m", "users": 500, "rest": 5}, target={"timeout": 60}, **default_sections()
    )
    assert plain.resolved() == written.resolved()


def test_a_step_may_exchange_a_named_earlier_token() -> None:
    """`subject_token_from` is right where the step stands before it."""
    scenario = scenario_of(
        steps={
            "login": {"grant": "password", "client": "subject"},
            "exchange": {"grant": "token_exchange", "client": "actor", "subject_token_from": "login"},
        },
        workloads={"exchange": ["login", "exchange"]},
    )
    assert scenario.steps["exchange"].subject_token_from == "login"


def test_embedded_topologies_have_settings_and_frontends() -> None:
    """What is left out is None, so that the built-in IAM's own default holds."""
    topology = scenario_of(
        topologies={"one": {"provider": "embedded", "frontends": 2, "settings": {"rotate_refresh_tokens": True}}}
    ).topologies["one"]
    assert isinstance(topology, EmbeddedTopology)
    assert topology.frontends == 2
    assert topology.settings.rotate_refresh_tokens is True
    assert topology.settings.algorithm is None
