"""Which workload a user's next chain is of: the only one, or one of several by weight."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from iam_loadtest.flow.prepare import ReadyWorkload
from iam_loadtest.results.sample import WORKFLOW_STEP, chain_step

GOLDEN = 0.6180339887498949
"""Multiples of this, modulo 1, fill an interval as evenly as any sequence does, however many are taken."""


@dataclass(frozen=True)
class ChainKind:
    """A workload that chains can be of, and the step name of the rows that time them whole."""

    workload: ReadyWorkload
    step: str = WORKFLOW_STEP


class Mix:
    """Draws the workload of one chain after the other.

    The share of each among the chains drawn is its weight, after any number of draws and to within a few chains: drawn
    by chance, the shares would differ from trial to trial, and the figures with them. ``start`` is from 0 to 1.
    """

    def __init__(self, kinds: Sequence[ChainKind], weights: Sequence[float] = (1.0,), start: float = 0.0) -> None:
        self.kinds = tuple(kinds)
        total = sum(weights)
        self._bounds = [bound / total for bound in accumulate(weights)][:-1]
        self._place = start

    def draw(self) -> ChainKind:
        """The kind of the next chain."""
        if not self._bounds:
            return self.kinds[0]
        self._place = (self._place + GOLDEN) % 1.0
        return self.kinds[bisect(self._bounds, self._place)]


def mix_of(workloads: Mapping[str, ReadyWorkload], weights: Mapping[str, float], start: float) -> Mix:
    """The mix of the workloads named in ``weights``.

    Chains have a name of their own where the test's ``workloads`` are several, whether by a mix or by users of each.
    """
    is_alone = len(workloads) == 1
    kinds = [ChainKind(workloads[name], WORKFLOW_STEP if is_alone else chain_step(name)) for name in weights]
    return Mix(kinds, list(weights.values()), start)
