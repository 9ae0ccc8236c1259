"""Plan: the ordered trials before any of them starts. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from iam_loadtest.results.run import PlannedTrial
from iam_loadtest.scenario.load import Load
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.probes import AUDIT_LIMIT_S
from iam_loadtest.scenario.topology import LabTopology, Topology

START_S = 5.0
"""What starting and stopping Locust's processes takes, for the expected time only."""
LAB_S = 4.0
"""What building and ending the smallest lab takes beside that."""
LAB_HOST_S = 0.3
"""What each further host of a lab adds."""
AUDIT_SHARE = 0.5
"""What reading again takes of the time in which probes wrote, where that is short: measured on labs of three nodes."""


@dataclass(frozen=True)
class Plan:
    """The trials in running order, and how long those of each topology and workload take in seconds."""

    trials: tuple[PlannedTrial, ...]
    takes_s: Mapping[tuple[str, str], float]
    rest_s: float

    @property
    def total_s(self) -> float:
        """The expected time of the whole run, rests between trials included."""
        return self.expected_s(self.trials)

    def expected_s(self, trials: Sequence[PlannedTrial]) -> float:
        """The expected time of some of its trials, run one after the other."""
        return sum(self.length_s(trial) for trial in trials) + max(len(trials) - 1, 0) * self.rest_s

    def length_s(self, trial: PlannedTrial) -> float:
        """The expected seconds of one trial, from the start of its topology to the end of that."""
        return self.takes_s[trial.topology, trial.workload]


def make_plan(scenario: Scenario) -> Plan:
    """Interleaved rounds: the first in the scenario's order, the second reversed, further ones shuffled by the seed.

    Each round runs every topology with every workload once, so that a drift of the machine meets all alike.
    """
    cells = [(topology, workload) for topology in scenario.topologies for workload in scenario.tried_workloads]
    rounds = range(1, scenario.load.trials + 1)
    ordered = [(*cell, number) for number in rounds for cell in _round_order(cells, number, scenario.seed)]
    trials = tuple(PlannedTrial(position, *cell) for position, cell in enumerate(ordered, start=1))
    takes_s = {
        (name, workload): trial_s(scenario.load) + audit_s(scenario, workload) + lead_s(scenario.topologies[name])
        for name, workload in cells
    }
    return Plan(trials, takes_s, scenario.load.rest_s)


def lead_s(topology: Topology) -> float:
    """Expected seconds until a topology stands, and for taking it down; 0 where it stands already or at once."""
    if not isinstance(topology, LabTopology):
        return 0.0
    return LAB_S + LAB_HOST_S * (sum(topology.frontends) + sum(topology.nodes))


def trial_s(load: Load) -> float:
    """Expected seconds of one trial: start, ramp, warm-up, window, cool-down."""
    return START_S + load.ramp_s + load.warm_up_s + load.duration_s + load.cool_down_s


def audit_s(scenario: Scenario, workload: str) -> float:
    """Expected seconds after the load in which what probes wrote settles and is read again; 0 without probes."""
    if not scenario.probes_of(workload):
        return 0.0
    load = scenario.load
    written_s = load.warm_up_s + load.duration_s + load.cool_down_s
    return scenario.settle_s_of(workload) + min(AUDIT_SHARE * written_s, AUDIT_LIMIT_S)


def select(trials: Iterable[PlannedTrial], topologies: Sequence[str], workloads: Sequence[str]) -> list[PlannedTrial]:
    """The trials of the named topologies and workloads; an empty list of names means all of them."""
    return [
        trial
        for trial in trials
        if (not topologies or trial.topology in topologies) and (not workloads or trial.workload in workloads)
    ]


def _round_order(cells: list[tuple[str, str]], number: int, seed: int) -> list[tuple[str, str]]:
    """Topologies stay together in a round, since changing one is the slow part."""
    if number == 1:
        return cells
    if number == 2:
        return cells[::-1]
    chance = random.Random(f"{seed}-{number}")  # noqa: S311  an order, no secret
    topologies = list(dict.fromkeys(topology for topology, _ in cells))
    workloads = list(dict.fromkeys(workload for _, workload in cells))
    chance.shuffle(topologies)
    chance.shuffle(workloads)
    return [(topology, workload) for topology in topologies for workload in workloads]
