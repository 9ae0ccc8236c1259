"""The nouns of a scenario file, checked by pydantic. Durations are seconds once read."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from iam_loadtest.oidc.client_auth import AuthMethod
from iam_loadtest.oidc.grant import ACCESS_TOKEN_TYPE, Grant
from iam_loadtest.scenario import builtin
from iam_loadtest.scenario.objective import Objective
from iam_loadtest.scenario.secret import Secret, SecretRef
from iam_loadtest.units import DURATION_HELP, parse_duration_s

_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$"
NAME_HELP = "1 to 40 letters, digits, - and _, starting with a letter or digit"
Name = Annotated[str, Field(pattern=_NAME)]
DurationS = Annotated[
    float,
    BeforeValidator(parse_duration_s),
    WithJsonSchema({"type": ["string", "number"], "description": DURATION_HELP}),
]
Whole = Annotated[int, Field(strict=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Switch = Annotated[bool, Field(strict=True)]


def _check_factor(value: Any) -> Any:
    if not isinstance(value, str | bool | int | float) or (isinstance(value, float) and not math.isfinite(value)):
        raise ValueError("must be a text in quotes, a number, or true or false")
    return value


Factor = Annotated[str | bool | int | float, BeforeValidator(_check_factor)]


def _check_url(url: str) -> str:
    if not re.fullmatch(r"https?://[^\s/@?#\\]+(/[^\s?#\\]*)?", url) or not _has_host(url):
        raise ValueError(
            "must be an http or https URL, such as https://iam.example.org/, without user, query or fragment"
        )
    return url


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname) and urlsplit(url).port != 0
    except ValueError:
        return False


Url = Annotated[
    str,
    AfterValidator(_check_url),
    WithJsonSchema({"type": "string", "pattern": r"^(https?://|\$\{)", "description": "URL, or ${ENV}"}),
]


class Noun(BaseModel):
    """Common settings: frozen, no unknown keys, field names and their aliases both accepted."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, str_strip_whitespace=True, validate_default=True
    )


class Client(Noun):
    """An OAuth client that acts in steps."""

    id: Annotated[str, Field(min_length=1)] = Field(description="client_id")
    auth: AuthMethod = Field(default=AuthMethod.BASIC, description="how the client authenticates at the token endpoint")
    secret: Secret | None = Field(default=None, description="the client's secret, by reference")

    @model_validator(mode="after")
    def _has_what_its_method_needs(self) -> Client:
        if self.auth is AuthMethod.NONE and self.secret is not None:
            raise ValueError("has a secret, and auth: none sends none; remove the secret or choose basic or post")
        if self.auth is not AuthMethod.NONE and self.secret is None:
            raise ValueError(f"has no secret, and auth: {self.auth} needs one; write secret: ${{ENV_VARIABLE}}")
        return self


class Users(Noun):
    """The users whose tokens are asked for: a numbered range, or a CSV file with columns username and password."""

    pattern: str = Field(default="test_{n}", description="user name with {n} for the number")
    first: Annotated[Whole, Field(ge=0)] = Field(default=100, description="first number of the range")
    last: Annotated[Whole, Field(ge=0)] = Field(default=347, description="last number of the range, included")
    password: Secret | None = Field(default=None, description="the password of all of them, by reference")
    file: str | None = Field(default=None, description="CSV file with the columns username and password")

    @field_validator("pattern")
    @classmethod
    def _numbers_users(cls, pattern: str) -> str:
        if "{n}" not in pattern:
            raise ValueError("must hold {n}, which stands for the user's number")
        return pattern

    @field_validator("last")
    @classmethod
    def _is_not_before_first(cls, last: int, info: ValidationInfo) -> int:
        if last < info.data.get("first", 0):
            raise ValueError(f"must not be below users.first, which is {info.data['first']}")
        return last

    @model_validator(mode="after")
    def _names_users_once(self) -> Users:
        if self.file is None and self.password is None:
            raise ValueError("has neither a password nor a file; write password: ${ENV_VARIABLE} or file: users.csv")
        if self.file is not None and self.password is not None:
            raise ValueError("has both a password and a file; keep one of them")
        return self


class Step(Noun):
    """One request of a workload: the grant, the acting client, and what it takes from earlier steps."""

    grant: Grant = Field(description="what is asked of the token endpoint")
    client: Name = Field(description="which of the clients acts")
    label: Name | None = Field(default=None, description="name of the step in results; its own name where left out")
    scope: str | None = Field(default=None, description="space-separated scopes; none sent where left out")
    audience: tuple[str, ...] = Field(default=(), description="audience, repeatable")
    resource: tuple[str, ...] = Field(default=(), description="resource indicators, repeatable")
    subject_token_from: Name | None = Field(
        default=None, description="step whose access token is exchanged; the last one that gave one where left out"
    )
    subject_token_type: str = Field(default=ACCESS_TOKEN_TYPE, description="subject_token_type of an exchange")
    requested_token_type: str | None = Field(default=None, description="requested_token_type of an exchange")
    extra: dict[str, str] = Field(default_factory=dict, description="further form fields, sent as they are")

    @model_validator(mode="after")
    def _exchange_has_its_keys_alone(self) -> Step:
        if self.grant is Grant.TOKEN_EXCHANGE:
            return self
        for key in ("subject_token_from", "requested_token_type"):
            if getattr(self, key) is not None:
                raise ValueError(f"has {key}, which only grant: token_exchange takes; remove it")
        return self


