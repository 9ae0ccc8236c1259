"""The JSON Schema of scenario files, for editors."""

from __future__ import annotations

from typing import Any

from iam_loadtest.scenario.builtin import READY_WORKLOADS
from iam_loadtest.scenario.model import Scenario, default_sections
from iam_loadtest.scenario.objective import OBJECTIVE_HELP

_TEXT = {"type": "string"}


def scenario_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12); sections that a scenario for the built-in IAM may leave out are optional."""
    schema = Scenario.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "iam_loadtest scenario"
    schema["required"] = [key for key in schema["required"] if key not in default_sections()]
    schema["properties"]["workloads"] = {"anyOf": [schema["properties"]["workloads"], _ready_workloads()]}
    nouns = schema["$defs"]
    nouns["Hook"]["properties"]["command"] = {**nouns["Hook"]["properties"]["command"], **_command()}
    nouns["Hook"] = {"anyOf": [_command(), nouns["Hook"]]}
    nouns["Workload"] = {"anyOf": [nouns["Workload"]["properties"]["steps"]["anyOf"][0], nouns["Workload"]]}
    nouns["Objective"] = {"anyOf": [{**_TEXT, "description": OBJECTIVE_HELP}, nouns["Objective"]]}
    return schema


def _ready_workloads() -> dict[str, Any]:
    names = {"enum": list(READY_WORKLOADS)}
    return {"type": "array", "items": names, "minItems": 1, "description": "ready-made workloads by name"}


def _command() -> dict[str, Any]:
    return {"type": ["string", "array"], "items": _TEXT, "description": "program and arguments, no shell"}
