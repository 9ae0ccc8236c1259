"""What is looked at beside the measured requests, by all users of a process: tokens and stale reads."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

from iam_loadtest.flow.answer import Answer
from iam_loadtest.flow.message import Request, Response
from iam_loadtest.load.recorder import Recorder
from iam_loadtest.load.setup import LoadSetup
from iam_loadtest.load.stale_read import MAX_IN_TRIAL, Judge, StaleReads
from iam_loadtest.load.token_check import TokenCheck, fetch_keys
from iam_loadtest.load.transport import Transport, TransportSettings
from iam_loadtest.oidc.discovery import Endpoints
from iam_loadtest.oidc.token_response import Tokens
from iam_loadtest.results.outcome import Outcome


@dataclass(frozen=True)
class Aside:
    """Neither is part of any latency: this comes after an answer's time was taken, and a chain's time leaves it out."""

    tokens: TokenCheck
    stale_reads: StaleReads

    def is_due(self, outcome: Outcome, answer: Answer) -> bool:
        """Whether an answer is to be looked at: a stale read, or the tokens of one that is among those verified."""
        if outcome is Outcome.OK:
            return isinstance(answer, Tokens) and self.tokens.picks()
        return outcome is Outcome.STALE_READ

    def look(self, request: Request, sent_us: int, response: Response, answer: Answer, judge: Judge) -> str | None:
        """Why the token of a good answer is bad; a stale read is followed up beside the user."""
        if isinstance(answer, Tokens):
            return self.tokens.problem(request.step, answer.access_token)
        self.stale_reads.notice(request, sent_us, response, judge)
        return None

    def close(self) -> None:
        """The test is over."""
        self.tokens.close()
        self.stale_reads.close()

    def take(self) -> dict[str, Any]:
        """What was found since the last call, as plain data."""
        return {"tokens": self.tokens.take(), "stale_reads": self.stale_reads.take()}


def open_aside(
    setup: LoadSetup,
    endpoints: Endpoints,
    settings: TransportSettings,
    transport: Callable[[int], Transport],
    recorder: Recorder,
    slots: int,
) -> Aside:
    """The aside of one process of ``slots``, with the issuer's keys fetched where tokens are verified."""
    scenario = setup.scenario
    tokens = TokenCheck(
        scenario.verify_tokens,
        endpoints.issuer,
        partial(fetch_keys, endpoints.jwks, settings),
        _audiences(setup),
        random.Random(scenario.seed),  # noqa: S311  no secret
    )
    numbers = count()
    stale_reads = StaleReads(lambda: transport(next(numbers)), recorder.elapsed_us, max(MAX_IN_TRIAL // slots, 1))
    return Aside(tokens, stale_reads)


def _audiences(setup: LoadSetup) -> dict[str, Sequence[str]]:
    scenario = setup.scenario
    return {scenario.label_of(name): step.audience for name, step in scenario.steps.items() if step.audience}
