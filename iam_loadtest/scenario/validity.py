"""Validity: which trials count."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from iam_loadtest.scenario.fields import Noun, Share


class Validity(Noun):
    """What a trial must keep to count. A trial that does not is kept on disk, marked, and repeated once."""

    steady_state: Literal["required", "caution"] = Field(
        default="required", description="what becomes of a trial that is not steady: left out, or pointed out"
    )
    failures_share: Share = Field(
        default=1.0,
        alias="failures",
        validate_default=False,
        description="largest share of failed requests with which a trial counts",
    )
    late_arrivals_share: Share = Field(
        default=0.001,
        alias="late_arrivals",
        validate_default=False,
        description="open model: largest share of late or dropped arrivals with which a trial counts",
    )
