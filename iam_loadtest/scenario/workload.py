"""A workload: one chain of steps, or several of them mixed by weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from iam_loadtest.scenario.fields import Name, Noun, Number

_Steps = Annotated[tuple[Name, ...], Field(min_length=1)]
Weight = Annotated[Number, Field(gt=0)]


class Workload(Noun):
    """What users do: a list of steps alone, or ``steps`` with ``prime``, or a ``mix`` of other workloads."""

    steps: _Steps | None = Field(default=None, description="the chain: requests in their order")
    prime: tuple[Name, ...] = Field(
        default=(), description="steps that a user does once before its first chain, and again where a chain lost them"
    )
    mix: dict[Name, Weight] = Field(
        default_factory=dict, description="other workloads with their weights: shares of the chains, not of the users"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        return value if isinstance(value, Mapping | Workload) else {"steps": value}

    @model_validator(mode="after")
    def _is_chain_or_mix(self) -> Workload:
        if not self.steps and not self.mix:
            raise ValueError("has neither steps nor mix; write steps: [...], or mix: {workload: weight}")
        if self.mix and (self.steps or self.prime):
            other = "steps" if self.steps else "prime"
            raise ValueError(f"has {other} beside mix; a mix takes them from the workloads that it names, so remove it")
        return self

    @property
    def chain(self) -> tuple[str, ...]:
        """Every step in order, those of ``prime`` first; none for a mix."""
        return (*self.prime, *(self.steps or ()))

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> Any:
        """A chain alone is a list again; keys that say nothing are left out."""
        if self.steps and not self.prime:
            return list(self.steps)
        return {key: value for key, value in handler(self).items() if value}
