"""Make a workload ready to run: secrets resolved, constant parts encoded, users listed."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from iam_loadtest.errors import UserError
from iam_loadtest.flow.chain import ChainStep, UserLogin
from iam_loadtest.flow.classify import Classifier, classifier_for
from iam_loadtest.flow.ready_step import ready_step
from iam_loadtest.oidc.client_assertion import AssertionSigner, SigningKey, private_key, shared_key
from iam_loadtest.oidc.client_auth import ClientCredentials
from iam_loadtest.oidc.discovery import Endpoints
from iam_loadtest.scenario.client import Client, Users
from iam_loadtest.scenario.model import Scenario
from iam_loadtest.scenario.step import Step
from iam_loadtest.scenario.target import Target
from iam_loadtest.scenario.workload import Workload


@dataclass(frozen=True)
class ReadyWorkload:
    """A workload as a worker runs it. Holds secrets; neither they nor the users are in its repr.

    ``prime`` are the steps of a user before its first chain; what they gave is kept from chain to chain.
    """

    name: str
    steps: tuple[ChainStep, ...]
    users: Sequence[UserLogin] = field(repr=False)
    classifier: Classifier = field(repr=False)
    prime: tuple[ChainStep, ...] = ()


def prepare_workload(
    scenario: Scenario,
    workload: str,
    endpoints: Endpoints,
    directory: Path,
    environ: Mapping[str, str] = os.environ,
    target: Target | None = None,
) -> ReadyWorkload:
    """The workload, which is no mix, with secrets from ``environ`` and from files relative to ``directory``.

    ``target`` is that of the topology, the scenario's where None.

    Raises SecretMissingError where a secret that it needs is not there, UserError where the users file is not.
    """
    return prepare_chain(scenario, workload, scenario.workloads[workload], endpoints, directory, environ, target)


def prepare_chain(
    scenario: Scenario,
    name: str,
    noun: Workload,
    endpoints: Endpoints,
    directory: Path,
    environ: Mapping[str, str] = os.environ,
    target: Target | None = None,
) -> ReadyWorkload:
    """As :func:`prepare_workload`, of a chain that need not be one of the scenario's workloads."""
    acting = dict.fromkeys(scenario.steps[step].client for step in noun.chain)
    clients = {
        actor: None if actor is None else client_credentials(scenario.clients[actor], endpoints, directory, environ)
        for actor in acting
    }
    tokens = tokens_file(target or scenario.target, directory)
    prime, steps = (
        tuple(ready_step(key, step, clients[step.client], endpoints, tokens) for key, step in _named(scenario, names))
        for names in (noun.prime, noun.steps or ())
    )
    users = load_users(scenario.users, directory, environ)
    return ReadyWorkload(name, steps, users, classifier_for(scenario.profile, scenario.error_rules), prime)


def tokens_file(target: Target, directory: Path) -> Path | None:
    """Where a target's refresh tokens stand that were issued beforehand."""
    return None if target.refresh_tokens is None else directory / target.refresh_tokens


def _named(scenario: Scenario, names: Iterable[str]) -> Iterator[tuple[str, Step]]:
    return ((name, scenario.steps[name]) for name in names)


def load_users(users: Users, directory: Path, environ: Mapping[str, str] = os.environ) -> list[UserLogin]:
    """Every user of the range or of the CSV file, in order; never empty."""
    if users.file is not None:
        return _users_of_file(directory / users.file)
    password = users.password.resolve(directory, environ) if users.password else ""  # nobody logs in then
    return [UserLogin(users.pattern.replace("{n}", str(n)), password) for n in range(users.first, users.last + 1)]


def client_credentials(
    client: Client, endpoints: Endpoints, directory: Path, environ: Mapping[str, str] = os.environ
) -> ClientCredentials:
    """The client as it authenticates at these endpoints; raises SecretMissingError or BadKeyError."""
    secret = client.secret.resolve(directory, environ) if client.secret else ""
    if not client.auth.has_assertion:
        return ClientCredentials(client.id, secret, client.auth)
    audience = endpoints.issuer if client.assertion_audience == "issuer" else endpoints.token
    signer = AssertionSigner(client.id, audience, signing_key(client, directory, environ), client.key_id)
    return ClientCredentials(client.id, method=client.auth, signer=signer)


def signing_key(client: Client, directory: Path, environ: Mapping[str, str] = os.environ) -> SigningKey:
    """The key of a client's assertions, loaded; raises SecretMissingError, or BadKeyError where it cannot sign."""
    if client.key is not None:
        return private_key(client.key.resolve(directory, environ), client.algorithm)
    return shared_key(client.secret.resolve(directory, environ) if client.secret else "", client.algorithm)


def _users_of_file(path: Path) -> list[UserLogin]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines)
            if not {"username", "password"} <= set(rows.fieldnames or ()):
                raise UserError(f"{path}: the first line must name the columns username and password.")
            users = [_user_of_row(path, rows.line_num, row) for row in rows]
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}; name a CSV file.") from error
    except (UnicodeDecodeError, csv.Error):
        raise UserError(f"{path}: is not a CSV file in UTF-8; save it as one.") from None  # its text may hold passwords
    if not users:
        raise UserError(f"{path}: names no user; add a line per user.")
    return users


def _user_of_row(path: Path, line: int, row: Mapping[str, str | None]) -> UserLogin:
    username, password = row["username"], row["password"]
    if not username or not password:
        raise UserError(f"{path}: line {line} has no {'password' if username else 'username'}; give both.")
    return UserLogin(username, password)
