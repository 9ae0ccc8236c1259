"""The environment of processes that a run starts beside its load."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.portable import proxies_of, secrets_of
from iam_loadtest.scenario.topology import EmbeddedTopology


def without_secrets(scenario: Scenario, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment without what a scenario refers to as secrets: servers and observers have no use for those."""
    secret = frozenset(_secret_variables(scenario))
    return {name: value for name, value in environ.items() if name not in secret}


def _secret_variables(scenario: Scenario) -> Iterator[str]:
    yield from (one.env for one in (*secrets_of(scenario), *proxies_of(scenario)) if one.env)
    for topology in scenario.topologies.values():
        if isinstance(topology, EmbeddedTopology) and topology.database_variable:
            yield topology.database_variable
