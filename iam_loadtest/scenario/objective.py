"""Objectives: what a service must reach, written as people say it: ``p95 < 500ms``."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

_TEXT = re.compile(r"(p50|p80|p95|p99\.9|p99|failures|throughput)\s*(<=|>=|<|>)\s*(\d+(?:\.\d+)?)\s*(ms|s|%|/s)")
_UNIT_OF = {"failures": {"%"}, "throughput": {"/s"}}
OBJECTIVE_HELP = "`p95 < 500ms`, `failures < 1%` or `throughput > 300/s` (p50, p80, p95, p99, p99.9 in ms or s)"


class Metric(StrEnum):
    """What an objective may be about. Latencies in ms, failures in percent of requests, throughput in 1/s."""

    P50 = "p50"
    P80 = "p80"
    P95 = "p95"
    P99 = "p99"
    P99_9 = "p99.9"
    FAILURES = "failures"
    THROUGHPUT = "throughput"


class Objective(BaseModel):
    """One limit. ``limit`` is in ms, percent or 1/s, as the metric has it; None means every workload or step.

    For a workload a latency is the whole chain's; with ``step`` it is that step's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    workload: str | None = Field(default=None, description="only this workload; every workload where left out")
    step: str | None = Field(default=None, description="only this step; the whole chain where left out")
    expect: str = Field(description=OBJECTIVE_HELP)

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"expect": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _is_readable(self) -> Objective:
        parse_expectation(self.expect)
        return self

    @property
    def metric(self) -> Metric:
        """What is limited."""
        return parse_expectation(self.expect)[0]

    @property
    def limit(self) -> float:
        """The limit in the metric's unit."""
        return parse_expectation(self.expect)[2]

    def is_met_by(self, value: float) -> bool:
        """Whether a measured value, in the metric's unit, is on the right side of the limit."""
        _, comparison, limit = parse_expectation(self.expect)
        return {"<": value < limit, "<=": value <= limit, ">": value > limit, ">=": value >= limit}[comparison]


def parse_expectation(text: str) -> tuple[Metric, str, float]:
    """Metric, comparison and limit of a text such as ``p95 < 0.5s``; raises ValueError that shows the forms."""
    match = _TEXT.fullmatch(text.strip())
    if match is None or match[4] not in _UNIT_OF.get(match[1], {"ms", "s"}):
        raise ValueError(f"must be like {OBJECTIVE_HELP}")
    limit = float(match[3]) * (1000 if match[4] == "s" else 1)
    return Metric(match[1]), match[2], limit