class Load(Noun):
    """How hard and how long: a closed model, each user sends its next request when the last one was answered."""

    users: Annotated[Whole, Field(ge=1, le=100_000)] = Field(
        default=500, description="simulated users over all workers"
    )
    spawn_rate_per_s: Annotated[Number, Field(gt=0)] = Field(default=10, description="users started each second")
    warm_up_s: DurationS = Field(default=30, alias="warm_up", description="after the ramp, before the window")
    duration_s: DurationS = Field(default=600, alias="duration", gt=0, description="length of the measured window")
    cool_down_s: DurationS = Field(default=2, alias="cool_down", description="load goes on after the window")
    rest_s: DurationS = Field(default=5, alias="rest", description="pause between trials")
    think_time_s: DurationS = Field(default=0, alias="think_time", description="pause of a user between chains")
    workers: Annotated[Whole, Field(ge=1, le=256)] = Field(default=8, description="Locust worker processes")
    trials: Annotated[Whole, Field(ge=1, le=1000)] = Field(default=3, description="trials per topology and workload")

    @property
    def ramp_s(self) -> float:
        """Seconds until all users run."""
        return self.users / self.spawn_rate_per_s


class Target(Noun):
    """How the generator talks to the IAM."""

    timeout_s: DurationS = Field(default=60, alias="timeout", gt=0, description="time limit of one request")
    connect_timeout_s: DurationS = Field(default=10, alias="connect_timeout", gt=0, description="time limit to connect")
    verify_tls: Switch = Field(default=True, description="check the server's certificate")
    ca_bundle: str | None = Field(default=None, description="PEM file of further certificate authorities")
    backend_header: str = Field(default="X-Backend", description="response header that names the serving node")
    token_endpoint: Url | None = Field(default=None, description="where discovery does not say it")
    health: Url | None = Field(default=None, description="awaited before a trial; the discovery document if left out")
    health_timeout_s: DurationS = Field(default=60, alias="health_timeout", description="how long health is awaited")


class Hook(Noun):
    """A command run beside the trials; the environment tells it topology, workload, trial and directory."""

    command: tuple[str, ...] = Field(min_length=1, description="program and arguments, no shell")
    timeout_s: DurationS = Field(default=600, alias="timeout", gt=0, description="time limit")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, str | list):
            value = {"command": value}
        if not isinstance(value, Mapping | Hook):
            raise ValueError("must be a command: a text, a list of texts, or a mapping with command and timeout")
        if isinstance(value, Mapping) and isinstance(value.get("command"), str):
            return {**value, "command": _words(value["command"])}
        return value


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:
        raise ValueError(f"cannot be split into words: {str(error).lower()}; check its quotes") from error


class Hooks(Noun):
    """Commands at the turning points of a run; a failed one fails the trial."""

    before_topology: Hook | None = Field(default=None, description="before a trial of another topology than the last")
    before_trial: Hook | None = Field(default=None, description="before every trial")
    after_trial: Hook | None = Field(default=None, description="after every trial, however it ended")


class _Topology(Noun):
    factors: dict[Name, Factor] = Field(
        default_factory=dict, description="what tells this deployment from others: frontends, database, latency_ms, ..."
    )
    description: str = Field(default="", description="one line for the report")
    target: Target | None = Field(default=None, description="keys that differ from the scenario's target")
    hooks: Hooks | None = Field(default=None, description="keys that differ from the scenario's hooks")


class UrlTopology(_Topology):
    """An IAM that is already deployed."""

    provider: Literal["url"]
    issuer: Url = Field(description="the issuer, as its discovery document names it")


class IamSettings(Noun):
    """Settings of the built-in IAM; what is left out has the built-in IAM's own default."""

    algorithm: Literal["RS256", "ES256"] | None = Field(default=None, description="signature of tokens")
    store_access_tokens: Switch | None = Field(default=None, description="access tokens in the database")
    clear_access_tokens_on_refresh: Switch | None = Field(default=None, description="a refresh deletes older ones")
    rotate_refresh_tokens: Switch | None = Field(default=None, description="a refresh gives a new refresh token")
    extra_statements: Annotated[Whole, Field(ge=0)] | None = Field(default=None, description="more SQL per request")
    error_style: Literal["indigo", "rfc"] | None = Field(default=None, description="statuses and texts of errors")
    retry_deadlocks: Annotated[Whole, Field(ge=0)] | None = Field(default=None, description="retries of a deadlock")
    users: Annotated[Whole, Field(ge=1)] | None = Field(default=None, description="how many users are seeded")


