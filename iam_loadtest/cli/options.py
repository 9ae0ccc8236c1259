"""Options that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from iam_loadtest.errors import UserError
from iam_loadtest.units import parse_duration_s

if TYPE_CHECKING:
    from iam_loadtest.runner.external import ExternalWorkers

Function = TypeVar("Function", bound=Callable[..., Any])


class Duration(click.ParamType[float]):
    """A duration such as 90s or 10m, as seconds; ``positive`` refuses 0."""

    name = "duration"

    def __init__(self, positive: bool = False) -> None:
        self._positive = positive

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            seconds = parse_duration_s(value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)
        if self._positive and seconds == 0:
            self.fail(f"{value!r}: must be more than 0", param, ctx)
        return seconds


def scenario_argument(required: bool = True) -> Callable[[Function], Function]:
    """The scenario file."""
    return click.argument("scenario", type=click.Path(path_type=Path), required=required)


def load_options(function: Function) -> Function:
    """Options that change a scenario's load for one call."""
    for option in (
        click.option("--trials", type=click.IntRange(1, 1000), help="Trials per topology and workload."),
        click.option(
            "--duration", type=Duration(positive=True), help="Length of the measured window, such as 30s or 10m."
        ),
        click.option("--warm-up", type=Duration(), help="Warm-up before the window."),
        click.option("--users", type=click.IntRange(1, 100_000), help="Simulated users."),
        click.option("--workers", type=click.IntRange(1, 256), help="Locust worker processes."),
        click.option(
            "--only", multiple=True, metavar="NAME", help="A topology, a workload or TOPOLOGY/WORKLOAD. Repeatable."
        ),
        click.option("--quick", is_flag=True, help="The scenario's quick size; the other options go on top of it."),
    ):
        function = option(function)
    return function


strict_option = click.option(
    "--strict", is_flag=True, help="Exit with 5 where an objective is undecided: the trials allow for both."
)


def external_options(function: Function) -> Function:
    """Options for workers on other hosts."""
    for option in (
        click.option(
            "--workers-wait", type=Duration(positive=True), help="How long each trial waits for them.  [default: 5m]"
        ),
        click.option("--port", type=click.IntRange(1, 65535), help="Port that they connect to.  [default: 5557]"),
        click.option("--bind", metavar="ADDRESS", help="Address that they connect to.  [default: 127.0.0.1]"),
        click.option(
            "--workers-external",
            type=click.IntRange(1, 256),
            metavar="N",
            help="Start no workers but expect N, from `iam-loadtest worker` on other hosts.",
        ),
    ):
        function = option(function)
    return function


def external_of(
    workers_external: int | None, bind: str | None, port: int | None, workers_wait: float | None
) -> ExternalWorkers | None:
    """What those options say; raises click.UsageError where they do not fit together."""
    from iam_loadtest.runner.external import ExternalWorkers  # noqa: PLC0415  not needed for --help

    given = {"bind": bind, "port": port, "wait_s": workers_wait}
    chosen: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    if workers_external is None and chosen:
        raise click.UsageError(
            "--bind, --port and --workers-wait are for workers of other hosts: --workers-external N."
        )
    return None if workers_external is None else ExternalWorkers(**chosen)


def overrides_of(
    trials: int | None, duration: float | None, warm_up: float | None, users: int | None, workers: int | None
) -> dict[str, Any]:
    """What the options change, under the names of the scenario's load."""
    given = {"trials": trials, "duration": duration, "warm_up": warm_up, "users": users, "workers": workers}
    return {key: value for key, value in given.items() if value is not None}


def size_of(
    scenario: Path, quick: bool, only: tuple[str, ...], overrides: dict[str, Any]
) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Which trials are kept and which keys of the load are changed, with the quick size below what was given."""
    if not quick:
        return only, overrides
    from iam_loadtest.scenario.load_file import load_scenario  # noqa: PLC0415  not needed for --help

    size = load_scenario(scenario).quick
    if size is None:
        raise UserError(f"{scenario}: has no quick size; add quick: {{load: {{duration: 5s}}}}, or leave --quick out.")
    return only or size.only, {**size.overrides, **overrides}


def crowding(workers: int) -> str | None:
    """What is to be said where there are more workers than cores for them; None where there are not."""
    cores = len(os.sched_getaffinity(0))
    if workers <= cores:
        return None
    return (
        f"Note: {workers} workers share {counted(cores, 'core')} here. A generator that has to wait for a core makes "
        f"a trial invalid: take fewer then, by load.workers or --workers {cores}."
    )


def counted(number: int, noun: str) -> str:
    """The number with its noun: 1 trial, 2 trials."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
