"""Names in a scenario that must exist elsewhere in it; works on plain data, so that it finds all of them at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Any

from iam_loadtest.oidc.grant import Grant
from iam_loadtest.oidc.request_kind import RequestKind
from iam_loadtest.results.lab_state import FRONTEND
from iam_loadtest.results.sample import WORKFLOW_STEP, chain_step
from iam_loadtest.scenario.builtin import DEFAULT_USERS, FIRST_USER, PUBLIC_CLIENT_SECRETS, PUBLIC_PASSWORD
from iam_loadtest.scenario.fault import fault_times
from iam_loadtest.scenario.load import Load
from iam_loadtest.scenario.secret import REFERENCE, SECRET_HELP

_SECRET_FIELDS = frozenset(
    {"client_secret", "client_assertion", "assertion", "password", "code", "access_token", "refresh_token"}
    | {"subject_token", "actor_token", "id_token", "token"}
)
_AFTER = {
    RequestKind.LOGIN: RequestKind.LOGIN_PAGE,
    Grant.AUTHORIZATION_CODE: RequestKind.LOGIN,
    RequestKind.APPROVE: RequestKind.DEVICE,
    Grant.DEVICE_CODE: RequestKind.APPROVE,
}
_ABOUT_A_TOKEN = frozenset({RequestKind.INTROSPECT, RequestKind.REVOKE, RequestKind.USERINFO})


def reference_problems(document: Mapping[str, Any], left_out: Set[str] = frozenset()) -> list[str]:
    """Every reference that leads nowhere and every literal secret, one sentence each.

    ``left_out`` are the sections that the file does not have: what they refer to is said as one problem.
    """
    return [
        *_unknown_clients(document, left_out),
        *_unknown_steps(document, left_out),
        *_reserved_labels(document),
        *_unknown_sources(document),
        *_chains_without_token(document),
        *_chains_without_request(document),
        *_unknown_in_mixes(document),
        *_unknown_trials(document),
        *_unknown_in_quick(document),
        *_unknown_probe_nodes(document),
        *_unknown_in_objectives(document),
        *_literal_secrets(document),
        *_unseeded_users(document),
        *fault_times(document, Load.model_fields["duration_s"].default),
    ]


def _unknown_clients(document: Mapping[str, Any], left_out: Set[str]) -> Iterator[str]:
    clients = document.get("clients")
    if not isinstance(clients, Mapping):
        return
    wanted = {
        f"steps.{name}.client": step["client"]
        for name, step in _nouns(document, "steps")
        if isinstance(step.get("client"), str)
    }
    unknown = {place: client for place, client in wanted.items() if client not in clients}
    if unknown and "steps" in left_out:
        yield (
            f"clients holds {_names(clients)}; the built-in steps need {_names(dict.fromkeys(wanted.values()))}: "
            "add those, or write steps and workloads of your own."
        )
        return
    for place, client in unknown.items():
        yield f"{place} is {client!r}; it must be one of the clients: {_names(clients)}."


def _unknown_steps(document: Mapping[str, Any], left_out: Set[str]) -> Iterator[str]:
    steps = document.get("steps")
    if not isinstance(steps, Mapping):
        return
    unknown = {
        place: step
        for _, chain in _chains(document)
        for place, step in chain.items()
        if isinstance(step, str) and step not in steps
    }
    if unknown and "workloads" in left_out:
        yield f"workloads is missing; the built-in ones do not fit these steps, so write chains of {_names(steps)}."
        return
    for place, step in unknown.items():
        yield f"{place} is {step!r}; it must be one of the steps: {_names(steps)}."


def _reserved_labels(document: Mapping[str, Any]) -> Iterator[str]:
    for name, step in _nouns(document, "steps"):
        if (step.get("label") or name) == WORKFLOW_STEP:
            yield (
                f"steps.{name} is called {WORKFLOW_STEP!r} in results, which is the name of whole chains; "
                "give it another label."
            )


def _unknown_sources(document: Mapping[str, Any]) -> Iterator[str]:
    steps = _mapping(document, "steps")
    for name, step in _nouns(document, "steps"):
        source = step.get("subject_token_from")
        if isinstance(source, str) and source not in steps:
            yield f"steps.{name}.subject_token_from is {source!r}; it must be one of the steps: {_names(steps)}."


def _chains_without_token(document: Mapping[str, Any]) -> Iterator[str]:
    steps = dict(_nouns(document, "steps"))
    for _, chain in _chains(document):
        names = list(chain.values())
        for index, (place, name) in enumerate(chain.items()):
            if all(isinstance(one, str) and one in steps for one in names[: index + 1]):
                yield from _missing_token(f"{place} is {name!r}", names[:index], steps[name], steps)


def _chains_without_request(document: Mapping[str, Any]) -> Iterator[str]:
    """Chains that would send nothing, again and again; what a user does once before them does not count."""
    steps = dict(_nouns(document, "steps"))
    for workload, noun in _mapping(document, "workloads").items():
        chain = noun.get("steps") if isinstance(noun, Mapping) else noun
        asked = [steps.get(str(name), {}).get("request") for name in chain] if isinstance(chain, list) else []
        if asked and all(kind == RequestKind.PRE_ISSUED for kind in asked):
            yield f"workloads.{workload} asks nobody: request: pre_issued takes a token and sends nothing; add a step."


def _missing_token(
    where: str, earlier: list[Any], step: Mapping[str, Any], steps: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    grants = {steps[name].get("grant") for name in earlier} - {None}
    requests = {steps[name].get("request") for name in earlier}
    has_refresh = bool(grants - {Grant.CLIENT_CREDENTIALS.value}) or RequestKind.PRE_ISSUED in requests
    asked = step.get("grant") or step.get("request")
    is_about_refresh = asked in _ABOUT_A_TOKEN and step.get("token") == "refresh_token"
    if (asked == Grant.REFRESH_TOKEN or is_about_refresh) and not has_refresh:
        yield f"{where}, which needs a refresh token; put a step before it that gives one, such as grant: password."
    elif asked in _ABOUT_A_TOKEN and not is_about_refresh and not grants:
        yield f"{where}, which needs a token; put a step before it that gives one."
    for kind, before in _AFTER.items():
        if asked == kind and before not in requests:
            yield f"{where}, which goes on where a step with request: {before} ended; put one before it."
    if asked == Grant.TOKEN_EXCHANGE:
        source = step.get("subject_token_from")
        if source in steps and source not in earlier:
            yield f"{where}, which takes its subject token from {source!r}; that step must stand before it."
        elif source is None and not grants:
            yield f"{where}, which needs a subject token; put a step before it that gives an access token."


def _unknown_in_mixes(document: Mapping[str, Any]) -> Iterator[str]:
    chains = {name: chain for name, chain in _chains(document) if chain}
    for workload, noun in _nouns(document, "workloads"):
        for name in _mapping(noun, "mix"):
            if name not in chains:
                yield (
                    f"workloads.{workload}.mix.{name} is no workload with steps; it must be one of: {_names(chains)}."
                )


def _unknown_trials(document: Mapping[str, Any]) -> Iterator[str]:
    workloads, wanted = _mapping(document, "workloads"), document.get("trials_of")
    for index, name in enumerate(wanted if isinstance(wanted, list) else []):
        if isinstance(name, str) and name not in workloads:
            yield f"trials_of.{index} is {name!r}; it must be one of the workloads: {_names(workloads)}."


def _unknown_in_quick(document: Mapping[str, Any]) -> Iterator[str]:
    """Entries of quick.only that keep no trial."""
    topologies = list(_mapping(document, "topologies"))
    workloads = document.get("trials_of") or list(_mapping(document, "workloads"))
    both = [f"{topology}/{workload}" for topology in topologies for workload in workloads]
    wanted = _mapping(document, "quick").get("only")
    for index, name in enumerate(wanted if isinstance(wanted, list) else []):
        if isinstance(name, str) and name not in [*topologies, *workloads, *both]:
            yield (
                f"quick.only.{index} is {name!r}; it must be a topology ({', '.join(topologies)}), a workload"
                f" ({', '.join(workloads)}) or TOPOLOGY/WORKLOAD."
            )


def _unknown_probe_nodes(document: Mapping[str, Any]) -> Iterator[str]:
    wanted = _mapping(document, "probes").get("nodes")
    known = dict.fromkeys(_nodes(document))
    for index, name in enumerate(wanted if isinstance(wanted, list) else []):
        if isinstance(name, str) and name not in known:
            yield (
                f"probes.nodes.{index} is {name!r}; it must be one of the nodes: {_names(known)}. A lab's are its "
                "frontends, those of other deployments stand in target.nodes."
            )


def _nodes(document: Mapping[str, Any]) -> Iterator[str]:
    """Every node of every topology: the frontends of labs by number, and those with a URL."""
    yield from _mapping(_mapping(document, "target"), "nodes")
    for _, topology in _nouns(document, "topologies"):
        yield from _mapping(_mapping(topology, "target"), "nodes")
        if topology.get("provider") == "lab":
            frontends = topology.get("frontends", 1)
            numbers = frontends if isinstance(frontends, list) else [frontends]
            total = sum(number for number in numbers if type(number) is int)
            yield from (f"{FRONTEND}-{number}" for number in range(1, total + 1))


def _unknown_in_objectives(document: Mapping[str, Any]) -> Iterator[str]:
    objectives = document.get("objectives")
    workloads = _mapping(document, "workloads")
    for index, objective in enumerate(objectives if isinstance(objectives, list) else []):
        if not isinstance(objective, Mapping):
            continue
        workload, step = objective.get("workload"), objective.get("step")
        if isinstance(workload, str) and workload not in workloads:
            yield f"objectives.{index}.workload is {workload!r}; it must be one of the workloads: {_names(workloads)}."
        else:
            labels = _labels(document, [workload] if isinstance(workload, str) else list(workloads))
            if isinstance(step, str) and step not in labels:
                yield f"objectives.{index}.step is {step!r}; it must be one of the steps there: {_names(labels)}."


def _labels(document: Mapping[str, Any], workloads: list[str]) -> dict[str, None]:
    """What the steps of the workloads are called in results; a mix has those of its parts, and each part's chains."""
    steps = dict(_nouns(document, "steps"))
    mixes = dict(_nouns(document, "workloads"))
    parts = dict.fromkeys(part for name in workloads for part in _mapping(mixes.get(name, {}), "mix"))
    wanted = {*workloads, *parts}
    names = [name for workload, chain in _chains(document) if workload in wanted for name in chain.values()]
    labels = [str(steps.get(str(name), {}).get("label") or name) for name in names]
    return dict.fromkeys([*labels, *(chain_step(part) for part in parts)])


