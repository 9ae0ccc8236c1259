"""Put the package into a Locust run: options, setup of a test, samples, health, the result at the end."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import gevent
import locust
from locust.runners import LocalRunner, MasterRunner, WorkerRunner

from iam_loadtest.errors import UserError
from iam_loadtest.load.controller import Controller
from iam_loadtest.load.known_locust import why_unknown
from iam_loadtest.load.open_port import open_ports
from iam_loadtest.load.options import IssuerFields, add_options, choices_of
from iam_loadtest.load.order import OrderReader, setup_of_order, setup_of_trial
from iam_loadtest.load.plain import PlainLocal, PlainMaster
from iam_loadtest.load.process_watch import PARENT_PID_VARIABLE, end_by_signal, watch_parent
from iam_loadtest.load.secret_guard import SecretGuard, advice_for_worker
from iam_loadtest.load.setup import LoadSetup, setup_of_choices, setup_of_spec
from iam_loadtest.load.statistics import refine_percentiles
from iam_loadtest.load.users import ReportingUser
from iam_loadtest.load.worker import Worker
from iam_loadtest.scenario.trial_spec import TRIAL_SPEC_VARIABLE, read_trial_spec
from iam_loadtest.scenario.worker_trust import WORKER_TRUST_VARIABLE, WorkerTrust

_EVENTS: Any = locust.events  # Locust's event hooks carry no types
_LOG = logging.getLogger(__name__)
_SIDES: list[object] = []
"""Listeners of this process: Locust keeps only weak ties to them."""
_FIXED = ("scenario", "topology", "samples", "ca_bundle", "insecure")
"""Options of the command line alone. Locust takes any option from ``POST /swarm``, whether the page shows it or not."""


@cache
def install() -> None:
    """Make a plain ``locust -f`` run know the package's options; more calls, from more locustfiles, change nothing."""
    _require_known_locust()
    ReportingUser.is_set_up = True
    refine_percentiles()
    _EVENTS.init_command_line_parser.add_listener(lambda parser, **_: add_options(parser))
    _EVENTS.init.add_listener(_on_plain_init)


@cache
def install_trial() -> None:
    """Make this process one of a trial, which the variable IAM_LOADTEST_TRIAL describes.

    A worker that has IAM_LOADTEST_WORKER_TRUST instead gets the trial from its master, within what that allows. The
    parent is watched from here on, since a worker waits for its master before Locust's init event.
    """
    _require_known_locust()
    ReportingUser.is_set_up = True
    if os.environ.get(PARENT_PID_VARIABLE):
        gevent.spawn(watch_parent, int(os.environ[PARENT_PID_VARIABLE]), end_by_signal)
    _EVENTS.init.add_listener(_on_trial_init)


def _require_known_locust() -> None:
    """End the process with one line where Locust lacks what is needed; Locust's log is not set up yet."""
    why = why_unknown()
    if why is not None:
        sys.exit(why)


def _on_plain_init(environment: Any, runner: Any, **_: Any) -> None:
    if isinstance(runner, WorkerRunner):
        _SIDES.append(Worker(environment, _plain_worker_setup(environment)))
        return
    is_master = isinstance(runner, MasterRunner)
    for words in open_ports(environment.parsed_options, environment.web_ui is not None, is_master):
        _LOG.warning("%s", words)
    if is_master:
        _SIDES.append(PlainMaster(environment, _PlainSetup(environment)))
    elif isinstance(runner, LocalRunner):
        _SIDES.append(PlainLocal(environment, _PlainSetup(environment)))


def _on_trial_init(environment: Any, runner: Any, **_: Any) -> None:
    try:
        if isinstance(runner, WorkerRunner):
            _SIDES.append(_trial_worker(environment))
            runner.last_heartbeat_timestamp = time.time()  # else a master that is gone already is never missed
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the master decides when a trial ends
            return
        setup = _trial_setup(os.environ)
        if isinstance(runner, MasterRunner):
            controller = Controller(environment, setup)
            _SIDES.append(controller)
            gevent.signal_handler(signal.SIGINT, end_by_signal)
            gevent.spawn(controller.run)
        else:
            raise UserError("a trial needs a master and workers; start it with `iam-loadtest run`.")
    except UserError as error:
        _LOG.error("%s", error)
        sys.exit(1)


def _trial_worker(environment: Any) -> Worker:
    if WORKER_TRUST_VARIABLE not in os.environ:
        setup = _trial_setup(os.environ)
        return Worker(environment, lambda _: setup)
    trust = WorkerTrust.from_json(os.environ[WORKER_TRUST_VARIABLE])
    return Worker(environment, lambda order: setup_of_trial(order, trust), f"worker on {socket.gethostname()}")


class _PlainSetup:
    """Setups of the process that decides, each from the options as they are when a test starts.

    Files and certificate checks stay as at the start of the process, here and in the options that workers are sent.
    """

    def __init__(self, environment: Any) -> None:
        self._fixed = {name: getattr(environment.parsed_options, name) for name in _FIXED}
        self._fields = IssuerFields()
        try:
            first = self._make(environment)
        except UserError:  # said when the test starts
            self._guard = SecretGuard(None)
        else:
            self._fields.show(environment, first.issuer)
            self._guard = SecretGuard(first.issuer)

    def __call__(self, environment: Any) -> LoadSetup:
        setup = self._make(environment)
        self._guard.check(setup)
        self._fields.show(environment, setup.issuer)
        return setup

    def _make(self, environment: Any) -> LoadSetup:
        options = environment.parsed_options
        vars(options).update(self._fixed)
        return setup_of_choices(replace(choices_of(options), issuer=self._fields.choose(options)))


def _plain_worker_setup(environment: Any) -> OrderReader:
    """Reads a plain master's orders. A worker that was given an issuer itself sends its secrets to no other."""
    own = choices_of(environment.parsed_options).issuer

    def setup_of(order: Mapping[str, Any]) -> LoadSetup:
        setup = setup_of_order(order)
        if own:
            SecretGuard(own).check(setup)
        advice = advice_for_worker(own, setup)
        if advice:
            _LOG.warning("%s", advice)
        return setup

    return setup_of


def _trial_setup(environ: Mapping[str, str]) -> LoadSetup:
    spec = environ.get(TRIAL_SPEC_VARIABLE)
    if not spec:
        raise UserError(f"{TRIAL_SPEC_VARIABLE} is not set; start trials with `iam-loadtest run`.")
    return setup_of_spec(read_trial_spec(Path(spec)))
