"""The order of trials: every cell equally often, interleaved, and the same for the same seed."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.plan import make_plan, select, trial_s
from tests.scenario.scenarios import scenario_of


def scenario_with(topologies: int = 2, workloads: int = 3, trials: int = 3, seed: int = 1) -> Scenario:
    """Topologies t1, t2, ... and workloads w1, w2, ..."""
    return scenario_of(
        topologies={f"t{number}": {"provider": "embedded"} for number in range(1, topologies + 1)},
        workloads={f"w{number}": ["issue"] for number in range(1, workloads + 1)},
        load={"trials": trials},
        seed=seed,
    )


def cells_of_round(scenario: Scenario, number: int) -> list[tuple[str, str]]:
    return [(trial.topology, trial.workload) for trial in make_plan(scenario).trials if trial.trial == number]


def test_the_first_round_is_in_the_file_s_order_and_the_second_in_reverse() -> None:
    """There and back: a drift of the machine meets every topology alike."""
    scenario = scenario_with()
    there = [("t1", "w1"), ("t1", "w2"), ("t1", "w3"), ("t2", "w1"), ("t2", "w2"), ("t2", "w3")]
    assert cells_of_round(scenario, 1) == there
    assert cells_of_round(scenario, 2) == there[::-1]


def test_the_third_round_is_shuffled_by_the_seed() -> None:
    """Another seed gives another order, sooner or later; topologies stay together, since changing one is slow."""
    orders = {tuple(cells_of_round(scenario_with(topologies=4, seed=seed), 3)) for seed in range(10)}
    assert len(orders) > 1
    for order in orders:
        topologies = [topology for topology, _ in order]
        assert topologies == sorted(topologies, key=topologies.index)
        assert len(dict.fromkeys(topologies)) == 4
        assert [topologies.count(topology) for topology in dict.fromkeys(topologies)] == [3, 3, 3, 3]


PLANS = {
    "topologies": st.integers(1, 5),
    "workloads": st.integers(1, 4),
    "trials": st.integers(1, 6),
    "seed": st.integers(0, 2**32),
}


@given(**PLANS)
def test_every_cell_runs_exactly_as_often_as_asked(topologies: int, workloads: int, trials: int, seed: int) -> None:
    """Once in each round, numbered from 1."""
    plan = make_plan(scenario_with(topologies, workloads, trials, seed))
    cells = Counter((trial.topology, trial.workload) for trial in plan.trials)
    assert len(cells) == topologies * workloads
    assert set(cells.values()) == {trials}
    assert len({(trial.topology, trial.workload, trial.trial) for trial in plan.trials}) == len(plan.trials)
    rounds = [trial.trial for trial in plan.trials]
    assert rounds == sorted(rounds), "a round ends before the next begins"


@given(**PLANS)
def test_positions_are_consecutive_and_names_are_unique(
    topologies: int, workloads: int, trials: int, seed: int
) -> None:
    """The directories of a run sort in running order."""
    plan = make_plan(scenario_with(topologies, workloads, trials, seed))
    assert [trial.position for trial in plan.trials] == list(range(1, len(plan.trials) + 1))
    names = [trial.id for trial in plan.trials]
    assert len(set(names)) == len(names)
    assert names == sorted(names)


@given(**PLANS)
def test_the_same_seed_gives_the_same_plan(topologies: int, workloads: int, trials: int, seed: int) -> None:
    """A plan that is printed is the plan that is run."""
    scenario = scenario_with(topologies, workloads, trials, seed)
    assert make_plan(scenario) == make_plan(scenario)


def test_the_expected_time_adds_up() -> None:
    """5 s start, 100/20 = 5 s ramp, 2 s, 60 s, 2 s: 74 s; six trials and five rests of 10 s: 494 s."""
    scenario = scenario_of(
        workloads={"access": ["issue"], "refresh": ["issue_for_user", "refresh"]},
        load={
            **{"users": 100, "spawn_rate_per_s": 20, "warm_up": "2s", "duration": "1m", "cool_down": "2s"},
            **{"rest": "10s", "trials": 3},
        },
    )
    assert trial_s(scenario.load) == pytest.approx(74)
    assert make_plan(scenario).total_s == pytest.approx(494)


def test_trials_can_be_selected_by_topology_and_workload() -> None:
    """Names that are left out mean all."""
    trials = make_plan(scenario_with()).trials
    assert len(select(trials, [], [])) == 18
    assert len(select(trials, ["t2"], [])) == 9
    assert {trial.id.split("-", 1)[1] for trial in select(trials, ["t1"], ["w2"])} == {
        "t1-w2-t1",
        "t1-w2-t2",
        "t1-w2-t3",
    }
