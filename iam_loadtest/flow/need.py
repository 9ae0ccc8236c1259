"""What a scenario needs from outside before anything starts: secrets, the users file, certificates, the proxy."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from iam_loadtest.errors import ScenarioError, SecretMissingError, UserError
from iam_loadtest.flow.prepare import load_users, signing_key, tokens_file
from iam_loadtest.flow.token_pool import TokenPool
from iam_loadtest.oidc.client_assertion import BadKeyError
from iam_loadtest.oidc.client_auth import AuthMethod
from iam_loadtest.oidc.grant import Grant
from iam_loadtest.oidc.request_kind import RequestKind
from iam_loadtest.scenario.certificate import check_certificates
from iam_loadtest.scenario.client import Client
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.proxy import resolve_proxy
from iam_loadtest.scenario.secret import SecretRef
from iam_loadtest.scenario.step import Step
from iam_loadtest.scenario.target import Target, require_one_client
from iam_loadtest.scenario.topology import EmbeddedTopology, LabTopology, UrlTopology

_NEW_TOKENS = "add more, or have new ones by `iam-loadtest users end-sessions` and then `users sessions`"
_LOGS_IN = frozenset({RequestKind.LOGIN, RequestKind.APPROVE})


def require_what_is_needed(
    scenario: Scenario,
    source: str,
    directory: Path,
    environ: Mapping[str, str] = os.environ,
    but_tokens: bool = False,
) -> None:
    """Raise ScenarioError with all that is missing, so that no run ends halfway for want of it.

    ``source`` is what messages call the scenario file, ``directory`` where its relative files stand. Clients that no
    workload uses need no secret. ``but_tokens`` where the file of refresh tokens is yet to be made.
    """
    problems = [
        *_missing_secrets(scenario, directory, environ),
        *_missing_variables(scenario, environ),
        *_bad_keys(scenario, directory, environ),
        *_missing_certificates(scenario),
        *_missing_users(scenario, directory, environ),
        *(() if but_tokens else _missing_tokens(scenario, directory)),
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


def _missing_variables(scenario: Scenario, environ: Mapping[str, str]) -> Iterator[str]:
    """What programs are to be given that stand in for the built-in IAM in labs."""
    for topology, noun in scenario.topologies.items():
        frontend = noun.frontend if isinstance(noun, LabTopology) else None
        for name in frontend.pass_environ if frontend else ():
            if name not in environ:
                yield (
                    f"topologies.{topology}.frontend.pass_environ: environment variable {name} is not set;"
                    " export it before the run."
                )


def _secrets(scenario: Scenario) -> Iterator[tuple[str, SecretRef]]:
    for name, client in _acting(scenario):
        for key in ("secret", "key"):
            if getattr(client, key) is not None:
                yield f"clients.{name}.{key}", getattr(client, key)
    if scenario.users.password is not None:
        yield "users.password", scenario.users.password
    for name, topology in scenario.topologies.items():
        if isinstance(topology, EmbeddedTopology) and topology.database != "sqlite":
            yield f"topologies.{name}.database", SecretRef(env=topology.database[2:-1])


def _acting(scenario: Scenario) -> Iterator[tuple[str, Client]]:
    steps = dict.fromkeys(step for name in scenario.tried_workloads for step in scenario.steps_needed_by(name))
    for name in dict.fromkeys(client for step in steps if (client := scenario.steps[step].client)):
        yield name, scenario.clients[name]


def _bad_keys(scenario: Scenario, directory: Path, environ: Mapping[str, str]) -> Iterator[str]:
    for name, client in _acting(scenario):
        if client.key is not None:
            try:
                signing_key(client, directory, environ)
            except SecretMissingError:
                continue  # said already
            except BadKeyError as error:
                yield f"clients.{name}.key: {client.key.describe()} {error}."


def _missing_certificates(scenario: Scenario) -> Iterator[str]:
    """Mutual TLS needs TLS, and a certificate to show: RFC 8705 section 2."""
    by_tls = [name for name, client in _acting(scenario) if client.auth is AuthMethod.TLS_CLIENT_AUTH]
    for name, topology in scenario.topologies.items() if by_tls else ():
        where = f"clients.{by_tls[0]}.auth is tls_client_auth, and topologies.{name}"
        if not (isinstance(topology, UrlTopology) and topology.issuer.startswith("https:")):
            yield f"{where} is reached without TLS; take an issuer with https, or another method."
        elif scenario.target_of(name).client_certificate is None:
            yield f"{where} has no target.client_certificate; name the PEM file of the client's certificate."


def _steps(scenario: Scenario) -> list[Step]:
    """Of the workloads that are tried, each once."""
    names = dict.fromkeys(step for name in scenario.tried_workloads for step in scenario.steps_of(name))
    return [scenario.steps[name] for name in names]


def _missing_tokens(scenario: Scenario, directory: Path) -> Iterator[str]:
    if all(step.request is not RequestKind.PRE_ISSUED for step in _steps(scenario)):
        return
    for name in scenario.topologies:
        path = tokens_file(scenario.target_of(name), directory)
        try:
            if path is None:
                yield f"topologies.{name} has no target.refresh_tokens, which request: pre_issued needs; name the file."
            elif not TokenPool(path).unused():
                yield f"target.refresh_tokens: {path}: all its tokens were used; {_NEW_TOKENS}."
        except UserError as error:
            yield f"target.refresh_tokens: {error}"


def _missing_users(scenario: Scenario, directory: Path, environ: Mapping[str, str]) -> Iterator[str]:
    logs_in = any(step.grant is Grant.PASSWORD or step.request in _LOGS_IN for step in _steps(scenario))
    if logs_in and scenario.users.file is None and scenario.users.password is None:
        yield "users has neither a password nor a file; write password: ${ENV_VARIABLE} or file: users.csv."
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
