"""JSON on disk: written under a temporary name and renamed, so that a reader never sees half a file."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from iam_loadtest.errors import UserError


def write_json(path: Path, value: object) -> None:
    """Replace the file in one step; keys stay in the order given, numbers must be finite."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_text(path, text)


def write_text(path: Path, text: str) -> None:
    """Replace the file in one step; raises UserError where the disk refuses."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise UserError(
            f"{path}: cannot be written: {error.strerror}; free some space, or choose a directory that can be written."
        ) from error


def read_json(path: Path) -> Any:
    """The value in the file; raises UserError where it is not there or not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise UserError(
            f"{path}: is not JSON ({error}); restore the file from a copy, or move its directory away."
        ) from error


def shape_problem(error: Exception) -> str:
    """What is wrong with plain data that does not fit a noun, in words."""
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    return str(error) if isinstance(error, ValueError) else "a value is of another kind than expected"
