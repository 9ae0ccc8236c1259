"""Demand: what the service has to carry in real use."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from iam_loadtest.scenario.fields import Noun, Number

SECONDS_PER_HOUR = 3600


class Demand(Noun):
    """Tokens and logins of an average hour, and how much busier the busiest moments are."""

    tokens_per_hour: Annotated[Number, Field(gt=0)] | None = Field(
        default=None, description="tokens issued in an average hour; not judged where left out"
    )
    logins_per_hour: Annotated[Number, Field(gt=0)] | None = Field(
        default=None, description="logins of users in an average hour; not judged where left out"
    )
    peak_factor: Annotated[Number, Field(ge=1)] = Field(
        default=1, description="how many times the average the peak reaches"
    )

    @model_validator(mode="after")
    def _asks_for_something(self) -> Demand:
        if self.tokens_per_hour is None and self.logins_per_hour is None:
            raise ValueError("has neither tokens_per_hour nor logins_per_hour; give one of them, or both")
        return self

    def peak_per_s(self, per_hour: float) -> float:
        """The rate at the peak of what an average hour holds ``per_hour`` of."""
        return per_hour * self.peak_factor / SECONDS_PER_HOUR
