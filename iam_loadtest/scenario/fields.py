"""Kinds of values that keys of a scenario file hold, and what all its nouns have in common."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from iam_loadtest.units import DURATION_HELP, PERCENT_HELP, parse_duration_s, parse_percent

_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$"
NAME_HELP = "1 to 40 letters, digits, - and _, starting with a letter or digit"
Name = Annotated[str, Field(pattern=_NAME)]
DurationS = Annotated[
    float,
    BeforeValidator(parse_duration_s),
    WithJsonSchema({"type": ["string", "number"], "description": DURATION_HELP}),
]
Share = Annotated[
    float,
    BeforeValidator(parse_percent),
    WithJsonSchema({"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*%\s*$", "description": PERCENT_HELP}),
]
"""A percentage in a file, a share from 0 to 1 once read."""
Whole = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Switch = Annotated[bool, Field(strict=True)]


def _check_factor(value: Any) -> Any:
    if not isinstance(value, str | bool | int | float) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError("must be a text in quotes, a number, or true or false")
    return value


Factor = Annotated[str | bool | int | float, BeforeValidator(_check_factor)]


def _check_url(url: str) -> str:
    if not re.fullmatch(r"https?://[^\s/@?#\\]+(/[^\s?#\\]*)?", url) or not _has_host(url):
        raise ValueError(
            "must be an http or https URL, such as https://iam.example.org/, without user, query or fragment"
        )
    return url


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname) and urlsplit(url).port != 0
    except ValueError:
        return False


Url = Annotated[
    str,
    AfterValidator(_check_url),
    WithJsonSchema({"type": "string", "pattern": r"^(https?://|\$\{)", "description": "URL, or ${ENV}"}),
]


class Noun(BaseModel):
    """Common settings: frozen, no unknown keys, field names and their aliases both accepted."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, str_strip_whitespace=True, validate_default=True
    )
