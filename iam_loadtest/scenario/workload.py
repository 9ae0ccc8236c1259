"""A workload: one chain of steps, several of them mixed by weight, or consistency probes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from iam_loadtest.results.probe import ProbeKind
from iam_loadtest.scenario.fields import Name, Noun, Number

_Steps = Annotated[tuple[Name, ...], Field(min_length=1)]
Weight = Annotated[Number, Field(gt=0)]


class Workload(Noun):
    """What users do: a list of steps, or ``steps`` with ``prime``, or a ``mix`` of other workloads, or ``probes``."""

    steps: _Steps | None = Field(default=None, description="the chain: requests in their order")
    prime: tuple[Name, ...] = Field(
        default=(), description="steps that a user does once before its first chain, and again where a chain lost them"
    )
    mix: dict[Name, Weight] = Field(
        default_factory=dict, description="other workloads with their weights: shares of the chains, not of the users"
    )
    probes: tuple[ProbeKind, ...] = Field(
        default=(), description="consistency probes that the users run, in equal parts, in place of chains"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        return value if isinstance(value, Mapping | Workload) else {"steps": value}

    @model_validator(mode="after")
    def _is_chain_or_mix(self) -> Workload:
        if not self.steps and not self.mix and not self.probes:
            raise ValueError("has neither steps nor mix; write steps: [...], or mix: {workload: weight}")
        if self.probes and (self.steps or self.prime or self.mix):
            other = "mix" if self.mix else "prime" if self.prime else "steps"
            raise ValueError(f"has {other} beside probes; probes have their own steps, so remove one of the two")
        if self.mix and (self.steps or self.prime):
            other = "steps" if self.steps else "prime"
            raise ValueError(f"has {other} beside mix; a mix takes them from the workloads that it names, so remove it")
        return self

    @property
    def chain(self) -> tuple[str, ...]:
        """Every step in order, those of ``prime`` first; none for a mix or for probes."""
        return (*self.prime, *(self.steps or ()))

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> Any:
        """A chain alone is a list again; keys that say nothing are left out."""
        if self.steps and not self.prime:
            return list(self.steps)
        return {key: value for key, value in handler(self).items() if value}
