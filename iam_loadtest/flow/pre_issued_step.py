"""A step that asks nobody: it takes a refresh token that was issued beforehand."""

from __future__ import annotations

from dataclasses import dataclass, field

from iam_loadtest.errors import UserError
from iam_loadtest.flow.chain import ChainStep, Held, UserLogin
from iam_loadtest.flow.message import Request
from iam_loadtest.flow.token_pool import TokenPool


@dataclass(frozen=True)
class PreIssuedStep(ChainStep):
    """The next token of a file; raises TokensUsedUpError where there is none."""

    pool: TokenPool = field(repr=False)

    def begin(self, held: Held, user: UserLogin) -> Request | None:  # noqa: ARG002  a token is somebody's already
        """Take the token; nothing is sent."""
        held.refresh_token = self.pool.take()
        return None

    def request(self, held: Held, user: UserLogin) -> Request:  # noqa: ARG002  of a chain alone
        """There is none: raises UserError."""
        raise UserError(f"steps.{self.name} is request: pre_issued, which is no request; use it in workloads alone.")
