"""Consistency probes as flows: write at one node, read at another, and see whether the write is there.

A probe yields what is to be sent, when and to which node, and is given what came of it. It knows no clock and no
network: times are those of the answers it was given.

A read is made once after a delay that was drawn beforehand, since reading often would disturb what is measured. Only
where that read is stale it is made again, to see how long the write stays away. What was acknowledged is held for the
audit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from iam_loadtest.flow.answer import Answer
from iam_loadtest.flow.chain import ChainStep, Held, UserLogin
from iam_loadtest.flow.message import Request
from iam_loadtest.oidc.request_kind import RequestKind
from iam_loadtest.oidc.token_response import Tokens
from iam_loadtest.results.outcome import TRANSPORT_OUTCOMES, Outcome
from iam_loadtest.results.probe import BALANCED, PINNED, ProbeKind, ProbePhase, ProbeRow, ProbeVerdict

SCHEDULE_MS: Final = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
"""Delays of first reads after the acknowledgement of the write."""
LATER_MS: Final = (5000, 10_000)
"""After the schedule a write that is still not seen is looked for this late, and then no more."""
_AGAIN_MS: Final = (*SCHEDULE_MS[1:], *LATER_MS)
SETTLED_US: Final = 1_000_000
"""So old is a credential before it is redeemed twice, and so late is one tried again that nobody accepted."""

TokenName = Literal["access_token", "refresh_token", "code"]


class Route(NamedTuple):
    """Where a probe writes and reads; None leaves both to the balancer."""

    write: str | None = None
    read: str | None = None

    @property
    def name(self) -> str:
        """The route as rows have it."""
        return BALANCED if self.write is None else PINNED


class Sending(NamedTuple):
    """One request: to which node, and when on the clock of the process; a time that has passed means at once.

    ``is_plain`` is False for what no client would send in earnest: reads made again, and double redemptions.
    """

    request: Request
    node: str | None
    due_us: int = 0
    is_plain: bool = True


class Received(NamedTuple):
    """What came of a request. ``node`` is who answered, as well as is known; ``lifetime_s`` that of a new token."""

    sent_us: int
    received_us: int
    outcome: Outcome
    answer: Answer = None
    node: str = ""
    lifetime_s: float | None = None

    @property
    def is_ok(self) -> bool:
        """Whether it is what was asked for."""
        return self.outcome is Outcome.OK

    @property
    def is_stale(self) -> bool:
        """Whether the node did not know what it was asked about."""
        return self.outcome is Outcome.STALE_READ


ProbeFlow = Generator[Sequence[Sending], Sequence[Received], None]
Step = Generator[Sequence[Sending], Sequence[Received], Received]


@dataclass(frozen=True, eq=False)
class Kept:
    """A credential whose write was acknowledged, to be read again after the load; ``held`` is not in the repr.

    ``expires_us`` is on the clock of the process, None where nobody said.
    """

    number: int
    probe: ProbeKind
    route: Route
    issued_by: str
    acknowledged_us: int
    expires_us: int | None
    token: TokenName
    held: Held = field(repr=False)


@dataclass(frozen=True)
class ProbeSteps:
    """The steps of a kind: what is needed before, the write whose acknowledgement counts, and the read."""

    kind: ProbeKind
    prepare: tuple[ChainStep, ...]
    write: ChainStep
    read: ChainStep


class Probe(ABC):
    """One probe. ``rows`` have times of the process's clock in ``started_us``; ``verdict`` is None until there is one.

    Both, and ``kept``, grow while the flow runs: a flow that is cut off leaves what it has.
    """

    def __init__(self, number: int, steps: ProbeSteps, route: Route, user: UserLogin) -> None:
        self._number = number
        self._steps = steps
        self._route = route
        self._user = user
        self._held = Held()
        self._issued_by = ""
        self._acknowledged_us = 0
        self._expires_us: int | None = None
        self.rows: list[ProbeRow] = []
        self.kept: tuple[Kept, ...] = ()
        self.outcome: Outcome | None = None

    @property
    @abstractmethod
    def token(self) -> TokenName:
        """What is written."""

    @abstractmethod
    def _read(self) -> ProbeFlow:
        """What comes after the acknowledged write."""

    def flow(self) -> ProbeFlow:
        """The whole probe; it ends early where its write is not acknowledged."""
        for step in self._steps.prepare:
            done = yield from self._settled(step)
            if not done.is_ok:
                self._note_failed_write(done)
                return
        done = yield from self._settled(self._steps.write)
        if not done.is_ok:
            self._note_failed_write(done)
            return
        self._issued_by, self._acknowledged_us = done.node, done.received_us
        self._keep()
        yield from self._read()

    def _settled(self, step: ChainStep) -> Step:
        """Do a step, again while the node does not know yet what it needs: that is not what is measured here."""
        node = self._route.read if step.kind == RequestKind.INTROSPECT else self._route.write
        request: Request | None = step.request(self._held, self._user)
        while request is not None:
            (got,) = yield (Sending(request, node),)
            began_us = got.received_us
            for delay_ms in _AGAIN_MS:
                if not got.is_stale:
                    break
                (got,) = yield (Sending(request, node, began_us + delay_ms * 1000, is_plain=False),)
            if not got.is_ok:
                return got
            step.take(self._held, got.answer)
            self._note_lifetime(got)
            request = step.follow_up(self._held, self._user)
        return got

    def _note_lifetime(self, got: Received) -> None:
        if isinstance(got.answer, Tokens):
            lives_us = None if got.lifetime_s is None else int(got.lifetime_s * 1e6)
            self._expires_us = None if lives_us is None else got.received_us + lives_us

    def _note_failed_write(self, got: Received) -> None:
        self.outcome = got.outcome
        latency_us = got.received_us - got.sent_us
        self._append(got.node, "", got.sent_us, None, 0, latency_us, got.outcome, ProbeVerdict.FAILED)

    def _note(self, got: Received, attempt: int, verdict: ProbeVerdict) -> None:
        delay_us, latency_us = got.sent_us - self._acknowledged_us, got.received_us - got.sent_us
        self._append(self._issued_by, got.node, got.sent_us, delay_us, attempt, latency_us, got.outcome, verdict)

    def _append(
        self,
        issued_by: str,
        read_by: str,
        sent_us: int,
        delay_us: int | None,
        attempt: int,
        latency_us: int,
        outcome: Outcome,
        verdict: ProbeVerdict,
    ) -> None:
        about = (self._steps.kind.value, self.token, self._route.name, issued_by, read_by)
        what = (delay_us, attempt, latency_us, outcome.value, verdict.value)
        self.rows.append(ProbeRow(self._number, ProbePhase.LOAD.value, *about, sent_us, *what))

    def _keep(self) -> None:
        """Hold what the IAM has acknowledged last, each token of it."""
        held = self._held
        tokens: list[TokenName] = ["access_token"] if held.access_token else []
        if held.refresh_token and not held.revoked:
            tokens.append("refresh_token")
        expiry = {"access_token": self._expires_us}
        self.kept = tuple(
            Kept(
                self._number, self._steps.kind, self._route, self._issued_by,
                self._acknowledged_us, expiry.get(token), token, held,
            )
            for token in tokens
        )  # fmt: skip


class ReadProbe(Probe):
    """A write, then one read after ``delay_ms``; a stale one is made again at the later times of the schedule."""

    def __init__(self, number: int, steps: ProbeSteps, route: Route, user: UserLogin, delay_ms: int) -> None:
        super().__init__(number, steps, route, user)
        self._delays_ms = [delay_ms, *(later for later in _AGAIN_MS if later > delay_ms)]

    @property
    def token(self) -> TokenName:
        """What is read: an access token, unless the read uses a refresh token up."""
        return "access_token" if self._steps.read.kind == RequestKind.INTROSPECT else "refresh_token"

    def _read(self) -> ProbeFlow:
        request = self._steps.read.request(self._held, self._user)
        for attempt, delay_ms in enumerate(self._delays_ms, 1):
            due_us = self._acknowledged_us + delay_ms * 1000
            (got,) = yield (Sending(request, self._route.read, due_us, attempt == 1),)
            self.outcome = self.outcome or got.outcome
            verdict = ProbeVerdict.FRESH if got.is_ok else ProbeVerdict.STALE if got.is_stale else ProbeVerdict.FAILED
            self._note(got, attempt, verdict)
            if not got.is_stale:
                self._adopt(got)
                return

    def _adopt(self, got: Received) -> None:
        """Go on with what a refresh gave; where its answer was lost nobody knows which tokens are left."""
        if self.token != "refresh_token":  # noqa: S105  the kind of a token
            return
        if got.is_ok:
            self._steps.read.take(self._held, got.answer)
            self._note_lifetime(got)
            self._issued_by, self._acknowledged_us = got.node, got.received_us
            self._keep()
        else:
            self.kept = ()


class DoubleProbe(Probe):
    """One credential that works once, redeemed at two nodes at once. Its rows, two at first, share one verdict.

    It is a second old by then, so that both nodes know it.
    """

    @property
    def token(self) -> TokenName:
        """What is redeemed."""
        return "code" if self._steps.kind is ProbeKind.DOUBLE_CODE else "refresh_token"

    def _read(self) -> ProbeFlow:
        self.kept = ()
        spent = self._held.refresh_token
        request = self._steps.read.request(self._held, self._user)
        due_us = self._acknowledged_us + SETTLED_US
        both = yield [Sending(request, node, due_us, is_plain=False) for node in self._route]
        verdict = self._verdict(both, spent)
        self.outcome = _best(both)
        if verdict is not ProbeVerdict.LOST:
            self._note_all(both, verdict)
            return
        last_us = max(got.received_us for got in both)
        (again,) = yield (Sending(request, self._route.write, last_us + SETTLED_US, is_plain=False),)
        verdict = ProbeVerdict.LOST if again.is_stale or again.outcome is Outcome.REFUSED else ProbeVerdict.FAILED
        self._note_all(both, ProbeVerdict.RECOVERED if again.is_ok else verdict)
        self._note(again, 2, ProbeVerdict.RECOVERED if again.is_ok else verdict)

    def _verdict(self, both: Sequence[Received], spent: str) -> ProbeVerdict:
        good = [got for got in both if got.is_ok]
        if self.token == "refresh_token" and any(_is_reused(got.answer, spent) for got in good):  # noqa: S105
            return ProbeVerdict.REUSABLE
        if len(good) == 2:
            return ProbeVerdict.DOUBLED
        if any(got.outcome in TRANSPORT_OUTCOMES for got in both):
            return ProbeVerdict.FAILED
        return ProbeVerdict.ONCE if good else ProbeVerdict.LOST

    def _note_all(self, both: Sequence[Received], verdict: ProbeVerdict) -> None:
        for got in both:
            self._note(got, 1, verdict)


def probe_of(number: int, steps: ProbeSteps, route: Route, user: UserLogin, delay_ms: int) -> Probe:
    """The probe of a kind; a double redemption has no delay to draw."""
    if steps.kind.is_double:
        return DoubleProbe(number, steps, route, user)
    return ReadProbe(number, steps, route, user, delay_ms)


def _is_reused(answer: Answer, spent: str) -> bool:
    """Whether the IAM lets a refresh token be used again: it gives the same one back, or none (RFC 6749 section 6)."""
    return isinstance(answer, Tokens) and answer.refresh_token in {None, spent}


def _best(both: Sequence[Received]) -> Outcome:
    return Outcome.OK if any(got.is_ok for got in both) else both[0].outcome
