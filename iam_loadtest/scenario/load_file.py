"""Read a scenario file: every problem at once, each with file, key, value and what is allowed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from iam_loadtest.errors import ScenarioError
from iam_loadtest.scenario.load import Load
from iam_loadtest.scenario.model import Scenario, default_sections
from iam_loadtest.scenario.problem import describe_all
from iam_loadtest.scenario.ready import add_probe_steps, add_ready_parts, add_ready_steps, choose_ready
from iam_loadtest.scenario.references import reference_problems
from iam_loadtest.scenario.secret import REFERENCE
from iam_loadtest.scenario.yaml_file import read_document

_FILES = frozenset({"ca_bundle", "client_certificate", "client_key"})
_EXPANDED = frozenset({"issuer", "health", "token_endpoint", "id", "pattern", "file", "redirect_uri"}) | _FILES


def load_scenario(
    path: Path, overrides: Mapping[str, Any] | None = None, environ: Mapping[str, str] = os.environ
) -> Scenario:
    """The scenario in a YAML file, with ``overrides`` of its load on top.

    ``${NAME}`` in issuer, health, token_endpoint, files, client ids and the pattern of user names is read
    from ``environ`` here; in secrets it stays a reference. Raises ScenarioError with every problem found.
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
    problems += choose_ready(expanded)
    left_out = _complete(expanded)
    if "workloads" not in left_out:
        add_ready_parts(expanded)
        add_ready_steps(expanded)
    add_probe_steps(expanded)
    if overrides:
        expanded["load"] = _overridden(expanded.get("load"), overrides)
    problems += reference_problems(expanded, left_out)
    try:
        scenario = Scenario.model_validate(expanded)
    except ValidationError as error:
        problems = describe_all(error.errors()) + problems
    if problems:
        raise ScenarioError([f"{source}: {problem}" for problem in dict.fromkeys(problems)])
    return scenario


def _overridden(load: object, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The load section with ``overrides`` on top, which may name a key as the file does or as the field is called."""
    aliases: dict[object, str] = {name: field.alias or name for name, field in Load.model_fields.items()}
    given = load if isinstance(load, Mapping) else {}
    return {aliases.get(key, str(key)): value for key, value in (*given.items(), *overrides.items())}


def _expand(value: Any, environ: Mapping[str, str], key: tuple[str, ...], problems: list[str]) -> Any:
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                place = ".".join(key) or "the file"
                problems.append(f"{place} has a key that YAML reads as {name}, no text; put the key in quotes.")
        return {str(name): _expand(item, environ, (*key, str(name)), problems) for name, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, environ, (*key, str(index)), problems) for index, item in enumerate(value)]
    if isinstance(value, str) and key and (key[-1] in _EXPANDED or key[-2:-1] == ("nodes",)):
        return _with_variables(value, environ, key, problems)
    return value


def _with_variables(text: str, environ: Mapping[str, str], key: tuple[str, ...], problems: list[str]) -> str:
    """The text with its variables; a text that is good for the key where one is not set, so that no more is said."""
    unset = [name for name in dict.fromkeys(REFERENCE.findall(text)) if not environ.get(name)]
    problems += [f"{'.'.join(key)} refers to ${{{name}}}, which is not set; export {name} first." for name in unset]
    if unset:
        return "unset{n}" if key[-1] in _FILES | {"id", "pattern", "file"} else "http://unset.invalid/"
    return REFERENCE.sub(lambda match: environ[match[1]], text)


def _complete(document: dict[str, Any]) -> frozenset[str]:
    """Fill in the sections that a scenario for the built-in IAM may leave out; the names of those left out."""
    topologies = document.get("topologies")
    nouns = list(topologies.values()) if isinstance(topologies, Mapping) else []
    elsewhere = any(isinstance(topology, Mapping) and topology.get("provider") == "url" for topology in nouns)
    left_out = frozenset(section for section in default_sections() if section not in document)
    for section, default in default_sections().items():
        if section in left_out and not (elsewhere and section in {"clients", "users"}):
            document[section] = default
    return left_out


def _kind(value: object) -> str:
    return {type(None): "nothing", list: "a list", str: "a text"}.get(type(value), "a number")
