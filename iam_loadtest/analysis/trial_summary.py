"""TrialSummary: the exact figures of one trial, from its measured window only.

A row is in the window when window_start_us <= started_us < window_end_us; a request that started inside and ended
after the window counts with its full latency.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from iam_loadtest.analysis.backend import Backend, BackendCounter
from iam_loadtest.analysis.distribution import Distribution, distribution_of
from iam_loadtest.analysis.part import Part, PartCounter, all_requests
from iam_loadtest.analysis.probe import TrialProbes, read_probes
from iam_loadtest.analysis.recovery import Recovery, read_recoveries
from iam_loadtest.analysis.rows import Rows, UnreadableSamplesError, read_rows
from iam_loadtest.analysis.server import ServerView, read_server_view
from iam_loadtest.analysis.server_count import count_cautions
from iam_loadtest.analysis.stale_read import FollowedUp, read_followed_up
from iam_loadtest.analysis.steadiness import Steadiness, SteadinessCounter
from iam_loadtest.analysis.timeline import Timeline, TimelineCounter
from iam_loadtest.analysis.validity import exceeds_failures, why_invalid
from iam_loadtest.results.sample import WORKFLOW_STEP, is_chain_step
from iam_loadtest.results.trial import SAMPLES_FILE, Caution, Trial, TrialStatus, WindowMarks
from iam_loadtest.scenario.validity import Validity

_UNKNOWN = Steadiness()


@dataclass(frozen=True)
class TrialSummary:
    """One trial with its figures; they are None where it has no complete window or no readable samples.

    ``excluded`` says why the trial does not count in combined figures; None where it counts.
    ``rows`` is what the samples file holds, ramp included; ``cautions`` are the trial's own and those of its figures.
    ``order`` is the trial's place in its run by the time at which it started, from 1.
    ``steps`` are the requests, and where chains of several workloads are mixed, the chains of each; ``chain`` is of
    all of them together. ``steadiness`` is how throughput and p95 went over the window.
    ``distribution`` is that of the successful chains; ``backends`` is empty where answers name none; ``followed_up``
    are its stale reads that were sent again. ``probes`` is None where none ran; ``recoveries`` are what clients saw of
    its faults, ``servers`` what its servers said of themselves. ``exceeds_failures`` says that more requests failed
    than ``validity.failures`` allows: such a trial is left out for what it showed.
    """

    trial: Trial
    excluded: str | None
    window_s: float | None = None
    requests: Part | None = None
    chain: Part | None = None
    steps: tuple[Part, ...] = ()
    timeline: Timeline | None = None
    rows: int | None = None
    cautions: tuple[Caution, ...] = ()
    steadiness: Steadiness = _UNKNOWN
    distribution: Distribution | None = None
    backends: tuple[Backend, ...] = ()
    followed_up: tuple[FollowedUp, ...] = ()
    probes: TrialProbes | None = None
    recoveries: tuple[Recovery, ...] = ()
    servers: ServerView = ServerView()  # noqa: RUF009  a frozen value
    order: int = 0
    exceeds_failures: bool = False

    @property
    def half_change(self) -> float | None:
        """Throughput of the window's second half over that of its first, less one."""
        return self.steadiness.half_change

    @property
    def is_counted(self) -> bool:
        """Whether the figures go into those over all trials."""
        return self.excluded is None

    def part(self, name: str) -> Part | None:
        """The chain, the step, or all requests, by name; None where the trial has no such rows."""
        parts = (*self.steps, *(part for part in (self.chain, self.requests) if part))
        return next((part for part in parts if part.name == name), None)


