"""Quick: the same scenario in a size that ends in minutes."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, field_serializer, model_validator

from iam_loadtest.scenario.fields import Noun
from iam_loadtest.scenario.load import Load


class Quick(Noun):
    """What `--quick` changes: keys of the load, and which trials are kept."""

    load: Load = Field(default_factory=Load, description="keys that differ from the scenario's load")
    only: tuple[str, ...] = Field(
        default=(), description="topologies, workloads or TOPOLOGY/WORKLOAD that are kept; all where left out"
    )

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.load.model_fields_set and not self.only:
            raise ValueError("has neither load nor only; write what --quick changes, such as load: {duration: 5s}")
        return self

    @field_serializer("load")
    def _as_written(self, load: Load) -> dict[str, Any]:
        """The file's own keys alone: a default here would read as if it were taken."""
        return load.model_dump(mode="json", by_alias=True, exclude_unset=True)

    @property
    def overrides(self) -> dict[str, Any]:
        """The keys of the load that it changes, under their names in a file."""
        return self._as_written(self.load)
