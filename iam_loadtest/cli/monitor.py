"""How a run is shown while it goes on: a live line on a terminal, plain lines elsewhere, JSON, or nothing."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from iam_loadtest.oidc.redact import printable
from iam_loadtest.results.load_result import ENDING
from iam_loadtest.units import format_duration

if TYPE_CHECKING:
    from iam_loadtest.results.load_result import Progress
    from iam_loadtest.results.run import PlannedTrial
    from iam_loadtest.results.trial import Trial

_PLAIN_EVERY_S = 10.0
_WITHOUT_CURSOR = frozenset({"dumb", "unknown"})
"""Terminals that cannot replace a line."""


class Monitor(Protocol):
    """See iam_loadtest.runner.run.Monitor; ``close`` gives the terminal back."""

    def trial_started(self, planned: PlannedTrial, number: int, total: int) -> None: ...
    def trial_progressed(self, progress: Progress) -> None: ...
    def trial_ended(self, trial: Trial) -> None: ...
    def close(self) -> None: ...


def monitor_for(quiet: bool, json_log: bool, expected_trial_s: float) -> Monitor:
    """The monitor that fits the options and whether standard output is a terminal; a run survives its output."""
    return LastingMonitor(_fitting(quiet, json_log, expected_trial_s))


def _fitting(quiet: bool, json_log: bool, expected_trial_s: float) -> Monitor:
    if json_log:
        return JsonMonitor()
    if quiet:
        return QuietMonitor()
    if sys.stdout.isatty() and os.environ.get("TERM") not in _WITHOUT_CURSOR:
        return LiveMonitor(expected_trial_s)
    return PlainMonitor(expected_trial_s)


class LastingMonitor:
    """Tells another monitor. Where nobody can be told any more, as once a terminal or the reader of a pipe is gone, the
    run goes on, and says nothing.
    """

    def __init__(self, shown: Monitor) -> None:
        self.shown = shown

    def trial_started(self, planned: PlannedTrial, number: int, total: int) -> None:
        """Pass it on."""
        with _outlived():
            self.shown.trial_started(planned, number, total)

    def trial_progressed(self, progress: Progress) -> None:
        """Pass it on."""
        with _outlived():
            self.shown.trial_progressed(progress)

    def trial_ended(self, trial: Trial) -> None:
        """Pass it on."""
        with _outlived():
            self.shown.trial_ended(trial)

    def close(self) -> None:
        """Pass it on."""
        with _outlived():
            self.shown.close()


@contextmanager
def _outlived() -> Iterator[None]:
    """Let an output that fails be one that is thrown away, standard error too where both are one."""
    try:
        yield
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for number in (2, 1) if os.path.sameopenfile(1, 2) else (1,):
            os.dup2(nowhere, number)
        os.close(nowhere)


class QuietMonitor:
    """Says only what went wrong."""

    def trial_started(self, planned: PlannedTrial, number: int, total: int) -> None:
        """Nothing to say."""

    def trial_progressed(self, progress: Progress) -> None:
        """Nothing to say."""

    def trial_ended(self, trial: Trial) -> None:
        """Name a trial that does not count, and why."""
        if not trial.is_counted:
            click.echo(_verdict(trial), err=True)

    def close(self) -> None:
        """Nothing was opened."""


class JsonMonitor:
    """One JSON object a line, for machines."""

    def trial_started(self, planned: PlannedTrial, number: int, total: int) -> None:
        """Event ``trial_started``."""
        emit("trial_started", number=number, total=total, id=planned.id, **asdict(planned))

    def trial_progressed(self, progress: Progress) -> None:
        """Event ``progress``."""
        emit("progress", **asdict(progress))

    def trial_ended(self, trial: Trial) -> None:
        """Event ``trial_ended``."""
        emit("trial_ended", **asdict(trial))

    def close(self) -> None:
        """Nothing was opened."""


class PlainMonitor(QuietMonitor):
    """A line when a trial starts and ends, and every ten seconds between."""

    def __init__(self, expected_trial_s: float) -> None:
        self._expected_trial_s = expected_trial_s
        self._said_at = 0.0
        self._left = 0

    def trial_started(self, planned: PlannedTrial, number: int, total: int) -> None:
        """The trial, and how long all that is left will take."""
        self._said_at = time.monotonic()
        left = format_duration((total - number + 1) * self._expected_trial_s)
        click.echo(f"[{number}/{total}] {_name(planned)}, about {left} left")

    def trial_progressed(self, progress: Progress) -> None:
        """The figures, at most every ten seconds; that the trial is being ended, at once."""
        now = time.monotonic()
        is_due = progress.phase != "done" and now - self._said_at >= _PLAIN_EVERY_S
        if is_due or progress.phase == ENDING:
            self._said_at = now
            click.echo(f"    {figures(progress)}")

    def trial_ended(self, trial: Trial) -> None:
        """How it ended."""
        click.echo(f"    {_verdict(trial)}")


class LiveMonitor:
    """One live line that is replaced, and a line that stays for each trial that ended."""

    def __init__(self, expected_trial_s: float) -> None:
        self._expected_trial_s = expected_trial_s
        self._title = ""
        self._live = Live(Text(""), console=Console(), refresh_per_second=4, transient=True)
        self._live.start()

    def trial_started(self, planned: PlannedTrial, number: int, total: int) -> None:
        """The live line names the trial."""
        left = format_duration((total - number + 1) * self._expected_trial_s)
        self._title = f"[{number}/{total}] {_name(planned)}, about {left} left"
        self._live.update(Text(self._title))

    def trial_progressed(self, progress: Progress) -> None:
        """The live line has new figures."""
        self._live.update(Text(f"{self._title}\n{figures(progress)}"))

    def trial_ended(self, trial: Trial) -> None:
        """A line that stays."""
        self._live.console.print(Text(f"{self._title.partition(',')[0]}  {_verdict(trial)}"))

    def close(self) -> None:
        """Give the terminal back."""
        self._live.stop()


def figures(progress: Progress) -> str:
    """A running trial in one line."""
    if progress.phase == ENDING:
        return "interrupted: ending the trial and saving what there is, which can take half a minute"
    parts = [f"{progress.phase} {format_duration(max(progress.phase_left_s, 0))} left", f"{progress.users} users"]
    if progress.throughput_per_s is not None:
        parts.append(f"{progress.throughput_per_s:.0f} ok/s")
    if progress.p95_ms is not None:
        parts.append(f"p95 {progress.p95_ms:.0f} ms")
    if progress.failure_share is not None:
        parts.append(f"failures {progress.failure_share * 100:.2g} %")
    if progress.late or progress.dropped:
        parts.append(f"{progress.late} arrivals late, {progress.dropped} dropped")
    return ", ".join(parts)


def _name(planned: PlannedTrial) -> str:
    return f"{planned.topology} / {planned.workload}, trial {planned.trial}"


def _verdict(trial: Trial) -> str:
    counted = f", {trial.counts.requests} requests" if trial.counts.received is not None else ""
    reason = f": {printable(trial.reason)}" if trial.reason else ""
    return f"{trial.id} {trial.status}{counted}{reason}"


def emit(event: str, **fields: object) -> None:
    """One event of --json-log: a JSON object on a line."""
    click.echo(json.dumps({"event": event, **fields}, ensure_ascii=False))
