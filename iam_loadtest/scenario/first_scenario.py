"""The text of a first scenario for an IAM: commented YAML, from what an operator answered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from iam_loadtest.oidc.client_auth import AuthMethod

RefreshBy = Literal["password", "code", "device", "exchange", "file", "none"]
REFRESH_BY: tuple[RefreshBy, ...] = ("password", "code", "device", "exchange", "file", "none")


@dataclass(frozen=True)
class ClientAnswer:
    """A client as it was named; ``proof`` is where its secret or key is: a variable's name, or ``file:PATH``."""

    id: str
    auth: AuthMethod
    proof: str = ""

    def line(self, name: str) -> str:
        """The client's line in the file."""
        keys = {"id": json.dumps(self.id, ensure_ascii=False), "auth": self.auth.value}
        if self.auth.has_secret:
            keys["secret"] = reference(self.proof)
        elif self.auth is AuthMethod.PRIVATE_KEY_JWT:
            keys["key"] = reference(self.proof)
        return f"  {name}: {{{_pairs(keys)}}}"


@dataclass(frozen=True)
class Answers:
    """What discovery does not say. A client that is None is left out, and the workloads that need it.

    ``subject`` is the client of the user's tokens, ``actor`` the one that exchanges them. Files are as seen from the
    scenario; ``users`` is where their password is, as a proof is, or the file that names them all.
    """

    name: str
    issuer: str
    profile: str
    access: ClientAnswer | None = None
    subject: ClientAnswer | None = None
    actor: ClientAnswer | None = None
    refresh_by: RefreshBy = "none"
    scope: str = "openid offline_access"
    redirect_uri: str = ""
    users_file: str = ""
    users_pattern: str = "test_{n}"
    users_first: int = 1
    users_last: int = 100
    users_password: str = ""
    tokens_file: str = ""
    ca_bundle: str = ""
    client_certificate: str = ""
    client_key: str = ""


def first_scenario(answers: Answers) -> str:
    """The file's text; it fits the schema whatever was answered."""
    sections = (_head, _topologies, _clients, _users, _steps, _workloads, _load)
    return "\n".join("\n".join(section(answers)) + "\n" for section in sections)


def reference(proof: str) -> str:
    """A secret by reference: ``file:PATH`` is a file, anything else the name of a variable."""
    if proof.startswith("file:"):
        return f"{{file: {json.dumps(proof.removeprefix('file:'))}}}"
    return f'"${{{proof}}}"'


def _head(answers: Answers) -> Iterator[str]:
    yield "# A first scenario. Secrets are references: export the variables, or put the files beside this one."
    yield "# Try it with `iam-loadtest check`, then `iam-loadtest run`. scenarios/README.md describes every key."
    yield f"name: {answers.name}"
    yield f"profile: {answers.profile}  # the provider's error table: indigo-iam, keycloak or generic"


def _topologies(answers: Answers) -> Iterator[str]:
    yield "# The first topology is the baseline. Add the deployments that are to be compared with it."
    yield "topologies:"
    yield f"  today: {{provider: url, issuer: {json.dumps(answers.issuer)}, factors: {{frontends: 1}}}}"
    yield from _target(answers)


def _target(answers: Answers) -> Iterator[str]:
    keys = {
        "ca_bundle": answers.ca_bundle,
        "client_certificate": answers.client_certificate,
        "client_key": answers.client_key,
        "refresh_tokens": answers.tokens_file if answers.refresh_by == "file" else "",
    }
    given = {key: json.dumps(value) for key, value in keys.items() if value}
    if given:
        yield f"target: {{{_pairs(given)}}}"


def _clients(answers: Answers) -> Iterator[str]:
    """The roles: access gets tokens for itself, subject those of users, actor exchanges them."""
    yield "# auth: basic, post, none, client_secret_jwt, private_key_jwt or tls_client_auth."
    roles = {"access": answers.access, "subject": answers.subject, "actor": answers.actor}
    lines = [client.line(name) for name, client in roles.items() if client is not None]
    yield "clients:" if lines else "clients: {}"
    yield from lines


