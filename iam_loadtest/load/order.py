"""What a master tells its workers to do, as plain data: decided once, before a test, and without secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from iam_loadtest import __version__
from iam_loadtest.errors import UserError
from iam_loadtest.load.setup import Choices, LoadSetup, setup_of_choices

FORMAT = 1
"""Changes whenever a worker could not understand what a master of another version says."""

OrderReader = Callable[[Mapping[str, Any]], LoadSetup]
"""Makes a worker's setup of a test from its master's order; raises UserError."""


def order_of(setup: LoadSetup) -> dict[str, Any]:
    """The order for the workers of a test."""
    order: dict[str, Any] = {"format": FORMAT, "version": __version__, "issuer": setup.issuer}
    if setup.choices is not None:
        order["choices"] = asdict(setup.choices)
    return order


def setup_of_order(order: Mapping[str, Any]) -> LoadSetup:
    """The setup of a plain run's worker: files are its own, every choice is the master's. Raises UserError."""
    check_version(order)
    if "choices" not in order:
        raise UserError("the master runs a trial, this worker a locustfile; start both with the same locustfile.")
    setup = setup_of_choices(Choices(**order["choices"]))
    if setup.issuer != order["issuer"]:
        raise UserError(
            f"the scenario of this worker names issuer {setup.issuer!r}, the master's {order['issuer']!r}; "
            "give both the same file and environment."
        )
    return setup


def check_version(order: Mapping[str, Any]) -> None:
    """Raise UserError where master and worker do not fit together."""
    told = (order.get("format"), order.get("version"))
    if told != (FORMAT, __version__):
        raise UserError(
            f"the worker has iam_loadtest {__version__} (format {FORMAT}), the master {told[1]} (format {told[0]}); "
            "install the same version on both."
        )
