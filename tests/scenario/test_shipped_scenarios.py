"""The scenarios that ship, their JSON Schema and the description of every key keep together."""

from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import click
import jsonschema
import pytest
import yaml
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from iam_loadtest.cli import cli
from iam_loadtest.results.probe import ProbeKind
from iam_loadtest.runner.run import choose
from iam_loadtest.scenario.client import Client, Users
from iam_loadtest.scenario.demand import Demand
from iam_loadtest.scenario.error_rule import ErrorRule
from iam_loadtest.scenario.fault import Fault
from iam_loadtest.scenario.hook import Hook, Hooks
from iam_loadtest.scenario.lab import LabDatabase, LabLink
from iam_loadtest.scenario.lab_frontend import LabFrontend
from iam_loadtest.scenario.limits import Limits
from iam_loadtest.scenario.load import Load, Stage
from iam_loadtest.scenario.load_file import load_scenario, parse_scenario
from iam_loadtest.scenario.margin import Margins
from iam_loadtest.scenario.model import Scenario, default_sections
from iam_loadtest.scenario.objective import Objective
from iam_loadtest.scenario.plan import make_plan
from iam_loadtest.scenario.probes import Probes
from iam_loadtest.scenario.quick import Quick
from iam_loadtest.scenario.schema import scenario_schema
from iam_loadtest.scenario.step import Step
from iam_loadtest.scenario.target import Target
from iam_loadtest.scenario.topology import EmbeddedTopology, IamSettings, LabTopology, UrlTopology
from iam_loadtest.scenario.validity import Validity
from iam_loadtest.scenario.workload import Workload
from iam_loadtest.units import parse_duration_s

SCENARIOS = Path(__file__).parents[2] / "scenarios"
SHIPPED = sorted(SCENARIOS.glob("*.yaml"))
README = (SCENARIOS / "README.md").read_text(encoding="utf-8")
SNIPPETS = [snippet for snippet in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "name:" in snippet]
NOUNS: dict[str, type[BaseModel]] = {
    noun.__name__: noun
    for noun in (
        *(Scenario, Client, Users, Step, Workload, Load, Stage, Limits, Target, Hooks, Hook),
        *(UrlTopology, EmbeddedTopology, LabTopology, LabDatabase, LabLink, LabFrontend, Fault, IamSettings),
        *(ErrorRule, Objective, Margins, Validity, Demand, Quick, Probes),
    )
}
ENVIRONMENT = {
    "IAM_DOMAIN": "iam.example.org",
    "IAM_ACCESS_CLIENT": "access-client",
    "IAM_SUBJECT_CLIENT": "subject-client",
    "IAM_ACTOR_CLIENT": "actor-client",
    "IAM_USERS_FILE": "users.csv",
    "KEYCLOAK_ISSUER": "https://keycloak.example.org/realms/loadtest",
    "NANOIDP_ISSUER": "http://127.0.0.1:8000",
    "OIDC_PROVIDER_ISSUER": "http://127.0.0.1:3000",
}
Row = tuple[str, str, str, str]


def rows_of(noun: str) -> dict[str, Row]:
    """The table below a noun's heading: key -> type, default, example, meaning."""
    section = README.split(f"\n## {noun}\n", 1)[1].split("\n## ", 1)[0]
    table = section.split("| key | type | default | example | meaning |", 1)[1].split("\n\n", 1)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return {row[0].strip("`"): (row[1], row[2], row[3], row[4]) for row in rows}


