"""Names in a scenario that must exist elsewhere in it; works on plain data, so that it finds all of them at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from iam_loadtest.oidc.grant import Grant
from iam_loadtest.scenario.builtin import PUBLIC_CLIENT_SECRETS, PUBLIC_PASSWORD
from iam_loadtest.scenario.secret import REFERENCE, SECRET_HELP


def reference_problems(document: Mapping[str, Any]) -> list[str]:
    """Every reference that leads nowhere and every literal secret, one sentence each."""
    return [
        *_unknown_clients(document),
        *_unknown_steps(document),
        *_chains_without_token(document),
        *_unknown_in_objectives(document),
        *_literal_secrets(document),
    ]


def _unknown_clients(document: Mapping[str, Any]) -> Iterator[str]:
    clients = _mapping(document, "clients")
    for name, step in _nouns(document, "steps"):
        client = step.get("client")
        if isinstance(client, str) and client not in clients:
            yield f"steps.{name}.client is {client!r}; it must be one of the clients: {_names(clients)}."


def _unknown_steps(document: Mapping[str, Any]) -> Iterator[str]:
    steps = _mapping(document, "steps")
    for workload, chain in _chains(document):
        for index, step in enumerate(chain):
            if isinstance(step, str) and step not in steps:
                yield f"workloads.{workload}.{index} is {step!r}; it must be one of the steps: {_names(steps)}."


def _chains_without_token(document: Mapping[str, Any]) -> Iterator[str]:
    steps = dict(_nouns(document, "steps"))
    for workload, chain in _chains(document):
        for index, name in enumerate(chain):
            step = steps.get(name) if isinstance(name, str) else None
            if step is not None:
                yield from _missing_token(workload, chain, index, step, steps)


def _missing_token(
    workload: str, chain: list[Any], index: int, step: Mapping[str, Any], steps: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    earlier = chain[:index]
    where = f"workloads.{workload}.{index} is {chain[index]!r}"
    grants = {steps[name].get("grant") for name in earlier if isinstance(name, str) and name in steps}
    if step.get("grant") == Grant.REFRESH_TOKEN and not grants - {Grant.CLIENT_CREDENTIALS.value}:
        yield f"{where}, which needs a refresh token; put a step before it that gives one, such as grant: password."
    if step.get("grant") == Grant.TOKEN_EXCHANGE:
        source = step.get("subject_token_from")
        if source is not None and source not in earlier:
            yield f"{where}, which takes its subject token from {source!r}; that step must stand before it."
        elif not earlier:
            yield f"{where}, which needs a subject token; put a step before it that gives an access token."


def _unknown_in_objectives(document: Mapping[str, Any]) -> Iterator[str]:
    objectives = document.get("objectives")
    workloads = _mapping(document, "workloads")
    labels = [step.get("label") or name for name, step in _nouns(document, "steps")]
    for index, objective in enumerate(objectives if isinstance(objectives, list) else []):
        if not isinstance(objective, Mapping):
            continue
        workload, step = objective.get("workload"), objective.get("step")
        if isinstance(workload, str) and workload not in workloads:
            yield f"objectives.{index}.workload is {workload!r}; it must be one of the workloads: {_names(workloads)}."
        if isinstance(step, str) and step not in labels:
            yield f"objectives.{index}.step is {step!r}; it must be one of the steps: {_names(dict.fromkeys(labels))}."


def _literal_secrets(document: Mapping[str, Any]) -> Iterator[str]:
    for name, client in _nouns(document, "clients"):
        secret = client.get("secret")
        if _is_literal(secret) and PUBLIC_CLIENT_SECRETS.get(str(client.get("id"))) != secret:
            yield f"clients.{name}.secret is written out in the file; write {SECRET_HELP} instead."
    password = _mapping(document, "users").get("password")
    if _is_literal(password) and password != PUBLIC_PASSWORD:
        yield f"users.password is written out in the file; write {SECRET_HELP} instead."


def _is_literal(secret: object) -> bool:
    return isinstance(secret, str) and secret != "" and not REFERENCE.fullmatch(secret)


def _mapping(document: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    value = document.get(section)
    return value if isinstance(value, Mapping) else {}


def _nouns(document: Mapping[str, Any], section: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, noun in _mapping(document, section).items():
        if isinstance(noun, Mapping):
            yield str(name), noun


def _chains(document: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    for name, chain in _mapping(document, "workloads").items():
        if isinstance(chain, list):
            yield str(name), chain


def _names(mapping: Mapping[str, Any]) -> str:
    return ", ".join(str(name) for name in mapping) or "(none)"
