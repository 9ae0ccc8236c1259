"""Backends: which node served the requests of the window."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from iam_loadtest.analysis.backend import Backend, add_backends
from iam_loadtest.analysis.trial_summary import summarise_trial
from iam_loadtest.results.sample import Sample

from .samples import trial, write_rows

IN, BEFORE = 1_500_000, 500_000


def backends_of(directory: Path, rows: Sequence[tuple[int, str, str, str]]) -> tuple[Backend, ...]:
    """Of rows given as moment, step, outcome and backend."""
    samples = [Sample(moment, step, 10, 0, 200, outcome, backend, 0) for moment, step, outcome, backend in rows]
    return summarise_trial(write_rows(directory, samples), trial()).backends


def test_requests_of_the_window_are_counted_by_node_and_outcome(tmp_path: Path) -> None:
    """Those before the window and rows of whole chains are not; what had no answer stands last."""
    rows = [
        (IN, "issue", "ok", "b"),
        (IN, "refresh", "stale_read", "b"),
        (IN, "issue", "ok", "a"),
        (IN, "issue", "timeout", ""),
        (BEFORE, "issue", "ok", "c"),
        (IN, "workflow", "ok", "a"),
    ]
    found = backends_of(tmp_path, rows)
    assert found == (Backend("a", {"ok": 1}), Backend("b", {"ok": 1, "stale_read": 1}), Backend("", {"timeout": 1}))
    assert [(one.requests, one.failed, one.stale_reads) for one in found] == [(1, 0, 0), (2, 1, 1), (1, 1, 0)]


def test_answers_that_name_no_node_have_no_backends(tmp_path: Path) -> None:
    """Rather than one without a name."""
    assert backends_of(tmp_path, [(IN, "issue", "ok", "")]) == ()


def test_backends_of_trials_add_up() -> None:
    """A node that served only one of two trials is there all the same."""
    first = (Backend("a", {"ok": 3}), Backend("", {"timeout": 1}))
    second = (Backend("a", {"ok": 1, "refused": 2}), Backend("b", {"ok": 5}))
    assert add_backends([first, second]) == (
        Backend("a", {"ok": 4, "refused": 2}),
        Backend("b", {"ok": 5}),
        Backend("", {"timeout": 1}),
    )