def fields_of(noun: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields under the keys that a file writes."""
    return {field.alias or name: field for name, field in noun.model_fields.items()}


def every_key() -> list[tuple[str, str]]:
    return [(name, key) for name, noun in NOUNS.items() for key in fields_of(noun)]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_each_shipped_scenario_loads_and_fits_the_schema(path: Path) -> None:
    """A scenario that ships is right for the program and for an editor."""
    load_scenario(path, environ=ENVIRONMENT)
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(scenario_schema()).validate(document)
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=scenario.schema.json\n")


def test_the_committed_schema_is_current() -> None:
    """`make schema` was run after the last change of a key."""
    committed = json.loads((SCENARIOS / "scenario.schema.json").read_text(encoding="utf-8"))
    assert committed == scenario_schema(), "run `make schema`"
    jsonschema.Draft202012Validator.check_schema(committed)


@pytest.mark.parametrize(
    "document",
    [
        {"name": "a"},
        {"name": "a", "topologies": {}},
        {"name": "a", "topologies": {"x": {"provider": "cloud"}}},
        {"name": "a", "topologies": {"x": {"provider": "embedded", "frontends": 0}}},
        {"name": "a", "topologies": {"x": {"provider": "url"}}},
        {"name": "a", "topologies": {"x": {"provider": "embedded"}}, "load": {"user": 5}},
        {"name": "a", "topologies": {"x": {"provider": "embedded"}}, "objectives": [5]},
        {"name": "a b", "topologies": {"x": {"provider": "embedded"}}},
    ],
)
def test_the_schema_refuses_what_the_program_refuses(document: dict[str, Any]) -> None:
    """An editor marks the same mistakes."""
    assert not jsonschema.Draft202012Validator(scenario_schema()).is_valid(document)


def test_the_full_matrix_is_the_study_s() -> None:
    """Thirteen setups, 500 users at 10/s, ten minutes, three trials, eight workers, and every factor recorded."""
    scenario = load_scenario(SCENARIOS / "iris-iam.yaml", environ=ENVIRONMENT)
    load = scenario.load
    assert (load.users, load.spawn_rate_per_s, load.duration_s, load.trials, load.workers) == (500, 10, 600, 3, 8)
    assert len(make_plan(scenario).trials) == 13 * 3 * 3
    recorded = {frozenset(topology.factors) for topology in scenario.topologies.values()}
    assert recorded == {
        frozenset({"frontends", "clusters", "database", "database_members", "latency_ms", "network"})
        | {"balancer", "sessions"}
    }
    settings = [tuple(topology.factors.values()) for topology in scenario.topologies.values()]
    assert len(set(settings)) == 13, "no two topologies have the same factors"


def test_the_quick_scenario_fits_the_demo() -> None:
    """Two topologies, three workloads, three trials, planned for less than four and a half minutes."""
    plan = make_plan(load_scenario(SCENARIOS / "quick.yaml", environ={}))
    assert len(plan.trials) == 18
    assert plan.total_s < 270


STUDIES = {"geo-iam": 1800, "edge-latency": 900, "price-of-consistency": 1260}
"""Scenarios of the lab with a quick size, and how many seconds that is planned for at most."""


@pytest.mark.parametrize("name", STUDIES)
def test_each_study_has_a_quick_size_that_ends_in_minutes(name: str) -> None:
    """Three trials of each of its cells, which is what an interval needs; the full size is of ten minutes a trial."""
    path = SCENARIOS / f"{name}.yaml"
    full = load_scenario(path, environ={})
    assert (full.load.duration_s, full.load.trials) == (600, 3)
    assert full.quick is not None
    small = load_scenario(path, full.quick.overrides, environ={})
    assert small.load.trials == 3
    plan = make_plan(small)
    assert plan.expected_s(choose(small, plan.trials, full.quick.only)) <= STUDIES[name]


def test_the_study_on_the_lab_has_every_setup_and_tells_them_apart() -> None:
    """One frontend; three; three and two, with each database, distance and network; no two with the same factors."""
    topologies = load_scenario(SCENARIOS / "geo-iam.yaml", environ={}).topologies
    recorded = [topology.factors for topology in topologies.values()]
    assert len({tuple(factors.items()) for factors in recorded}) == len(recorded)
    assert {(factors["frontends"], factors["clusters"]) for factors in recorded} == {(1, 1), (3, 1), (5, 2)}
    far = {(factors["database"], factors["latency_ms"], factors["network"]) for factors in recorded[3:]}
    assert far == set(product(("replication", "galera"), (0, 30), ("direct", "wireguard")))


def test_the_scenario_of_consistency_takes_two_minutes_and_every_reading_probe() -> None:
    """On every topology, with refresh tokens that work once."""
    scenario = load_scenario(SCENARIOS / "consistency.yaml", environ={})
    assert make_plan(scenario).total_s <= 135  # audits included
    assert set(scenario.probes_of("consistency")) == set(ProbeKind) - {ProbeKind.DOUBLE_CODE}
    labs = [topology for topology in scenario.topologies.values() if isinstance(topology, LabTopology)]
    assert [lab.settings.rotate_refresh_tokens for lab in labs] == [True] * 3


def test_the_ci_scenario_takes_a_minute_and_has_objectives() -> None:
    """It is planned for at most 70 s and judges something, with as many trials as an objective needs."""
    scenario = load_scenario(SCENARIOS / "ci.yaml", environ={})
    assert scenario.load.trials >= 3
    assert make_plan(scenario).total_s <= 70
    assert scenario.objectives


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda snippet: yaml.safe_load(snippet)["name"])
def test_each_snippet_of_the_description_loads(snippet: str) -> None:
    """What the description shows can be copied."""
    parse_scenario(yaml.safe_load(snippet), "scenarios/README.md", environ=ENVIRONMENT)


def test_the_written_out_snippet_is_what_the_defaults_are() -> None:
    """The sections said to stand in place of those left out are those."""
    written = next(snippet for snippet in SNIPPETS if "name: written-out" in snippet)
    assert {key: yaml.safe_load(written)[key] for key in default_sections()} == default_sections()


@pytest.mark.parametrize("name", NOUNS)
def test_each_key_is_described_and_each_described_key_exists(name: str) -> None:
    """The tables name the model's keys, no more and no fewer."""
    assert set(rows_of(name)) == set(fields_of(NOUNS[name]))


def test_the_description_has_every_noun_of_the_schema() -> None:
    """No noun of a scenario is left out of the tables; enumerations are described where they are used."""
    nouns = {name for name, kind in scenario_schema()["$defs"].items() if kind.get("type") != "string"}
    assert nouns == set(NOUNS) - {"Scenario"}


@pytest.mark.parametrize(("noun", "key"), every_key())
def test_each_default_that_is_stated_is_the_model_s(noun: str, key: str) -> None:
    """A default in the tables is what a file gets that leaves the key out."""
    field, stated = fields_of(NOUNS[noun])[key], rows_of(noun)[key][1]
    if stated == "built-in":
        assert key in default_sections()
    elif stated == "required":
        assert field.is_required()
    elif stated == "none":
        assert not field.is_required()
        assert field.get_default() is None
    else:
        assert as_model(field, yaml.safe_load(stated.strip("`"))) == field.get_default(call_default_factory=True)


@pytest.mark.parametrize(("noun", "key"), every_key())
def test_each_example_is_accepted(noun: str, key: str) -> None:
    """The value in the example column may be written for that key."""
    as_model(fields_of(NOUNS[noun])[key], yaml.safe_load(rows_of(noun)[key][2].strip("`")))


def as_model(field: FieldInfo, value: Any) -> Any:
    """The value as the field's type reads it; URL variables count as set."""
    if isinstance(value, str) and "${DOMAIN}" in value:
        value = value.replace("${DOMAIN}", "example.org")
    return TypeAdapter(Annotated[(field.annotation, *field.metadata, None)]).validate_python(value)


def test_a_stated_duration_reads_as_people_expect() -> None:
    """Ten minutes are 600 seconds in the tables as in a file."""
    assert parse_duration_s(rows_of("Load")["duration"][1].strip("`")) == 600


@pytest.mark.parametrize("line", re.search(r"```sh\n(.*?)```", README, re.DOTALL)[1].splitlines())
def test_each_command_of_the_description_exists(line: str) -> None:
    """The command is one of the front door's, and its scenario is one that ships."""
    program, command, scenario = line.partition("#")[0].split()
    assert program == "iam-loadtest"
    assert cli.get_command(click.Context(cli), command) is not None
    assert (SCENARIOS.parent / scenario) in SHIPPED


def test_the_description_names_every_scenario_that_ships() -> None:
    """And none that does not."""
    assert set(re.findall(r"^\| \[([\w.-]+)\]", README, re.MULTILINE)) == {path.name for path in SHIPPED}
