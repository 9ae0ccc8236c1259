"""How hard and how long."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from iam_loadtest.scenario.fields import DurationS, Noun, Number, Whole
from iam_loadtest.scenario.limits import Limits
from iam_loadtest.units import format_duration

ArrivalKind = Literal["constant", "poisson"]
_RatePerS = Annotated[Number, Field(gt=0)]


class Stage(Noun):
    """A part of the measured window with an arrival rate of its own."""

    duration_s: DurationS = Field(alias="duration", gt=0, description="length of the stage")
    arrival_rate_per_s: _RatePerS = Field(description="chains started each second over all workers")


class Load(Noun):
    """How hard and how long.

    Closed model: each user sends its next request when the last one was answered. Open model, where
    ``arrival_rate_per_s`` is set: chains start by the clock, whatever the server does, and ``users`` bounds how many
    run at once.
    """

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

    arrival_rate_per_s: _RatePerS | None = Field(
        default=None, description="open model: chains started each second over all workers, whatever the server does"
    )
    arrivals: ArrivalKind = Field(default="constant", description="open model: evenly spaced, or at random (Poisson)")
    stages: tuple[Stage, ...] = Field(
        default=(), description="open model: parts of the window with other rates; the last one's goes on to the end"
    )
    late_limit_s: DurationS | None = Field(
        default=None,
        alias="late_limit",
        gt=0,
        description="open model: an arrival that waited this long for a free user is dropped; the request's time limit "
        "where left out",
    )

    @model_validator(mode="after")
    def _is_one_model(self) -> Load:
        if self.arrival_rate_per_s is None:
            self._refuse_open_keys()
        else:
            self._refuse_closed_keys()
        return self

    def _refuse_open_keys(self) -> None:
        named = {"arrivals": self.arrivals != "constant", "stages": self.stages, "late_limit": self.late_limit_s}
        for key, value in named.items():
            if value:
                raise ValueError(f"{key} belongs to the open model; add arrival_rate_per_s, or remove it")

    def _refuse_closed_keys(self) -> None:
        if self.think_time_s:
            raise ValueError("think_time belongs to the closed model; remove it, or arrival_rate_per_s")
        if self.users < self.workers:
            raise ValueError(
                f"users is {self.users}; the open model needs one or more for each of the {self.workers} workers"
            )
        staged_s = sum(stage.duration_s for stage in self.stages)
        if staged_s > self.duration_s:
            lasts, window = format_duration(staged_s), format_duration(self.duration_s)
            raise ValueError(f"stages last {lasts} in all; they must not be longer than duration, which is {window}")

    @property
    def is_open(self) -> bool:
        """Whether chains start by the clock rather than when users are free."""
        return self.arrival_rate_per_s is not None

    @property
    def ramp_s(self) -> float:
        """Seconds until all users run."""
        return self.users / self.spawn_rate_per_s
