"""Say a validation error as one sentence: key, value, what is allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from iam_loadtest.scenario import model
from iam_loadtest.scenario.objective import Objective

_TAGS = frozenset({"url", "embedded"})
_HIDDEN = frozenset({"secret", "password"})
_MAX_VALUE = 60
_MAPPING = "it must be a mapping (key: value)"
_WHOLE = "it must be a whole number"
_NUMBER = "it must be a number"
_SWITCH = "it must be true or false"
_DATABASE = "it must be sqlite, or ${ENV_VARIABLE} that holds the URL of a MariaDB database"
_ALLOWED = {
    "string_type": "it must be a text (put it in quotes)",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "bool_type": _SWITCH,
    "bool_parsing": _SWITCH,
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "tuple_type": "it must be a list",
    "greater_than": "it must be more than {gt}",
    "greater_than_equal": "it must be {ge} or more",
    "less_than_equal": "it must be {le} or less",
    "too_short": "it must hold at least {min_length}",
    "string_too_short": "it must not be empty",
    "enum": "it must be {expected}",
    "literal_error": "it must be {expected}",
}


def describe(error: ErrorDetails) -> str:
    """One problem as a sentence that starts with the key; values of secrets are not repeated."""
    keys = _keys(error["loc"])
    sentence = _SENTENCES.get(error["type"], _wrong_value)
    return f"{sentence('.'.join(keys) or 'the scenario', keys, error)}."


def _missing(name: str, keys: Sequence[str], _error: ErrorDetails) -> str:
    if keys[-1] in {"clients", "users"}:
        return f"{name} is missing; a topology with provider: url needs its own, see scenarios/README.md"
    return f"{name} is missing; add {keys[-1]}: to {'.'.join(keys[:-1]) or 'the file'}"


def _unknown_key(name: str, keys: Sequence[str], error: ErrorDetails) -> str:
    known = _known_keys(error["loc"][:-1])
    close = get_close_matches(keys[-1], known, n=1)
    remedy = f"write {close[0]}, or one of {', '.join(known)}" if close else f"known here: {', '.join(known)}"
    return f"{name} is not a known key; {remedy}"


def _no_provider(name: str, _keys: Sequence[str], _error: ErrorDetails) -> str:
    return f"{name}.provider is missing; write provider: embedded or provider: url"


def _unknown_provider(name: str, keys: Sequence[str], error: ErrorDetails) -> str:
    tag = (error.get("ctx") or {}).get("tag")
    return f"{name}.provider is {_show(tag, keys)}; it must be embedded or url"


def _own_rule(name: str, keys: Sequence[str], error: ErrorDetails) -> str:
    words = str((error.get("ctx") or {}).get("error", error["msg"]))
    if isinstance(error["input"], Mapping) and not _HIDDEN.intersection(keys):
        names_a_key = words.split(" ", 1)[0] in _known_keys(error["loc"])
        return f"{name}.{words}" if names_a_key else f"{name} {words}"
    return f"{name} is {_show(error['input'], keys)}; it {words}"


def _wrong_value(name: str, keys: Sequence[str], error: ErrorDetails) -> str:
    if keys and keys[-1] == "[key]":
        return f"{name.removesuffix('.[key]')} cannot be used as a name; a name is {model.NAME_HELP}"
    return f"{name} is {_show(error['input'], keys)}; {_allowed(error)}"


_SENTENCES: Mapping[str, Callable[[str, Sequence[str], ErrorDetails], str]] = {
    "missing": _missing,
    "extra_forbidden": _unknown_key,
    "union_tag_not_found": _no_provider,
    "union_tag_invalid": _unknown_provider,
    "value_error": _own_rule,
}


def _keys(loc: Sequence[int | str]) -> list[str]:
    """The path as the file has it: without the tag that a discriminated union adds."""
    return [
        str(part) for depth, part in enumerate(loc) if not (depth == 2 and loc[0] == "topologies" and part in _TAGS)
    ]


def _allowed(error: ErrorDetails) -> str:
    context = error.get("ctx") or {}
    if error["type"] == "string_pattern_mismatch":
        return _DATABASE if "sqlite" in str(context.get("pattern")) else f"a name is {model.NAME_HELP}"
    return _ALLOWED.get(error["type"], error["msg"]).format(**context)


def _show(value: Any, keys: Sequence[str]) -> str:
    if _HIDDEN.intersection(keys):
        return "not shown here"
    text = _plain(value)
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
    return repr(value) if isinstance(value, str) else str(value)


_NOUN_OF: Mapping[str, type[BaseModel]] = {
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
    "objectives": Objective,
    "error_rules": model.ErrorRule,
}


def _known_keys(loc: Sequence[int | str]) -> list[str]:
    """The keys that stand in the noun at ``loc``, as a file writes them."""
    nouns = [_NOUN_OF[part] for part in loc if isinstance(part, str) and part in _NOUN_OF]
    noun = nouns[-1] if nouns else model.Scenario
    return [field.alias or name for name, field in noun.model_fields.items()]
