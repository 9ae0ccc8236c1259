"""What a scenario needs from outside before anything starts: secrets, the users file, certificates, the proxy."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from iam_loadtest.errors import ScenarioError, SecretMissingError, UserError
from iam_loadtest.flow.prepare import load_users
from iam_loadtest.scenario.certificate import check_certificates
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.proxy import resolve_proxy
from iam_loadtest.scenario.secret import SecretRef
from iam_loadtest.scenario.target import Target, require_one_client
from iam_loadtest.scenario.topology import EmbeddedTopology


def require_what_is_needed(
    scenario: Scenario, source: str, directory: Path, environ: Mapping[str, str] = os.environ
) -> None:
    """Raise ScenarioError with all that is missing, so that no run ends halfway for want of it.

    ``source`` is what messages call the scenario file, ``directory`` where its relative files stand. Clients that no
    workload uses need no secret.
    """
    problems = [
        *_missing_secrets(scenario, directory, environ),
        *_missing_users(scenario, directory, environ),
        *_bad_targets(scenario, directory, environ),
    ]
    if problems:
        raise ScenarioError([f"{source}: {problem}" for problem in dict.fromkeys(problems)])


def _missing_secrets(scenario: Scenario, directory: Path, environ: Mapping[str, str]) -> Iterator[str]:
    for key, secret in _secrets(scenario):
        try:
            secret.resolve(directory, environ)
        except SecretMissingError as error:
            yield f"{key}: {error}"


def _secrets(scenario: Scenario) -> Iterator[tuple[str, SecretRef]]:
    steps = dict.fromkeys(step for name in scenario.tried_workloads for step in scenario.steps_of(name))
    for name in dict.fromkeys(client for step in steps if (client := scenario.steps[step].client)):
        secret = scenario.clients[name].secret
        if secret is not None:
            yield f"clients.{name}.secret", secret
    if scenario.users.password is not None:
        yield "users.password", scenario.users.password
    for name, topology in scenario.topologies.items():
        if isinstance(topology, EmbeddedTopology) and topology.database != "sqlite":
            yield f"topologies.{name}.database", SecretRef(env=topology.database[2:-1])


def _missing_users(scenario: Scenario, directory: Path, environ: Mapping[str, str]) -> Iterator[str]:
    if scenario.users.file is not None:
        try:
            load_users(scenario.users, directory, environ)
        except UserError as error:
            yield f"users.file: {error}"


def _bad_targets(scenario: Scenario, directory: Path, environ: Mapping[str, str]) -> Iterator[str]:
    for name in scenario.topologies:
        target = scenario.target_of(name)
        missing = list(_missing_files(target, directory))
        yield from missing
        try:
            if not missing:
                check_certificates(target, directory)
            require_one_client(target)
            resolve_proxy(target.proxy, directory, environ)
        except SecretMissingError as error:
            yield f"target.proxy: {error}"
        except UserError as error:
            yield str(error)


def _missing_files(target: Target, directory: Path) -> Iterator[str]:
    for key in ("ca_bundle", "client_certificate", "client_key"):
        path = getattr(target, key)
        if path is not None and not (directory / path).is_file():
            yield f"target.{key} is {path!r}, which is no file; name a PEM file."
