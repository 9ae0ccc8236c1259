"""A workload as a flow: a chain of steps, each taking what earlier ones gave."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from iam_loadtest.flow.answer import Answer, Device
from iam_loadtest.flow.message import Request, Visit
from iam_loadtest.flow.page import Filled
from iam_loadtest.oidc.token_response import Tokens
from iam_loadtest.results.outcome import Outcome

Flow = Generator[Request, Answer, None]
Exchange = Callable[[Request], tuple[Outcome, Answer]]
MakeFlow = Callable[[Sequence["ChainStep"], "UserLogin", "Held"], Flow]
"""Makes the flow of one chain: :func:`chain`, or a workload of one's own."""


@dataclass(frozen=True, slots=True)
class UserLogin:
    """A user whose tokens are asked for."""

    username: str
    password: str = field(repr=False)


class Login(NamedTuple):
    """A login under way: what the browser has, the form that is next, the code at its end, pages so far."""

    visit: Visit
    verifier: str
    form: Filled | None = None
    code: str = ""
    pages: int = 0

    def __repr__(self) -> str:
        return "Login()"


class Held:
    """What a chain holds after some of its steps: the newest tokens, the access token of each step, a login.

    ``revoked`` is the last revoked token of each kind.
    """

    __slots__ = ("access_token", "by_step", "device", "login", "refresh_token", "revoked")

    def __init__(self) -> None:
        self.access_token = ""
        self.refresh_token = ""
        self.by_step: dict[str, str] = {}
        self.revoked: dict[str, str] = {}
        self.login: Login | None = None
        self.device: Device | None = None

    def take(self, step: str, tokens: Tokens) -> None:
        """Adopt what a step gave."""
        self.access_token = self.by_step[step] = tokens.access_token
        self.refresh_token = tokens.refresh_token or self.refresh_token


@dataclass(frozen=True)
class ChainStep(ABC):
    """A step made ready: what is the same in each of its requests is encoded once.

    ``label`` is the name in results, ``kind`` what is asked for: a grant or a request kind.
    """

    name: str
    label: str
    kind: str

    @abstractmethod
    def request(self, held: Held, user: UserLogin) -> Request:
        """The request of the step, with what the chain holds."""

    def begin(self, held: Held, user: UserLogin) -> Request | None:
        """What a chain sends for the step; None where the step asks nobody."""
        return self.request(held, user)

    def take(self, held: Held, answer: Answer) -> None:  # noqa: B027  most requests give nothing
        """Adopt what a good answer gave."""

    def follow_up(self, held: Held, user: UserLogin) -> Request | None:  # noqa: ARG002  most steps are one request
        """A further request of the same step, after a good answer."""
        return None


def chain(steps: Sequence[ChainStep], user: UserLogin, held: Held | None = None) -> Flow:
    """The flow of one chain: each refresh token that comes back is adopted.

    ``held`` is what earlier steps gave; it takes what these give, so two chains must not have the same at once.
    """
    held = held or Held()
    for step in steps:
        request = step.begin(held, user)
        while request is not None:
            step.take(held, (yield request))
            request = step.follow_up(held, user)


def drive(flow: Flow, exchange: Exchange) -> Outcome:
    """Run a flow to its end or to its first failed step; the outcome is OK or that step's.

    ``exchange`` sends one request and says what its answer came to, and what it gave where it is OK.
    """
    try:
        request = next(flow)
        while True:
            outcome, answer = exchange(request)
            if outcome is not Outcome.OK:
                flow.close()
                return outcome
            request = flow.send(answer)
    except StopIteration:
        return Outcome.OK
