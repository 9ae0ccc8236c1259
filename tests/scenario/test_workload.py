"""Workloads that begin with tokens, or mix others."""

from __future__ import annotations

from typing import Any

import pytest

from iam_loadtest.errors import ScenarioError
from iam_loadtest.scenario.load_file import parse_scenario
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.plan import make_plan

WORKLOADS: dict[str, Any] = {
    "access": ["issue"],
    "session": {"prime": ["issue_for_user"], "steps": ["refresh"]},
    "day": {"mix": {"access": 20, "session": 10.5}},
}


def scenario(**sections: Any) -> Scenario:
    topologies = {"one": {"provider": "embedded"}}
    return parse_scenario({"name": "w", "topologies": topologies, "workloads": WORKLOADS, **sections}, "w.yaml")


def test_a_mix_has_the_steps_of_its_parts_and_a_chain_is_its_own_only_part() -> None:
    noun = scenario()
    assert noun.chains_of("day") == {"access": 20, "session": 10.5}
    assert noun.chains_of("session") == {"session": 1}
    assert noun.steps_of("day") == ("issue", "issue_for_user", "refresh")


def test_run_json_keeps_workloads_as_they_are_written() -> None:
    """A list stays a list; keys that say nothing are left out."""
    assert scenario().resolved()["workloads"] == WORKLOADS


def test_a_mix_may_name_ready_made_workloads_which_have_no_trials_then() -> None:
    noun = scenario(workloads={"day": {"mix": {"access": 2, "introspect": 1}}})
    assert noun.steps_of("day")[0] == "issue"
    assert len(noun.steps_of("day")) > 1
    assert noun.tried_workloads == ("day",)


def test_trials_are_planned_of_every_workload_or_of_those_named() -> None:
    assert {trial.workload for trial in make_plan(scenario()).trials} == set(WORKLOADS)
    assert {trial.workload for trial in make_plan(scenario(trials_of=["day"])).trials} == {"day"}


def test_an_objective_may_be_about_the_chains_of_one_part_of_a_mix() -> None:
    objective = {"workload": "day", "step": "workflow:session", "expect": "p95 < 1s"}
    assert scenario(objectives=[objective]).objectives[0].step == "workflow:session"
    with pytest.raises(ScenarioError, match="one of the steps there: issue, refresh, workflow:access, workflow:sess"):
        scenario(objectives=[{**objective, "step": "workflow:login"}])
