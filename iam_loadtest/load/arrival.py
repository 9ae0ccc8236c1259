"""When chains are to start in the open model: an absolute schedule, made without looking at what came of it. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, count

from iam_loadtest.scenario.load import ArrivalKind, Load


@dataclass(frozen=True)
class Pace:
    """How many chains are to have started when: a rate that changes at fixed times, the last one for good.

    ``starts_s`` begins with 0 and rises; ``rates_per_s`` are over all workers.
    """

    starts_s: Sequence[float]
    rates_per_s: Sequence[float]

    def times_s(self, arrivals: Iterable[float]) -> Iterator[float]:
        """When so many chains are to have started, for each of a rising sequence of numbers."""
        lengths = [end - start for start, end in zip(self.starts_s, self.starts_s[1:], strict=False)]
        before = [0.0, *accumulate(rate * length for rate, length in zip(self.rates_per_s, lengths, strict=False))]
        stage = 0
        for number in arrivals:
            while stage < len(lengths) and number >= before[stage + 1]:
                stage += 1
            yield self.starts_s[stage] + (number - before[stage]) / self.rates_per_s[stage]


def pace_of(load: Load, lead_s: float) -> Pace:
    """The pace of an open model whose window begins ``lead_s`` after the first arrival: stages begin with the window.

    The rate before the window is ``arrival_rate_per_s``, after the last stage that of the last stage.
    """
    if load.arrival_rate_per_s is None:
        raise ValueError("the load is a closed model")
    starts = [0.0, *accumulate((stage.duration_s for stage in load.stages), initial=lead_s)][: len(load.stages) + 1]
    rates = [load.arrival_rate_per_s, *(stage.arrival_rate_per_s for stage in load.stages)]
    if len(starts) > 1 and lead_s == 0:
        return Pace(starts[1:], rates[1:])
    return Pace(starts, rates)


def numbers_of(kind: ArrivalKind, slot: int, slots: int, seed: str) -> Iterator[float]:
    """The share of worker ``slot`` of ``slots``: the numbers of its arrivals among those of all workers.

    Constant arrivals are dealt in turn, so that those of all workers together are evenly spaced. Of Poisson arrivals
    each worker has a process of its own at its share of the rate: together they are one at the whole rate.
    """
    if kind == "constant":
        return map(float, count(slot, slots))
    chance = random.Random(f"{seed}-{slot}-arrivals")  # noqa: S311  no secret
    return accumulate(chance.expovariate(1 / slots) for _ in count())
