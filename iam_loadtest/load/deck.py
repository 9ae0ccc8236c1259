"""What probe comes next: kinds in turn, routes shuffled so that each comes as often as any other, delays by chance."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import chain, cycle, repeat
from typing import NamedTuple

from iam_loadtest.flow.probe import SCHEDULE_MS, ProbeSteps, Route


class Draw(NamedTuple):
    """A probe to run."""

    steps: ProbeSteps
    route: Route
    delay_ms: int


class Deck:
    """Draws probes for ever. A fifth goes through the balancer, all where no node is known.

    Reads come at once in every second probe, and in the others after any delay of the schedule alike.
    """

    def __init__(self, kinds: Sequence[ProbeSteps], nodes: Sequence[str], chance: random.Random) -> None:
        self._kinds = cycle([(steps, _shuffled(_routes(steps, nodes), chance)) for steps in kinds])
        self._chance = chance

    def draw(self) -> Draw:
        """The next one."""
        steps, routes = next(self._kinds)
        delay_ms = 0 if self._chance.random() < 0.5 else self._chance.choice(SCHEDULE_MS)
        return Draw(steps, next(routes), delay_ms)


def _routes(steps: ProbeSteps, nodes: Sequence[str]) -> list[Route]:
    """Every pair of nodes, a node with itself too unless it is about two at once; and a quarter as many without any."""
    is_double = steps.kind.is_double and len(nodes) > 1
    pinned = [Route(write, read) for write in nodes for read in nodes if not (is_double and write == read)]
    return [*pinned, *repeat(Route(), max(round(len(pinned) / 4), 1))]


def _shuffled(routes: Sequence[Route], chance: random.Random) -> Iterator[Route]:
    return chain.from_iterable(chance.sample(routes, len(routes)) for _ in repeat(None))
