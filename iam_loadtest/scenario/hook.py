"""Commands at the turning points of a run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from iam_loadtest.scenario.fields import DurationS, Noun


class Hook(Noun):
    """A command run beside the trials; the environment tells it topology, workload, trial and directory."""

    command: tuple[str, ...] = Field(min_length=1, description="program and arguments, no shell")
    timeout_s: DurationS = Field(default=600, alias="timeout", gt=0, description="time limit")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, str | list):
            value = {"command": value}
        if not isinstance(value, Mapping | Hook):
            raise ValueError("must be a command: a text, a list of texts, or a mapping with command and timeout")
        if isinstance(value, Mapping) and "command" in value:
            return {**value, "command": split_command(value["command"])}
        return value


def split_command(command: Any) -> Any:
    """The words of a command that is one text, as a shell takes them apart; anything else as it is."""
    if not isinstance(command, str):
        return command
    try:
        return shlex.split(command)
    except ValueError as error:
        raise ValueError(f"cannot be split into words: {str(error).lower()}; check its quotes") from error


class Hooks(Noun):
    """Commands at the turning points of a run; a failed one fails the trial."""

    before_topology: Hook | None = Field(default=None, description="before a trial of another topology than the last")
    before_trial: Hook | None = Field(default=None, description="before every trial")
    after_trial: Hook | None = Field(default=None, description="after every trial, however it ended")
