"""Validity: a trial of a minute or more that had not settled does not count, nor one with too many failures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from iam_loadtest.analysis.load_model import is_staged
from iam_loadtest.analysis.steadiness import NOT_STEADY, P95_NOT_STEADY, STILL_WARMING_UP, mser_cut
from iam_loadtest.analysis.trial_summary import TrialSummary, summarise_trial
from iam_loadtest.analysis.validity import validity_of
from iam_loadtest.results.sample import Sample
from iam_loadtest.results.trial import Caution, WindowMarks
from iam_loadtest.scenario.validity import Validity

from .samples import row, trial, write_rows

START_S, END_S = 20, 120
MARKS = WindowMarks(0, START_S * 1_000_000, END_S * 1_000_000, END_S * 1_000_000)
CAUTION = Validity(steady_state="caution")


def evenly(from_s: int, to_s: int, per_s: int, step: str = "issue", latency_us: int = 10) -> list[Sample]:
    """So many successful rows each second."""
    gap_us = 1_000_000 // per_s
    return [row(s * 1_000_000 + i * gap_us, step, latency_us) for s in range(from_s, to_s) for i in range(per_s)]


def summary(directory: Path, rows: list[Sample], validity: Validity | None = None) -> TrialSummary:
    return summarise_trial(write_rows(directory, rows), trial(marks=MARKS), validity=validity)


def reason(caution: Caution) -> str:
    return f"not steady: {caution.text}"


def test_a_steady_trial_counts(tmp_path: Path) -> None:
    """The same rate all the time, half of it during a warm-up of five seconds."""
    found = summary(tmp_path, evenly(0, 5, 20) + evenly(5, END_S, 40) + evenly(0, END_S, 10, "workflow"))
    assert (found.excluded, found.cautions, found.steadiness.settled_s) == (None, (), 5.0)


def test_halves_that_differ_leave_a_trial_out(tmp_path: Path) -> None:
    """40 and 60 a second from the middle on."""
    rows = evenly(0, 70, 40) + evenly(70, END_S, 60)
    assert summary(tmp_path / "a", rows).excluded == reason(NOT_STEADY)
    pointed_out = summary(tmp_path / "b", rows, CAUTION)
    assert pointed_out.excluded is None
    assert NOT_STEADY in pointed_out.cautions


def test_a_p95_that_rises_leaves_a_trial_out(tmp_path: Path) -> None:
    """From 1,000 to 1,200 us at the same rate."""
    rows = evenly(0, 70, 40, "workflow", 1000) + evenly(70, END_S, 40, "workflow", 1200) + evenly(0, END_S, 40)
    found = summary(tmp_path, rows)
    assert found.excluded == reason(P95_NOT_STEADY)
    assert found.steadiness.p95_change == pytest.approx(0.2)


def test_a_warm_up_that_reaches_into_the_window_leaves_a_trial_out(tmp_path: Path) -> None:
    """Five seconds of the window at a fifth of the rate: MSER-5 says when it had settled."""
    found = summary(tmp_path, evenly(0, 25, 20) + evenly(25, END_S, 100), CAUTION)
    assert found.steadiness.settled_s == 25.0
    assert STILL_WARMING_UP in found.cautions


def test_too_many_failures_leave_a_trial_out(tmp_path: Path) -> None:
    """A tenth, where a twentieth is allowed; steadiness is not asked first."""
    rows = evenly(0, END_S, 9) + [row(s * 1_000_000, "issue", 5, "timeout") for s in range(END_S)]
    validity = Validity.model_validate({"failures": "5%"})
    assert summary(tmp_path, rows, validity).excluded == "10 % of the requests failed; validity.failures allows 5 %"


def test_mser_drops_the_beginning_that_is_unlike_the_rest() -> None:
    """By hand: of 0, 10, 10, 10 without the first the rest has no error at all; a constant loses nothing."""
    assert mser_cut(np.array([0.0, 10, 10, 10])) == 1
    assert mser_cut(np.full(8, 5.0)) == 0


def test_mser_is_the_least_squared_standard_error() -> None:
    """As White (1997) writes it, for every cut up to half of the series."""
    series = np.random.default_rng(3).normal(100, 5, 40)
    series[:7] -= 40
    errors = [float(((series[d:] - series[d:].mean()) ** 2).sum() / (40 - d) ** 2) for d in range(21)]
    assert mser_cut(series) == errors.index(min(errors)) >= 7


def test_steady_trials_are_seldom_left_out(tmp_path: Path) -> None:
    """Fifty trials of independent arrivals at 30 a second: at most three by chance."""
    random = np.random.default_rng(4)
    out = 0
    for number in range(50):
        started_us = np.sort(random.integers(0, END_S * 1_000_000, 30 * END_S))
        latency_us = random.lognormal(9, 0.5, len(started_us)).astype(int)
        steps = np.where(random.random(len(started_us)) < 0.5, "issue", "workflow")
        rows = [row(int(s), str(n), int(v)) for s, n, v in zip(started_us, steps, latency_us, strict=True)]
        out += summary(tmp_path / str(number), rows).excluded is not None
    assert out <= 3


def test_validity_is_read_from_run_json() -> None:
    """The defaults where there is nothing."""
    assert validity_of({}) == Validity()
    assert validity_of({"validity": {"steady_state": "caution", "failures_share": 0.05}}).failures_share == 0.05


def test_a_load_that_changes_by_plan_is_asked_for_no_steadiness(tmp_path: Path) -> None:
    """Stages of the open model: the halves of the window are unlike on purpose."""
    rows = evenly(0, 70, 40) + evenly(70, END_S, 60)
    found = summarise_trial(write_rows(tmp_path, rows), trial(marks=MARKS), is_staged=True)
    assert (found.excluded, found.cautions, found.half_change) == (None, (), None)
    assert is_staged({"load": {"stages": [{"duration_s": 5}]}})
    assert not is_staged({"load": {"stages": []}})


def test_bursts_are_chance_and_no_change_of_the_halves(tmp_path: Path) -> None:
    """Ten requests at once, at random moments, 300 times in a half and 345 in the other: 15 %, and chance."""
    random = np.random.default_rng(6)
    moments = [*random.integers(START_S, 70, 300), *random.integers(70, END_S, 345)]
    rows = [row(int(s) * 1_000_000 + i, "issue", 5) for s in moments for i in range(10)]
    found = summary(tmp_path, rows)
    assert found.half_change == pytest.approx(0.15)
    assert NOT_STEADY not in found.cautions
