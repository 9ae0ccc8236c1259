"""From where on the load generator itself spoils a trial."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from iam_loadtest.scenario.fields import DurationS, Noun, Number


class Limits(Noun):
    """What the generator may need over the measured window; beyond it a trial is invalid, not merely remarkable."""

    cpu_percent: Annotated[Number, Field(gt=0, le=1000)] = Field(
        default=90, description="CPU of the busiest worker, and of the master, in percent of a core"
    )
    loop_lag_s: DurationS = Field(
        default=0.02, alias="loop_lag", gt=0, description="95th percentile of a worker's event-loop lag"
    )
    throttled_percent: Annotated[Number, Field(ge=0, le=1000)] = Field(
        default=1, description="time in which a container's CPU limit held the generator back"
    )
