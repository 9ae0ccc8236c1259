"""A workload as a flow: a chain of steps, each taking what earlier ones gave."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote_plus, urlencode

from iam_loadtest.flow.message import Request
from iam_loadtest.oidc.client_auth import ClientCredentials
from iam_loadtest.oidc.grant import Grant, constant_fields
from iam_loadtest.oidc.token_response import Tokens
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.scenario.model import Step

Flow = Generator[Request, Tokens, None]
Exchange = Callable[[Request], tuple[Outcome, Tokens | None]]


@dataclass(frozen=True, slots=True)
class UserLogin:
    """A user whose tokens are asked for."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class ChainStep:
    """A step made ready: everything that is the same in each of its requests is encoded once.

    ``label`` is the name in results; ``subject_from`` the step of the chain whose access token is exchanged.
    """

    name: str
    label: str
    grant: Grant
    url: str
    headers: Mapping[str, str] = field(repr=False)
    constant_body: str = field(repr=False)
    subject_from: str | None = None


@dataclass(frozen=True, slots=True)
class _Held:
    """What a chain holds after some of its steps: the newest tokens, and the access token of each step."""

    access_token: str = field(repr=False, default="")
    refresh_token: str = field(repr=False, default="")
    by_step: Mapping[str, str] = field(repr=False, default_factory=dict)

    def after(self, step: str, tokens: Tokens) -> _Held:
        return _Held(
            tokens.access_token,
            tokens.refresh_token or self.refresh_token,
            {**self.by_step, step: tokens.access_token},
        )


def prepare_step(name: str, step: Step, client: ClientCredentials, token_endpoint: str) -> ChainStep:
    """The step with its URL, headers and constant form fields encoded."""
    fields = constant_fields(
        step.grant,
        scope=step.scope,
        audience=step.audience,
        resource=step.resource,
        subject_token_type=step.subject_token_type,
        requested_token_type=step.requested_token_type,
        extra=step.extra,
    )
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
        **client.headers(),
    }
    body = urlencode((*client.form(), *fields))
    return ChainStep(name, step.label or name, step.grant, token_endpoint, headers, body, step.subject_token_from)


def chain(steps: Sequence[ChainStep], user: UserLogin) -> Flow:
    """The flow of one chain: each refresh token that comes back is adopted."""
    held = _Held()
    for step in steps:
        tokens = yield _request(step, held, user)
        held = held.after(step.name, tokens)


def drive(flow: Flow, exchange: Exchange) -> Outcome:
    """Run a flow to its end or to its first failed step; the outcome is OK or that step's.

    ``exchange`` sends one request and says what its answer came to.
    """
    try:
        request = next(flow)
        while True:
            outcome, tokens = exchange(request)
            if tokens is None:
                flow.close()
                return outcome
            request = flow.send(tokens)
    except StopIteration:
        return Outcome.OK


def _request(step: ChainStep, held: _Held, user: UserLogin) -> Request:
    fields = _varying_fields(step, held, user)
    varying = "".join(f"&{name}={quote_plus(value)}" for name, value in fields)
    return Request(step.label, step.url, step.headers, (step.constant_body + varying).encode())


def _varying_fields(step: ChainStep, held: _Held, user: UserLogin) -> Sequence[tuple[str, str]]:
    if step.grant is Grant.PASSWORD:
        return (("username", user.username), ("password", user.password))
    if step.grant is Grant.REFRESH_TOKEN:
        return (("refresh_token", held.refresh_token),)
    if step.grant is Grant.TOKEN_EXCHANGE:
        subject = held.by_step[step.subject_from] if step.subject_from else held.access_token
        return (("subject_token", subject),)
    return ()
