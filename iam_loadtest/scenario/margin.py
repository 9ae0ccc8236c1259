"""Margins: the smallest differences that matter, set before anything is measured."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from iam_loadtest.scenario.fields import Noun, Share


class Margins(Noun):
    """Ratio - 1 of each compared metric: 0.05 means that topologies within 5 % of each other are as good as equal."""

    throughput_share: Annotated[Share, Field(gt=0)] = Field(
        default=0.05,
        alias="throughput",
        validate_default=False,
        description="smallest difference of throughput that matters",
    )
    p95_share: Annotated[Share, Field(gt=0)] = Field(
        default=0.10, alias="p95", validate_default=False, description="smallest difference of p95 that matters"
    )
