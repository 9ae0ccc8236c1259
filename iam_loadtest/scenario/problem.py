"""Say validation errors as sentences: key, value, what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from iam_loadtest.scenario.fields import NAME_HELP
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.topology import EmbeddedTopology, LabTopology, UrlTopology

_PROVIDERS: Mapping[str, type[BaseModel]] = {"url": UrlTopology, "embedded": EmbeddedTopology, "lab": LabTopology}
_NOT_WRITTEN: Mapping[int | str, Collection[str]] = {"topologies": _PROVIDERS, "workloads": ("steps",)}
_SECTIONS_WITH_SECRETS = frozenset({"clients", "users"})
_SHOWN_THERE = frozenset({"id", "auth", "algorithm", "assertion_audience", "pattern", "first", "last", "[key]"})
_MAX_VALUE = 60
_SLIP = 0.9
"""So alike are frontend and frontends, one of which another provider knows."""
_USER_OF_URL = re.compile(r"//[^/\s]*@")
_MAPPING = "it must be a mapping (key: value)"
_WHOLE = "it must be a whole number"
_NUMBER = "it must be a number"
_SWITCH = "it must be true or false"
_DATABASE = "it must be sqlite, or ${ENV_VARIABLE} that holds the URL of a MariaDB database"
_ALLOWED = {
    "string_type": "it must be a text (put it in quotes)",
    "int_type": _WHOLE,
    "float_type": _NUMBER,
    "finite_number": "it must be a finite number",
    "bool_type": _SWITCH,
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "tuple_type": "it must be a list{example}",
    "greater_than": "it must be more than {gt:g}",
    "greater_than_equal": "it must be {ge:g} or more",
    "less_than_equal": "it must be {le:g} or less",
    "too_short": "it must hold at least {min_length} entry",
    "string_too_short": "it must not be empty",
    "enum": "it must be {expected}",
    "literal_error": "it must be {expected}",
}


def describe_all(errors: Sequence[ErrorDetails]) -> list[str]:
    """A sentence for each error that is not only what follows from one inside it."""
    return [describe(error) for error in errors if not _follows(error, errors)]


def describe(error: ErrorDetails) -> str:
    """One problem as a sentence that starts with the key; what may be a secret is not repeated."""
    keys = _keys(error["loc"])
    sentence = _SENTENCES.get(error["type"], _wrong_value)
    return f"{sentence('.'.join(keys) or 'the scenario', keys, error)}."


def show(value: object) -> str:
    """A value as messages show it: short, in quotes where it is a text, and without the user part of a URL."""
    text = _plain(value)
    text = _USER_OF_URL.sub("//(not shown)@", text)
    return text if len(text) <= _MAX_VALUE else text[: _MAX_VALUE - 1] + "…"


def _follows(error: ErrorDetails, errors: Sequence[ErrorDetails]) -> bool:
    """A list whose entries are wrong counts as too short as well, a key that is misspelt as missing as well."""
    loc = error["loc"]
    if error["type"] == "too_short":
        return any(other["loc"][: len(loc)] == loc and other["loc"] != loc for other in errors)
    return error["type"] == "missing" and any(
        other["type"] == "extra_forbidden"
        and other["loc"][:-1] == loc[:-1]
        and get_close_matches(str(other["loc"][-1]), [str(loc[-1])])
        for other in errors
    )


def _missing(name: str, keys: Sequence[str], _error: ErrorDetails) -> str:
    if len(keys) == 1 and keys[0] in _SECTIONS_WITH_SECRETS:
        return f"{name} is missing; a topology with provider: url needs its own, see scenarios/README.md"
    return f"{name} is missing; add {keys[-1]}: to {'.'.join(keys[:-1]) or 'the file'}"


def _unknown_key(name: str, keys: Sequence[str], error: ErrorDetails) -> str:
    known = _known_keys(error["loc"][:-1])
    is_slip = bool(get_close_matches(keys[-1], known, n=1, cutoff=_SLIP))
    for provider, noun in _PROVIDERS.items():
        if keys[0] == "topologies" and len(keys) == 3 and keys[-1] in noun.model_fields and not is_slip:
            note = "" if provider == "url" else ", write it below factors"
            return f"{name} belongs to provider: {provider}; remove it{note}, or change the provider"
    section = _section_of(keys[0]) if len(keys) == 1 else None
    if section:
        return f"{name} is not a known key here; write it below {section}:"
    close = get_close_matches(keys[-1], known, n=1)
    remedy = f"write {close[0]}, or one of {', '.join(known)}" if close else f"known here: {', '.join(known)}"
    return f"{name} is not a known key; {remedy}"


def _section_of(key: str) -> str | None:
    """The section that a key at the top of the file belongs to, where it has that very name."""
    return next((section for section in ("load", "target", "hooks") if key in _known_keys((section,))), None)


def _no_provider(name: str, _keys: Sequence[str], _error: ErrorDetails) -> str:
    return f"{name}.provider is missing; write provider: embedded, provider: lab or provider: url"


def _unknown_provider(name: str, keys: Sequence[str], error: ErrorDetails) -> str:
    given = error["input"].get("provider") if isinstance(error["input"], Mapping) else None
    return f"{name}.provider is {_shown(given, keys)}; it must be embedded, lab or url"


def _own_rule(name: str, keys: Sequence[str], error: ErrorDetails) -> str:
    words = str((error.get("ctx") or {}).get("error", error["msg"]))
    if keys and keys[-1] == "[key]":
        return f"{'.'.join(keys[:-2])} holds the name {_shown(error['input'], keys)}; it {words}"
    if words.startswith("cannot"):
        return f"{name} {words}"
    if isinstance(error["input"], Mapping) and not words.startswith("must"):
        names_a_key = re.split(r"[ .]", words, maxsplit=1)[0] in _known_keys(error["loc"])
        return f"{name}.{words}" if names_a_key else f"{name} {words}"
    return f"{name} is {_shown(error['input'], keys)}; it {words}"


def _wrong_value(name: str, keys: Sequence[str], error: ErrorDetails) -> str:
    if keys and keys[-1] == "[key]":
        section = ".".join(keys[:-2])
        return f"{section} holds the name {_shown(error['input'], keys)}; a name is {NAME_HELP}"
    return f"{name} is {_shown(error['input'], keys)}; {_allowed(error)}"


_SENTENCES: Mapping[str, Callable[[str, Sequence[str], ErrorDetails], str]] = {
    "missing": _missing,
    "extra_forbidden": _unknown_key,
    "union_tag_not_found": _no_provider,
    "union_tag_invalid": _unknown_provider,
    "value_error": _own_rule,
}


def _keys(loc: Sequence[int | str]) -> list[str]:
    """The path as the file has it: without the tag that a discriminated union adds, or the steps of a plain list."""
    return [str(part) for depth, part in enumerate(loc) if not (depth == 2 and part in _NOT_WRITTEN.get(loc[0], ()))]


def _allowed(error: ErrorDetails) -> str:
    context = error.get("ctx") or {}
    if error["type"] == "string_pattern_mismatch":
        return _DATABASE if "sqlite" in str(context.get("pattern")) else f"a name is {NAME_HELP}"
    example = f", such as [{error['input']}]" if isinstance(error["input"], str) else ""
    return _ALLOWED.get(error["type"], error["msg"]).format(**context, example=example)


def _shown(value: object, keys: Sequence[str]) -> str:
    """The value; only its kind where it stands in a place that may hold a secret."""
    if keys and keys[-1] == "proxy":
        return _kind(value)
    if keys and keys[0] in _SECTIONS_WITH_SECRETS and keys[-1] not in _SHOWN_THERE:
        return _kind(value)
    return show(value)


def _plain(value: object) -> str:
    if value is None or isinstance(value, Mapping | list | tuple):
        return _kind(value)
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)


def _kind(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, Mapping):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if isinstance(value, str):
        return "a text" if value else "an empty text"
    return "true or false" if isinstance(value, bool) else "a number"


def _known_keys(loc: Sequence[int | str]) -> list[str]:
    """The keys that may stand at ``loc``, as a file writes them; none where it is no noun's place."""
    kind: Any = Scenario
    for part in loc:
        kind = _inside(_bare(kind), part)
    noun = _bare(kind)
    return [field.alias or name for name, field in noun.model_fields.items()] if _is_noun(noun) else []


def _inside(kind: Any, part: int | str) -> Any:
    if _is_noun(kind):
        return next(
            (field.annotation for name, field in kind.model_fields.items() if part in (name, field.alias)), None
        )
    if get_origin(kind) in (Union, UnionType):
        return _PROVIDERS.get(str(part))
    arguments = get_args(kind)
    return arguments[1 if get_origin(kind) is dict else 0] if arguments else None


def _bare(kind: Any) -> Any:
    """The annotation without its metadata and without ``| None``."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        rest = [option for option in get_args(kind) if option is not type(None)]
        return _bare(rest[0]) if len(rest) == 1 else kind
    return kind


def _is_noun(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
