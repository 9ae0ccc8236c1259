"""Metric: one figure that charts and tables show, where it is found and what it is called."""

from __future__ import annotations

from dataclasses import dataclass

from iam_loadtest.analysis.cell import CombinedPart
from iam_loadtest.analysis.estimate import Estimate
from iam_loadtest.analysis.part import ALL_REQUESTS, Part
from iam_loadtest.results.sample import WORKFLOW_STEP

NAME_OF = {"throughput": "throughput", "p95": "chain p95"}
"""What compared metrics are called in sentences."""


@dataclass(frozen=True)
class Metric:
    """``part`` names the rows it is taken from: all requests, or the rows of whole chains."""

    name: str
    title: str
    axis: str
    unit: str
    part: str
    note: str

    def of(self, part: CombinedPart) -> Estimate:
        """The estimate over trials."""
        if self.name == THROUGHPUT.name:
            return part.throughput_per_s
        found: Estimate = getattr(part, f"{self.name}_ms")
        return found

    def of_trial(self, part: Part | None) -> float | None:
        """The value of one trial; None where it has none."""
        if part is None:
            return None
        if self.name == THROUGHPUT.name:
            return part.throughput_per_s
        value_us: int | None = getattr(part.latency, f"{self.name}_us")
        return None if value_us is None else value_us / 1000


THROUGHPUT = Metric(
    "throughput",
    "Throughput",
    "successful requests per second (more is better)",
    "requests/s",
    ALL_REQUESTS,
    "Successful HTTP requests that started in the measured window, per second of it (goodput). A workload of three "
    "steps sends three requests per chain: compare topologies within a workload, not workloads with each other.",
)


def chain_latency(name: str) -> Metric:
    """A percentile of the time that whole successful chains took."""
    percent = name.removeprefix("p")
    return Metric(
        name,
        f"Latency of the whole chain, {name}",
        f"{name} of successful chains, ms (less is better)",
        "ms",
        WORKFLOW_STEP,
        f"The smallest recorded time that {percent} % of the successful chains of a trial did not exceed, from the "
        "start of the first step to the end of the last. Single steps are in the details of each topology.",
    )


HEADLINE = (THROUGHPUT, chain_latency("p50"), chain_latency("p80"), chain_latency("p95"))
