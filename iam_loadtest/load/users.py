"""Locust's users: each runs the chains of a workload, one after the other, over a connection of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, ClassVar

import gevent
from locust import User, runners, task
from locust.exception import CatchResponseError, StopTest, StopUser
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING, LOCUST_STATE_WAITING

from iam_loadtest.errors import UserError
from iam_loadtest.flow.chain import ChainStep, Flow, Held, UserLogin, chain
from iam_loadtest.flow.message import Request
from iam_loadtest.load.dispatcher import Dispatcher
from iam_loadtest.load.session import has_holder, holder_of
from iam_loadtest.load.virtual_user import VirtualUser
from iam_loadtest.results.outcome import Outcome

PRIME_AGAIN_S = 1.0
"""How long a user of the open model pauses after priming that failed."""


class ReportingUser(User):
    """Base of all users: tells Locust's listeners of each request, and ends at once where it only waits."""

    abstract = True
    is_set_up: ClassVar[bool] = False
    """Whether the plugin was installed: nobody else would ever let users begin."""

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        if not (self.is_set_up or has_holder(environment)):
            environment.process_exit_code = 1  # else Locust would end with 0
            raise StopTest("The locustfile lacks the line install(), from iam_loadtest.load.plugin; add it.")
        self._fire = environment.events.request.fire
        self._listeners: list[Any] = environment.events.request._handlers
        self._stock_listener = [next((one for one in self._listeners if one.__module__ == runners.__name__), None)]
        self._log = environment.stats.log_request

    def stop(self, force: bool = False) -> bool:
        """Stop after the request in flight. Locust kills a waiting user, which may wake first and send one more."""
        if not force and self._state == LOCUST_STATE_WAITING:
            self._state = LOCUST_STATE_STOPPING
            self.group.killone(self.greenlet)
            return True
        return bool(super().stop(force))

    def _wait_first(self, phase_s: float) -> None:
        """Have the next wait be the user's phase, whatever a class's ``wait_time`` says: else who starts together with
        others stays in step with them.
        """

        def phase() -> float:
            del vars(self)["wait_time"]
            return phase_s

        vars(self)["wait_time"] = phase

    def _is_stopping(self) -> bool:
        return self._state == LOCUST_STATE_STOPPING

    def _report(self, request: Request, latency_us: int, response_bytes: int, failure: str | None) -> None:
        """Fire Locust's request event, without anything that holds a token.

        Where only Locust's own listener hears it, what that would do is done: an event costs more than a row.
        """
        if failure is None and self._listeners == self._stock_listener:
            self._log(request.method, request.step, latency_us / 1000, response_bytes)
            return
        self._fire(
            request_type=request.method,
            name=request.step,
            response_time=latency_us / 1000,
            response_length=response_bytes,
            response=None,
            context=self.context(),
            exception=CatchResponseError(failure) if failure else None,
            start_time=time.time() - latency_us / 1e6,
            url=request.url,
        )


class TokenUser(ReportingUser):
    """Base of the users that run chains; ``workload`` names what a class runs unless ``--workload`` says otherwise.

    A failed request is recorded and the user goes on; an exception is a defect, which Locust shows under Exceptions.
    A subclass may have a :meth:`flow`, a ``wait_time`` and further tasks; in the open model the flow alone counts.
    """

    abstract = True
    workload: str | None = None

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._virtual: VirtualUser | None = None
        self._think_time_s = 0.0
        self._goes_on = False
        self._dispatcher: Dispatcher | None = None

    def flow(self, steps: Sequence[ChainStep], user: UserLogin, held: Held) -> Flow:
        """The requests of one chain: the workload's steps in turn, each with what earlier ones gave to ``held``.

        Override it for a workload that has to decide as it goes; every request that it yields is a row.
        """
        return chain(steps, user, held)

    @task
    def run_chain(self) -> None:
        """Run chains, and end the test with its reason where there are no tokens to begin with any more."""
        try:
            self._run_chains()
        except UserError as error:
            holder_of(self.environment).tell(error)
            raise StopUser from None

    def _run_chains(self) -> None:
        """Run chains until one fails or it is Locust's turn; the first call only takes up place and phase.

        Going back to Locust after every chain costs as much as half a request. After a good chain the event loop has
        had its turn, since every answer is waited for; a failed one may have come at once.
        """
        if self._virtual is None:
            self._virtual = self._begin()
            return
        if self._dispatcher is not None:
            self._serve(self._virtual, self._dispatcher)
            return
        run_chain, goes_on = self._virtual.run_chain, self._goes_on
        while run_chain() is Outcome.OK and goes_on and self._state != LOCUST_STATE_STOPPING:
            pass

    def _serve(self, virtual: VirtualUser, dispatcher: Dispatcher) -> None:
        """Open model: run the chains of arrivals until told to stop. Priming comes before, never in their time.

        While it waits the user is in the state in which Locust ends a user at once. A chain that fails may have waited
        for nothing, as where nobody listens on this machine: the event loop then gets its turn here.
        """
        while self._state != LOCUST_STATE_STOPPING:
            is_primed = virtual.is_primed or virtual.prime() is Outcome.OK
            if self._state == LOCUST_STATE_STOPPING:
                return
            self._state = LOCUST_STATE_WAITING
            if not is_primed:
                gevent.sleep(PRIME_AGAIN_S)
                self._state = LOCUST_STATE_RUNNING
                continue
            intended_us = dispatcher.take()
            if self._state == LOCUST_STATE_STOPPING:
                dispatcher.give_back(intended_us)
                return
            self._state = LOCUST_STATE_RUNNING
            outcome = virtual.run_chain(intended_us)
            if outcome is not None:
                dispatcher.ended(intended_us)
            if outcome is not Outcome.OK:
                gevent.sleep(0)

    def wait_time(self) -> float:
        """Seconds until the next chain: the think time."""
        return self._think_time_s

    def on_stop(self) -> None:
        """Close the connection."""
        if self._virtual is not None:
            self._virtual.close()

    def _begin(self) -> VirtualUser:
        session = holder_of(self.environment).admit()
        if session is None:
            raise StopUser
        self._think_time_s = session.think_time_s
        self._goes_on = not session.think_time_s and self._leaves_all_to_chains()
        self._dispatcher = session.dispatcher
        virtual, phase_s = session.start_user(self.workload, self._report, self._is_stopping, self.flow)
        self._wait_first(phase_s if self._dispatcher is None else 0.0)
        return virtual

    def _leaves_all_to_chains(self) -> bool:
        """Whether Locust has nothing to do between chains: no other task, and no waiting that a subclass asks for."""
        return len(self.tasks) == 1 and type(self).wait_time is TokenUser.wait_time


class AccessTokenUser(TokenUser):
    """Asks for access tokens: issue."""

    workload = "access"


class RefreshTokenUser(TokenUser):
    """Asks for tokens of a user and refreshes them: issue, refresh."""

    workload = "refresh"


class TokenExchangeUser(TokenUser):
    """The whole chain: issue, refresh, exchange the refreshed token."""

    workload = "workflow"


class WorkloadUser(TokenUser):
    """Runs the workload that ``--workload`` names; every one of them, in equal shares, where it names none."""
