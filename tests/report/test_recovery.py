"""Faults in words: what clients saw, with those trials in which it was never over."""

from __future__ import annotations

from dataclasses import replace

from iam_loadtest.analysis.cell import make_cell
from iam_loadtest.analysis.recovery import Recovery
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.report.recovery import MOST_TOLD, recovery_document, recovery_sentences, recovery_table
from iam_loadtest.results.fault import FaultRecord
from tests.analysis.cells import summary_of, trial_of


def seen(number: int, failed: int, first_s: float | None, gap_s: float, back_s: float | None) -> Recovery:
    fault = FaultRecord(number, "kill", f"database-{number}", f"database-{number}", started_us=1)
    return Recovery(fault, 5.0, 11.0, 300, failed, failed, 0, first_s, gap_s, 50.0, back_s)


def run_with(*trials: tuple[Recovery, ...]) -> RunSummary:
    """One topology; each trial has these recoveries."""
    plain = summary_of({("geo", "w"): [(100.0, 50.0)]})
    own = [replace(trial_of("geo", "w", i, (100.0, 50.0), i), recoveries=each) for i, each in enumerate(trials, 1)]
    return replace(plain, cells=(make_cell("geo", "w", own),))


def test_a_trial_that_never_came_back_is_told_and_spoils_the_mean() -> None:
    """Of three trials one saw no success and was not back: the others' times are a range."""
    run = run_with((seen(1, 20, 2.0, 2.5, 3.0),), (seen(1, 30, 2.0, 3.0, 4.0),), (seen(1, 60, None, 11.0, None),))
    ((subject, text),) = recovery_sentences(run)
    assert subject == "kill database-1, “geo” under w"
    assert "33.0 [20–60] of 300 requests failed; no success within 11 s in 1 of 3 trials" in text
    assert text.endswith("p95 not back within 11 s in 1 of 3 trials.")
    columns = [column.title for column in recovery_table(run).columns]
    shown = dict(zip(columns, [entry.text for entry in recovery_table(run).rows[0]], strict=True))
    assert shown["First success s"] == "2.00, none in 1 trial"
    assert shown["Of requests"] == "300"
    assert (shown["p95 back s"], shown["Not back"]) == ("3.00–4.00", "1")
    (document,) = recovery_document(run)
    assert (document["no_success"], document["p95_back_s"]["geometric_mean"]) == (1, None)


def test_of_many_faults_the_answer_tells_the_worst() -> None:
    """In the order of time; the quickest is left to the table."""
    gaps = [0.1, *(float(i) for i in range(1, MOST_TOLD + 1))]
    run = run_with(tuple(seen(i, 0, 0.1, gap, 0.0) for i, gap in enumerate(gaps)))
    *told, rest = recovery_sentences(run)
    assert [subject.split(",")[0] for subject, _ in told] == [f"kill database-{i}" for i in range(1, MOST_TOLD + 1)]
    assert told[0][1] == (
        "no request sent after it failed; longest time without a success 1.00 s; p95 as before at once."
    )
    assert rest[1].startswith("1 more fault: see")
