"""``iam-loadtest schema``."""

from __future__ import annotations

import json

import click


@click.command()
def schema() -> None:
    """Print the JSON Schema of scenario files.

    \b
    Editors that know YAML use it when a scenario's first line is
    # yaml-language-server: $schema=scenario.schema.json
    """
    from iam_loadtest.scenario.schema import scenario_schema  # noqa: PLC0415  pydantic is not needed for --help

    click.echo(json.dumps(scenario_schema(), indent=2))