def _literal_secrets(document: Mapping[str, Any]) -> Iterator[str]:
    for name, client in _nouns(document, "clients"):
        secret = client.get("secret")
        if _is_literal(secret) and PUBLIC_CLIENT_SECRETS.get(str(client.get("id"))) != secret:
            yield f"clients.{name}.secret is a text, not a reference; write {SECRET_HELP} instead."
        if _is_literal(client.get("key")):
            yield f"clients.{name}.key is a text, not a reference; write {SECRET_HELP} instead."
    password = _mapping(document, "users").get("password")
    if _is_literal(password) and password != PUBLIC_PASSWORD:
        yield f"users.password is a text, not a reference; write {SECRET_HELP} instead."
    for name, step in _nouns(document, "steps"):
        for field in sorted(_SECRET_FIELDS.intersection(_mapping(step, "extra"))):
            yield f"steps.{name}.extra.{field} is a secret, which would stand in run.json; remove it."


def _unseeded_users(document: Mapping[str, Any]) -> Iterator[str]:
    users = _mapping(document, "users")
    last = None if "file" in users else users.get("last", DEFAULT_USERS["last"])
    for name, topology in _nouns(document, "topologies"):
        seeded = _mapping(topology, "settings").get("users")
        if type(last) is int and type(seeded) is int and last >= FIRST_USER + seeded:
            yield (
                f"topologies.{name}.settings.users is {seeded}, which ends at test_{FIRST_USER + seeded - 1}; "
                f"users.last is {last}, so write {last - FIRST_USER + 1} or more."
            )


def _is_literal(secret: object) -> bool:
    return isinstance(secret, str) and secret != "" and not REFERENCE.fullmatch(secret)


def _mapping(document: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    value = document.get(section)
    return value if isinstance(value, Mapping) else {}


def _nouns(document: Mapping[str, Any], section: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, noun in _mapping(document, section).items():
        if isinstance(noun, Mapping):
            yield str(name), noun


def _chains(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each workload with its steps by their place in the file, those of ``prime`` first; a mix has none."""
    for name, workload in _mapping(document, "workloads").items():
        lists = {f"workloads.{name}": workload}
        if isinstance(workload, Mapping):
            lists = {f"workloads.{name}.{key}": workload.get(key) for key in ("prime", "steps")}
        steps = {
            f"{place}.{index}": step
            for place, chain in lists.items()
            if isinstance(chain, list)
            for index, step in enumerate(chain)
        }
        yield str(name), steps


def _names(mapping: Mapping[str, Any]) -> str:
    return ", ".join(str(name) for name in mapping) or "(none)"