def summarise_trial(
    directory: Path,
    trial: Trial,
    step_order: Sequence[str] = (),
    validity: Validity | None = None,
    is_staged: bool = False,
) -> TrialSummary:
    """The figures of a trial's directory. A file that cannot be read excludes the trial, with the reason.

    Where the load itself changes over the window (``is_staged``), or faults were done in it, no steadiness is asked
    for. Failures are what faults are about, so they leave no trial with faults out either.
    """
    try:
        counter = SteadinessCounter(WindowMarks() if is_staged or trial.faults else trial.marks)
        return _judged(_summary(directory / SAMPLES_FILE, trial, step_order, counter), validity or Validity())
    except UnreadableSamplesError as error:
        return TrialSummary(trial, _own_reason(trial) or str(error), cautions=trial.cautions)


def _summary(path: Path, trial: Trial, step_order: Sequence[str], halves: SteadinessCounter) -> TrialSummary:
    counters: dict[str, PartCounter] = {}
    timeline, backends, total = TimelineCounter(), BackendCounter(trial.marks), 0
    for rows in read_rows(path):
        total += len(rows)
        timeline.add(rows)
        halves.add(rows)
        backends.add(rows)
        _count_window(counters, rows, trial.marks)
    steadiness = halves.steadiness()
    excluded = _own_reason(trial) or _rows_problem(trial, total)
    cautions = (*trial.cautions, *count_cautions(trial), *steadiness.cautions)
    whole = TrialSummary(trial, excluded, timeline=timeline.timeline(), rows=total, cautions=cautions)
    window_s = trial.marks.window_s
    if not window_s or window_s <= 0:
        return replace(whole, excluded=excluded or "the measured window was not completed")
    parts = [counters[step].part(step, window_s) for step in in_order(counters, step_order)]
    steps = tuple(part for part in parts if part.name != WORKFLOW_STEP)
    return replace(
        whole,
        window_s=window_s,
        requests=all_requests([part for part in steps if not is_chain_step(part.name)], window_s),
        chain=next((part for part in parts if part.name == WORKFLOW_STEP), None),
        steps=steps,
        steadiness=steadiness,
        distribution=distribution_of(counters[WORKFLOW_STEP].latencies_us()) if WORKFLOW_STEP in counters else None,
        backends=backends.backends(),
        followed_up=read_followed_up(path.parent),
        probes=read_probes(path.parent, trial.marks),
        recoveries=read_recoveries(path.parent, trial),
        servers=read_server_view(path.parent, trial.marks),
    )


def _judged(one: TrialSummary, validity: Validity) -> TrialSummary:
    if one.trial.faults:
        return one
    return replace(
        one,
        excluded=one.excluded or why_invalid(validity, one.requests, one.steadiness),
        exceeds_failures=exceeds_failures(validity, one.requests),
    )


def _count_window(counters: dict[str, PartCounter], rows: Rows, marks: WindowMarks) -> None:
    if marks.window_start_us is None or marks.window_end_us is None:
        return
    inside = (rows.started_us >= marks.window_start_us) & (rows.started_us < marks.window_end_us)
    for code, step in enumerate(rows.steps):
        chosen = inside & (rows.step == code)
        if chosen.any():
            for name in (step, WORKFLOW_STEP) if is_chain_step(step) and step != WORKFLOW_STEP else (step,):
                counter = counters.setdefault(name, PartCounter())
                counter.add(rows.latency_us[chosen], rows.outcome[chosen], rows.outcomes)


def in_order(names: Iterable[str], order: Sequence[str]) -> list[str]:
    """The distinct names, those of ``order`` first and in its order, then the others by alphabet."""
    position = {name: index for index, name in enumerate(order)}
    return sorted(set(names), key=lambda name: (position.get(name, len(position)), name))


def _own_reason(trial: Trial) -> str | None:
    if trial.is_set_aside and trial.status is TrialStatus.OK:
        return "it was good, and set aside by hand"
    return None if trial.is_counted else trial.reason or f"the trial is marked {trial.status}"


def _rows_problem(trial: Trial, rows: int) -> str | None:
    expected = trial.counts.received
    if expected is None or expected == rows:
        return None
    return f"{SAMPLES_FILE} holds {rows} rows; trial.json counted {expected}"
