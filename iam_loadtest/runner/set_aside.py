"""Set trials aside, so that they run again: each stays on disk under a name that says how it had ended."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from iam_loadtest.results.run import Run
from iam_loadtest.results.trial import Trial, TrialStatus, write_trial


def set_aside(run: Run, again: Collection[TrialStatus] = ()) -> None:
    """Set interrupted trials aside, and those whose last attempt ended as ``again`` says: failed, or invalid.

    An invalid trial goes together with its repetition, so that it gets another one.
    """
    for trial in (*_interrupted(run), *_to_repeat(run, again)):
        aside = _free_name(run.trial_directory(trial), trial.status)
        run.trial_directory(trial).rename(aside)
        write_trial(aside, replace(trial, id=aside.name))


def _interrupted(run: Run) -> Iterator[Trial]:
    for trial in run.trials:
        if trial.status is TrialStatus.INTERRUPTED and not trial.is_set_aside:
            yield trial


def _to_repeat(run: Run, again: Collection[TrialStatus]) -> Iterator[Trial]:
    ended = {trial.id: trial for trial in run.trials}
    for planned in run.info.plan:
        first, repetition = ended.get(planned.id), ended.get(planned.again.id)
        last = repetition or first
        if last is None or last.status not in again:
            continue
        if last.status is TrialStatus.FAILED:
            yield last
        elif last.status is TrialStatus.INVALID and first and repetition:
            yield from (first, repetition)


def _free_name(directory: Path, status: TrialStatus) -> Path:
    names = (directory.with_name(f"{directory.name}.{status}{number}") for number in range(1, 10_000))
    return next(name for name in names if not name.exists())
