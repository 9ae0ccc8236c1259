"""A workload as a flow: a chain of steps, each taking what earlier ones gave."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_letters, digits
from urllib.parse import quote_plus, urlencode

from iam_loadtest.flow.message import Request
from iam_loadtest.oidc.client_auth import ClientCredentials
from iam_loadtest.oidc.grant import Grant, constant_fields
from iam_loadtest.oidc.token_response import Tokens
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.scenario.step import Step

_UNCHANGED = (ascii_letters + digits + "_.-~").encode()
"""What form encoding leaves as it is: the whole of a JWT, and of most other tokens."""

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
    constant_body: bytes = field(repr=False)
    subject_from: str | None = None


class _Held:
    """What a chain holds after some of its steps: the newest tokens, and the access token of each step."""

    __slots__ = ("access_token", "by_step", "refresh_token")

    def __init__(self) -> None:
        self.access_token = ""
        self.refresh_token = ""
        self.by_step: dict[str, str] = {}

    def take(self, step: str, tokens: Tokens) -> None:
        """Adopt what a step gave."""
        self.access_token = self.by_step[step] = tokens.access_token
        self.refresh_token = tokens.refresh_token or self.refresh_token


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
    body = urlencode((*client.form(), *fields)).encode()
    return ChainStep(name, step.label or name, step.grant, token_endpoint, headers, body, step.subject_token_from)


def chain(steps: Sequence[ChainStep], user: UserLogin) -> Flow:
    """The flow of one chain: each refresh token that comes back is adopted."""
    held = _Held()
    for step in steps:
        tokens = yield Request(step.label, step.url, step.headers, _body(step, held, user))
        held.take(step.name, tokens)


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


def _body(step: ChainStep, held: _Held, user: UserLogin) -> bytes:
    if step.grant is Grant.REFRESH_TOKEN:
        return b"%b&refresh_token=%b" % (step.constant_body, _form_encoded(held.refresh_token))
    if step.grant is Grant.TOKEN_EXCHANGE:
        subject = held.by_step[step.subject_from] if step.subject_from else held.access_token
        return b"%b&subject_token=%b" % (step.constant_body, _form_encoded(subject))
    if step.grant is Grant.PASSWORD:
        login = (step.constant_body, _form_encoded(user.username), _form_encoded(user.password))
        return b"%b&username=%b&password=%b" % login
    return step.constant_body


def _form_encoded(text: str) -> bytes:
    raw = text.encode()
    return quote_plus(raw).encode() if raw.translate(None, _UNCHANGED) else raw
