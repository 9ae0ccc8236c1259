"""How hard and how long."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from iam_loadtest.scenario.fields import DurationS, Noun, Number, Whole
from iam_loadtest.scenario.limits import Limits


class Load(Noun):
    """How hard and how long: a closed model, each user sends its next request when the last one was answered."""

    users: Annotated[Whole, Field(ge=1, le=100_000)] = Field(
        default=500, description="simulated users over all workers"
    )
    spawn_rate_per_s: Annotated[Number, Field(gt=0)] = Field(default=10, description="users started each second")
    warm_up_s: DurationS = Field(default=30, alias="warm_up", description="after the ramp, before the window")
    duration_s: DurationS = Field(default=600, alias="duration", gt=0, description="length of the measured window")
    cool_down_s: DurationS = Field(default=2, alias="cool_down", description="load goes on after the window")
    rest_s: DurationS = Field(default=5, alias="rest", description="pause between trials")
    think_time_s: DurationS = Field(default=0, alias="think_time", description="pause of a user between chains")
    workers: Annotated[Whole, Field(ge=1, le=256)] = Field(default=8, description="Locust worker processes")
    trials: Annotated[Whole, Field(ge=1, le=1000)] = Field(default=3, description="trials per topology and workload")
    limits: Limits = Field(default=Limits(), description="what the generator may need before a trial is invalid")

    @property
    def ramp_s(self) -> float:
        """Seconds until all users run."""
        return self.users / self.spawn_rate_per_s
