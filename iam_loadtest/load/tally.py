"""What the master looks up in a block of rows as it arrives, in whole columns: a loop over rows would cost a core.

Imports numpy, which the master has for pyarrow's sake; workers never load this module.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from iam_loadtest.load.collector import FIRST_CHAINS
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.sample import SampleBlock, is_chain_step
from iam_loadtest.results.trial import WindowMarks

Latencies = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Tally:
    """One block in figures. ``chain_us`` holds the latencies of whole chains.

    ``first_chains`` are the outcomes of the first of them in the order in which they ended, FIRST_CHAINS at most.
    """

    rows_by_step: Mapping[str, int]
    first_chains: Sequence[str]
    requests: int
    good_requests: int
    chain_us: Latencies
    has_success: bool


def tally(block: SampleBlock, window: WindowMarks) -> Tally:
    """The figures of a block; a success is a whole chain that went well and starts in the window."""
    step, outcome = _codes(block.step_code), _codes(block.outcome_code)
    is_chain = np.isin(step, [code for code, name in enumerate(block.steps) if is_chain_step(name)])
    is_good = np.isin(outcome, [code for code, name in enumerate(block.outcomes) if name == Outcome.OK.value])
    return Tally(
        rows_by_step=_counts(step, block.steps),
        first_chains=[block.outcomes[code] for code in outcome[is_chain][:FIRST_CHAINS]],
        requests=int(np.count_nonzero(~is_chain)),
        good_requests=int(np.count_nonzero(is_good & ~is_chain)),
        chain_us=np.frombuffer(block.latency_us, np.uint32)[is_chain],
        has_success=_is_any_inside(np.frombuffer(block.started_us, np.int64)[is_chain & is_good], window),
    )


def p95_ms(tallies: Sequence[Tally]) -> float | None:
    """The smallest latency of a chain that at least 95 % of the chains did not exceed; None without chains."""
    latencies = np.concatenate([one.chain_us for one in tallies]) if tallies else np.empty(0, np.uint32)
    if not len(latencies):
        return None
    rank = -(-95 * len(latencies) // 100)
    return float(np.partition(latencies, rank - 1)[rank - 1]) / 1000


def _codes(column: array[int]) -> npt.NDArray[np.uint16]:
    return np.frombuffer(column, np.uint16)


def _counts(codes: npt.NDArray[np.uint16], names: Sequence[str]) -> dict[str, int]:
    counted = np.bincount(codes, minlength=len(names)).tolist()
    return {name: rows for name, rows in zip(names, counted, strict=True) if rows}


def _is_any_inside(started_us: npt.NDArray[np.int64], window: WindowMarks) -> bool:
    if window.window_start_us is None:
        return False
    inside = started_us >= window.window_start_us
    if window.window_end_us is not None:
        inside &= started_us < window.window_end_us
    return bool(inside.any())
