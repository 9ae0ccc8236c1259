"""Say a validation error as one sentence: key, value, what is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from iam_loadtest.scenario import model
from iam_loadtest.scenario.model import Scenario

_TAGS = {"url", "embedded"}
_HIDDEN = frozenset({"secret", "password"})
_MAX_VALUE = 60
_FIXED = {
    "missing": "is missing",
    "string_type": "it must be a text (put it in quotes)",
    "int_type": "it must be a whole number",
    "int_parsing": "it must be a whole number",
    "int_from_float": "it must be a whole number",
    "float_type": "it must be a number",
    "float_parsing": "it must be a number",
    "bool_type": "it must be true or false",
    "bool_parsing": "it must be true or false",
    "dict_type": "it must be a mapping (key: value)",
    "model_type": "it must be a mapping (key: value)",
    "model_attributes_type": "it must be a mapping (key: value)",
    "tuple_type": "it must be a list",
    "list_type": "it must be a list",
    "union_tag_not_found": "has no provider; write provider: embedded or provider: url",
}


def describe(error: ErrorDetails, document: Mapping[str, Any]) -> str:
    """One problem as a sentence that starts with the key; values of secrets are not repeated."""
    keys = _keys(error["loc"], document)
    name = ".".join(keys) or "the scenario"
    kind = error["type"]
    if kind == "missing":
        return f"{name} is missing; {_remedy(keys)}."
    if kind == "extra_forbidden":
        return f"{name} is not a known key; {_allowed_keys(keys, error)}."
    if kind == "union_tag_not_found":
        return f"{name} {_FIXED[kind]}."
    if kind == "union_tag_invalid":
        return f"{name}.provider is {_show((error.get('ctx') or {}).get('tag'), keys)}; it must be embedded or url."
    if keys and keys[-1] == "[key]":
        return f"{'.'.join(keys[:-1])} is a key that cannot be used; a name is {model.NAME_HELP}."
    if kind == "value_error" and isinstance(error["input"], Mapping):
        return f"{name} {_own_words(error)}."
    return f"{name} is {_show(error['input'], keys)}; {_allowed(error)}."


def _keys(loc: Sequence[int | str], document: Mapping[str, Any]) -> list[str]:
    """The path as the file has it: without the tag that a discriminated union adds."""
    keys: list[str] = []
    for part in loc:
        if part in _TAGS and len(keys) == 2 and keys[0] == "topologies":
            continue
        keys.append(str(part))
    return keys


def _allowed(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx") or {}
    if kind in _FIXED:
        return _FIXED[kind]
    if kind == "value_error":
        return f"it {_own_words(error)}"
    bounds = {
        "greater_than": "it must be more than {gt}",
        "greater_than_equal": "it must be {ge} or more",
        "less_than_equal": "it must be {le} or less",
        "too_short": "it must hold at least {min_length}",
        "string_too_short": "it must not be empty",
        "enum": "it must be one of {expected}",
        "literal_error": "it must be one of {expected}",
        "string_pattern_mismatch": "a name is " + model.NAME_HELP,
    }
    if kind == "string_pattern_mismatch" and "sqlite" in str(context.get("pattern")):
        return "it must be sqlite or ${ENV_VARIABLE} that holds the URL of a MariaDB database"
    template = bounds.get(kind)
    return template.format(**context) if template else error["msg"][0].lower() + error["msg"][1:]


def _own_words(error: ErrorDetails) -> str:
    return str((error.get("ctx") or {}).get("error", error["msg"]))


def _show(value: Any, keys: Sequence[str]) -> str:
    if _HIDDEN.intersection(keys):
        return "not shown here"
    text = repr(value) if isinstance(value, str) else _plain(value)
    return text if len(text) <= _MAX_VALUE else text[: _MAX_VALUE - 1] + "…"


def _plain(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    return str(value)


def _remedy(keys: Sequence[str]) -> str:
    if keys[-1] in {"clients", "users"}:
        return "a topology with provider: url needs its own, see scenarios/README.md"
    return f"add {keys[-1]}: to {'.'.join(keys[:-1]) or 'the file'}"


def _allowed_keys(keys: Sequence[str], error: ErrorDetails) -> str:
    known = _known_keys(Scenario, error["loc"][:-1])
    close = get_close_matches(keys[-1], known, n=1)
    if close:
        return f"did you mean {close[0]}?"[:-1] + "?" if False else f"did you mean {close[0]}"
    return f"known here: {', '.join(known)}" if known else "remove it"


def _known_keys(noun: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    """The keys that the noun at ``loc`` takes, as a file writes them."""
    for part in loc:
        found = _noun_below(noun, part)
        if found is not None:
            noun = found
    return [field.alias or name for name, field in noun.model_fields.items()]


_BELOW: dict[str, type[BaseModel]] = {
    "clients": model.Client,
    "users": model.Users,
    "steps": model.Step,
    "load": model.Load,
    "target": model.Target,
    "hooks": model.Hooks,
    "before_topology": model.Hook,
    "before_trial": model.Hook,
    "after_trial": model.Hook,
    "url": model.UrlTopology,
    "embedded": model.EmbeddedTopology,
    "settings": model.IamSettings,
    "objectives": model.Objective,
    "error_rules": model.ErrorRule,
}


def _noun_below(noun: type[BaseModel], part: int | str) -> type[BaseModel] | None:
    return _BELOW.get(part) if isinstance(part, str) else None