def _users(answers: Answers) -> Iterator[str]:
    if answers.refresh_by not in {"password", "code", "device"}:
        yield "users: {}  # no step logs anybody in"
    elif answers.users_file:
        yield "# Columns username and password; each simulated user of the generator logs in as one of them."
        yield f"users: {{file: {json.dumps(answers.users_file)}}}"
    else:
        yield "# {n} is the user's number; each simulated user of the generator logs in as one of them."
        numbers = f"first: {answers.users_first}, last: {answers.users_last}"
        pattern = json.dumps(answers.users_pattern)
        yield f"users: {{pattern: {pattern}, {numbers}, password: {reference(answers.users_password)}}}"


def _steps(answers: Answers) -> Iterator[str]:
    yield "steps:"
    yield "  discovery: {request: discovery}"
    yield "  jwks: {request: jwks}"
    if answers.access is not None:
        yield "  issue: {grant: client_credentials, client: access}"
    yield from _first_token(answers)
    if answers.refresh_by != "none":
        yield f"  refresh: {{grant: refresh_token, client: {_refreshing(answers)}}}"
    if _exchanges(answers):
        yield "  exchange: {grant: token_exchange, client: actor, scope: openid}  # of the refreshed token"


def _first_token(answers: Answers) -> Iterator[str]:
    """How a refresh token comes to be."""
    scope = json.dumps(answers.scope)
    if answers.refresh_by == "password":
        yield f"  issue_for_user: {{grant: password, client: subject, scope: {scope}, label: issue}}"
    elif answers.refresh_by == "code":
        keys = {"request": "login_page", "client": "subject", "scope": scope}
        asked = {"redirect_uri": json.dumps(answers.redirect_uri), **_consent(answers)}
        yield f"  login_page: {{{_pairs({**keys, **asked})}}}"
        yield "  login: {request: login}"
        yield "  redeem: {grant: authorization_code, client: subject}"
    elif answers.refresh_by == "device":
        yield f"  device: {{request: device, client: subject, scope: {scope}}}"
        yield "  approve: {request: approve}  # by the user, in a browser that is played"
        yield "  redeem_device: {grant: device_code, client: subject}"
    elif answers.refresh_by == "exchange":
        yield "  issue_for_service: {grant: client_credentials, client: access, scope: openid, label: issue}"
        yield f"  exchange_offline: {{grant: token_exchange, client: actor, scope: {scope}, label: exchange}}"
    elif answers.refresh_by == "file":
        yield "  take: {request: pre_issued}  # the next token of target.refresh_tokens"


def _consent(answers: Answers) -> dict[str, str]:
    """Strict providers give offline_access where consent is asked for (OpenID Connect Core section 11)."""
    is_needed = answers.profile == "generic" and "offline_access" in answers.scope.split()
    return {"extra": "{prompt: consent}"} if is_needed else {}


_BEGINS: dict[RefreshBy, Sequence[str]] = {
    "password": ("issue_for_user",),
    "code": ("login_page", "login", "redeem"),
    "device": ("device", "approve", "redeem_device"),
    "exchange": ("issue_for_service", "exchange_offline"),
    "file": ("take",),
}


def _workloads(answers: Answers) -> Iterator[str]:
    yield "workloads:"
    if answers.access is not None:
        yield "  access: [issue]"
    begins = ", ".join(_BEGINS.get(answers.refresh_by, ()))
    if begins:
        yield "  # Each user begins once as prime says, and goes on with what it got."
        yield f"  refresh: {{prime: [{begins}], steps: [refresh]}}"
    if _exchanges(answers):
        yield f"  workflow: {{prime: [{begins}], steps: [refresh, exchange]}}"
    yield "  # Controls, which ask no database: what they need is the network's and the frontends'."
    yield "  discovery: [discovery]"
    yield "  jwks: [jwks]"


def _load(_: Answers) -> Iterator[str]:
    yield "# Begin small. In the closed model each user sends its next request when the last was answered."
    yield "load: {users: 20, spawn_rate_per_s: 10, warm_up: 10s, duration: 1m, workers: 2, trials: 3}"
    yield 'objectives: ["failures < 1%"]'


def _refreshing(answers: Answers) -> str:
    return "actor" if answers.refresh_by == "exchange" else "subject"


def _exchanges(answers: Answers) -> bool:
    return answers.actor is not None and answers.refresh_by in {"password", "code", "device", "file"}


def _pairs(keys: dict[str, str]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in keys.items())