class EmbeddedTopology(_Topology):
    """The built-in IAM, started for each trial with a fresh database."""

    provider: Literal["embedded"]
    frontends: Annotated[Whole, Field(ge=1, le=64)] = Field(default=1, description="IAM processes on one port")
    database: str = Field(
        default="sqlite", pattern=r"^(sqlite|\$\{[A-Za-z_][A-Za-z0-9_]*\})$",
        description="sqlite, or ${ENV_VARIABLE} that holds the URL of a MariaDB database",
    )  # fmt: skip
    settings: IamSettings = Field(default_factory=IamSettings, description="settings of the built-in IAM")


Topology = Annotated[UrlTopology | EmbeddedTopology, Field(discriminator="provider")]


class ErrorRule(Noun):
    """One row of an error table: all conditions given must hold; the first row that fits decides."""

    outcome: Literal["stale_read", "write_conflict", "pool_exhausted", "refused", "throttled", "server_error"]
    step: Name | None = Field(default=None, description="step label")
    status: Annotated[Whole, Field(ge=100, le=599)] | None = Field(default=None, description="HTTP status")
    error: str | None = Field(default=None, description="OAuth error code")
    description: str | None = Field(default=None, description="regular expression found in error_description")
    min_latency_s: DurationS | None = Field(default=None, alias="min_latency", description="at least this slow")
    max_latency_s: DurationS | None = Field(default=None, alias="max_latency", description="at most this slow")

    @model_validator(mode="after")
    def _compiles(self) -> ErrorRule:
        try:
            re.compile(self.description or "")
        except re.error as error:
            raise ValueError(f"description is no regular expression: {error}") from error
        return self

    @model_validator(mode="after")
    def _has_a_condition(self) -> ErrorRule:
        if self.model_fields_set <= {"outcome"}:
            raise ValueError("has no condition, so it would fit every error; add status, error, description or step")
        return self


class Scenario(Noun):
    """One scenario file: what is measured, how, on which topologies, and what must be reached."""

    name: Name = Field(description="name of the run's directory and of the report")
    description: str = Field(default="", description="what the scenario is to find out")
    seed: Annotated[Whole, Field(ge=0)] = Field(default=1, description="seed of the trial order and of random phases")
    profile: Literal["indigo-iam", "generic"] = Field(default="indigo-iam", description="error table of the provider")
    error_rules: tuple[ErrorRule, ...] = Field(default=(), description="rows put before the profile's error table")
    target: Target = Field(default_factory=Target, description="how the generator talks to the IAM")
    hooks: Hooks = Field(default_factory=Hooks, description="commands at the turning points of a run")
    clients: dict[Name, Client] = Field(description="OAuth clients by the name that steps use")
    users: Users = Field(description="users whose tokens are asked for")
    steps: dict[Name, Step] = Field(description="requests that workloads are made of")
    workloads: dict[Name, Annotated[tuple[Name, ...], Field(min_length=1)]] = Field(
        min_length=1, description="chains of steps by name"
    )
    load: Load = Field(default_factory=Load, description="how hard and how long")
    topologies: dict[Name, Topology] = Field(min_length=1, description="deployments that are compared, baseline first")
    objectives: tuple[Objective, ...] = Field(default=(), description="limits that must be kept")

    def target_of(self, topology: str) -> Target:
        """The scenario's target with the topology's own keys on top."""
        own = self.topologies[topology].target
        return self.target if own is None else self.target.model_copy(update=_keys_set(own))

    def hooks_of(self, topology: str) -> Hooks:
        """The scenario's hooks with the topology's own keys on top."""
        own = self.topologies[topology].hooks
        return self.hooks if own is None else self.hooks.model_copy(update=_keys_set(own))

    def label_of(self, step: str) -> str:
        """The step's name in results."""
        return self.steps[step].label or step

    def resolved(self) -> dict[str, Any]:
        """Plain data for run.json: every default filled in, secrets as references only."""
        return self.model_dump(mode="json")


def default_sections() -> dict[str, Any]:
    """Clients, users, steps and workloads that a scenario for the built-in IAM may leave out."""
    return {
        "clients": builtin.DEFAULT_CLIENTS,
        "users": builtin.DEFAULT_USERS,
        "steps": builtin.DEFAULT_STEPS,
        "workloads": builtin.DEFAULT_WORKLOADS,
    }


def is_public_secret(client_id: str, secret: SecretRef) -> bool:
    """Whether a literal secret is the built-in IAM's own, which everybody knows."""
    return builtin.PUBLIC_CLIENT_SECRETS.get(client_id) == secret.literal


def _keys_set(noun: Noun) -> dict[str, Any]:
    return {key: getattr(noun, key) for key in noun.model_fields_set}
