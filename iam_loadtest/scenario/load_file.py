"""Read a scenario file: every problem at once, each with file, key, value and what is allowed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from iam_loadtest.errors import ScenarioError
from iam_loadtest.scenario.model import Scenario, default_sections
from iam_loadtest.scenario.problem import describe
from iam_loadtest.scenario.references import reference_problems
from iam_loadtest.scenario.secret import REFERENCE

_SECRET_KEYS = frozenset({"secret", "password", "database"})
_EXPANDED = frozenset({"issuer", "health", "token_endpoint", "id"})
MAX_FILE_BYTES = 1 << 20


def load_scenario(
    path: Path, overrides: Mapping[str, Any] | None = None, environ: Mapping[str, str] = os.environ
) -> Scenario:
    """The scenario in a YAML file, with ``overrides`` of its load (field names) on top.

    ``${NAME}`` in issuer, health, token_endpoint and client ids is read from ``environ`` here; in secrets it
    stays a reference. Raises ScenarioError with every problem found.
    """
    document = read_document(path)
    return parse_scenario(document, str(path), overrides, environ)


def parse_scenario(
    document: object,
    source: str,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Scenario:
    """The scenario of plain data; ``source`` is what messages call the file."""
    if not isinstance(document, Mapping):
        raise ScenarioError([f"{source}: holds {_kind(document)}; a scenario is a mapping with name and topologies."])
    problems: list[str] = []
    expanded = _expand(document, environ, (), problems)
    _complete(expanded)
    if overrides:
        load = expanded.get("load")
        expanded["load"] = {**(load if isinstance(load, dict) else {}), **overrides}
    problems += reference_problems(expanded)
    try:
        scenario = Scenario.model_validate(expanded)
    except ValidationError as error:
        problems = [describe(detail) for detail in error.errors()] + problems
    if problems:
        raise ScenarioError([f"{source}: {problem}" for problem in _unique(problems)])
    return scenario


def read_document(path: Path) -> object:
    """The plain data of a YAML file; raises ScenarioError where it cannot be read, parsed, or repeats a key."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ScenarioError([f"{path}: is larger than {MAX_FILE_BYTES} bytes; a scenario is a short YAML file."])
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ScenarioError([f"{path}: cannot be read: {error.strerror}; name a scenario file."]) from error
    except UnicodeDecodeError as error:
        raise ScenarioError([f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8."]) from error
    try:
        return yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506  derived from SafeLoader
    except yaml.YAMLError as error:
        raise ScenarioError([_yaml_problem(path, error)]) from error
    except RecursionError as error:
        raise ScenarioError([f"{path}: is nested too deeply; a scenario has six levels at most."]) from error


class _UniqueKeyLoader(yaml.SafeLoader):
    """SafeLoader that refuses a repeated key, which YAML would silently overwrite, and aliases' merge bombs."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key_node.value!r} stands twice; keep one of them", key_node.start_mark
                )
            if isinstance(key_node, yaml.ScalarNode):
                seen.add(key_node.value)
        return super().construct_mapping(node, deep)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "an alias (*name) stands here; write the value out", mark)
        return super().compose_node(parent, index)


def _yaml_problem(path: Path, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    what = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"{path}: {where}{what}."


def _expand(value: Any, environ: Mapping[str, str], key: tuple[str, ...], problems: list[str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _expand(item, environ, (*key, str(name)), problems) for name, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, environ, (*key, str(index)), problems) for index, item in enumerate(value)]
    if isinstance(value, str) and key and key[-1] in _EXPANDED:
        return REFERENCE.sub(lambda match: _variable(match[1], environ, key, problems), value)
    return value


def _variable(name: str, environ: Mapping[str, str], key: tuple[str, ...], problems: list[str]) -> str:
    value = environ.get(name)
    if not value:
        problems.append(f"{'.'.join(key)} refers to ${{{name}}}, which is not set; export {name} first.")
        return "http://unset.invalid/" if key[-1] != "id" else "unset"
    return value


def _complete(document: dict[str, Any]) -> None:
    """Fill in the sections that a scenario for the built-in IAM may leave out."""
    topologies = document.get("topologies")
    names = list(topologies.values()) if isinstance(topologies, Mapping) else []
    elsewhere = any(isinstance(topology, Mapping) and topology.get("provider") == "url" for topology in names)
    for section, default in default_sections().items():
        if section not in document and not (elsewhere and section in {"clients", "users"}):
            document[section] = default


def _unique(problems: Iterable[str]) -> Iterator[str]:
    return iter(dict.fromkeys(problems))


def _kind(value: object) -> str:
    return {type(None): "nothing", list: "a list", str: "a text"}.get(type(value), f"a {type(value).__name__}")
