"""A frontend of the lab that is not the built-in IAM: any program that serves HTTP."""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import Formatter
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from iam_loadtest.scenario.fields import DurationS, Noun
from iam_loadtest.scenario.hook import split_command

PLACEHOLDERS = (
    *("node", "number", "address", "port", "issuer", "public_url", "directory"),
    *("database_url", "database_host", "database_port", "database_name", "database_user", "database_password"),
    *("replica_host", "sessions_url"),
)
_COMMAND_SCHEMA = WithJsonSchema(
    {"type": ["string", "array"], "items": {"type": "string"}, "description": "program and arguments, no shell"}
)


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders filled in; doubled braces become single ones."""
    return text.format_map(values)


def _check_placeholders(text: str) -> str:
    try:
        parts = list(Formatter().parse(text))
    except ValueError:
        raise ValueError("must have its braces in pairs; write {{ for a brace that is meant as one") from None
    for _, name, form, conversion in parts:
        if name is not None and (name not in PLACEHOLDERS or form or conversion):
            raise ValueError(f"must hold no placeholder but {', '.join(PLACEHOLDERS)}; write {{{{ for a brace")
    return text


def _check_variable(name: str) -> str:
    return _matching(r"[A-Za-z_][A-Za-z0-9_]*", name, "must be the name of a variable, such as KC_DB")


def _check_health(path: str) -> str:
    return _matching(r"/[!-~]*", path, "must be a path that begins with a slash, such as /health")


def _check_issuer_path(path: str) -> str:
    return _matching(r"([\w.~-]+/?)*", path, "must be a path without a slash before it, such as realms/test")


def _matching(pattern: str, text: str, words: str) -> str:
    if not re.fullmatch(pattern, text, re.ASCII):
        raise ValueError(words)
    return text


_Text = Annotated[str, AfterValidator(_check_placeholders)]
_Command = Annotated[tuple[_Text, ...], BeforeValidator(split_command), Field(min_length=1), _COMMAND_SCHEMA]
_Variable = Annotated[str, AfterValidator(_check_variable)]


class LabFrontend(Noun):
    """The program that is every frontend, each in a network of its own. Its texts may hold placeholders."""

    command: _Command = Field(description="program and arguments, no shell")
    environ: dict[_Variable, _Text] = Field(default_factory=dict, description="its environment variables, no secrets")
    pass_environ: tuple[_Variable, ...] = Field(
        default=(), description="variables that it is given from the environment of the run; secrets go this way"
    )
    health: Annotated[str, AfterValidator(_check_health)] = Field(
        default="/", description="path that answers 2xx when it is ready"
    )
    issuer_path: Annotated[str, AfterValidator(_check_issuer_path)] = Field(
        default="", description="the issuer below the balancer's address"
    )
    ready_within_s: DurationS = Field(default=120, alias="ready_within", gt=0, description="how long health is awaited")
