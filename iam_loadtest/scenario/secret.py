"""Secrets by reference: a scenario names an environment variable or a file, never the value."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, ConfigDict, PlainSerializer, SerializationInfo, WithJsonSchema
from pydantic.dataclasses import dataclass

from iam_loadtest.errors import SecretMissingError

REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
REFERENCES_TRAVEL: Final = {"references": "travel"}
"""Context of a dump that is read again elsewhere: references as a scenario writes them."""
FILE_PREFIX: Final = "file:"
NOT_WHERE: Final = (
    "is no file:PATH and no name of a variable, which is in capitals or set already; it must not be the secret itself."
)
"""What to say of a text that :func:`says_where` refuses, after the option's name: without repeating it."""
SECRET_HELP = "${ENV_VARIABLE} or {file: path}"  # noqa: S105  a form, not a secret


@dataclass(frozen=True, repr=False, config=ConfigDict(extra="forbid"))
class SecretRef:
    """Where a secret is to be read: exactly one of the three is set. ``literal`` only for public test clients."""

    env: str | None = None
    file: str | None = None
    literal: str | None = None

    def __repr__(self) -> str:
        return f"SecretRef({self.describe()})"

    def describe(self) -> str:
        """The reference as a scenario writes it; a public literal is not repeated."""
        if self.env:
            return f"${{{self.env}}}"
        return f"file: {self.file}" if self.file else "(public test secret)"

    def as_written(self) -> str | dict[str, str]:
        """The value that :func:`parse_secret` makes this reference of."""
        return {"file": self.file} if self.file else self.literal or self.describe()

    def resolve(self, directory: Path, environ: Mapping[str, str] = os.environ) -> str:
        """The secret itself; a relative file is looked up in ``directory``. Raises SecretMissingError."""
        if self.env:
            return _from_environment(self.env, environ)
        return _from_file(directory / self.file) if self.file else self.literal or ""


def parse_secret(value: Any) -> SecretRef:
    """The reference in a scenario's value; raises ValueError that does not repeat the value."""
    if isinstance(value, SecretRef):
        return value
    if isinstance(value, Mapping):
        if set(value) == {"file"} and isinstance(value["file"], str) and value["file"]:
            return SecretRef(file=value["file"])
        raise ValueError(f"must be {SECRET_HELP}")
    if isinstance(value, str) and value:
        match = REFERENCE.fullmatch(value)
        return SecretRef(env=match[1]) if match else SecretRef(literal=value)
    raise ValueError(f"must be {SECRET_HELP}")


def says_where(text: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether an option says where a secret is, by ``file:PATH`` or a variable, and is hardly the secret itself.

    Many secrets could be names of variables: only one that is set, or written in capitals, is taken for one.
    """
    if text.startswith(FILE_PREFIX):
        return text != FILE_PREFIX
    return REFERENCE.fullmatch(f"${{{text}}}") is not None and (text in environ or text == text.upper())


def _from_environment(name: str, environ: Mapping[str, str]) -> str:
    value = environ.get(name)
    if not value:
        raise SecretMissingError(f"environment variable {name} is not set; export it before the run.")
    return value


def _from_file(path: Path) -> str:
    try:
        value = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SecretMissingError(
            f"secret file {path} cannot be read: {error.strerror}; put the secret there."
        ) from error
    except UnicodeDecodeError:
        raise SecretMissingError(f"secret file {path} is not UTF-8 text; write the secret into it.") from None
    if not value:
        raise SecretMissingError(f"secret file {path} is empty; write the secret into it.")
    return value


def shown_or_written(reference: SecretRef, info: SerializationInfo) -> Any:
    """What a dump holds: a text for people, or in a dump that travels the reference as a scenario writes it."""
    return reference.as_written() if info.context == REFERENCES_TRAVEL else reference.describe()


Secret = Annotated[
    SecretRef,
    BeforeValidator(parse_secret),
    PlainSerializer(shown_or_written),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "description": "${ENV_VARIABLE}; a literal only for public test clients"},
                {
                    "type": "object",
                    "properties": {"file": {"type": "string"}},
                    "required": ["file"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
