"""Demand: how many times over it was carried, within the objectives, and no more than was measured."""

from __future__ import annotations

from typing import Any

import pytest

from iam_loadtest.analysis.cell import make_cell
from iam_loadtest.analysis.demand import Carried, carried, demand_of, steps_by_need
from iam_loadtest.analysis.objective import Judgement
from iam_loadtest.analysis.part import ALL_REQUESTS, Latency, Part
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.analysis.trial_summary import TrialSummary

from .cells import summary_of, trial_of

DEMAND = {"tokens_per_hour": 7200, "logins_per_hour": 3600, "peak_factor": 5}
STEPS = {
    "login": {"grant": "password", "client": "a", "label": "issue"},
    "refresh": {"grant": "refresh_token", "client": "a"},
    "look": {"request": "introspect", "client": "a"},
}


def trial(number: int, per_s: float) -> TrialSummary:
    """So many each of issue, refresh and look a second in a window of 100 s, in chains of 50 ms."""
    plain = trial_of("one", "w", number, (per_s, 50.0), number)
    rows = round(per_s * 100)
    steps = tuple(Part(name, rows, {"ok": rows}, 100.0, Latency(p95_us=9)) for name in ("issue", "refresh", "look"))
    requests = Part(ALL_REQUESTS, 3 * rows, {"ok": 3 * rows}, 100.0)
    return TrialSummary(plain.trial, None, 100.0, requests, plain.chain, steps)


def run_of(objectives: list[str], **load: Any) -> RunSummary:
    scenario = {"steps": STEPS, "demand": DEMAND, "objectives": objectives, "load": load}
    summary = summary_of({("one", "w"): []}, scenario)
    cell = make_cell("one", "w", [trial(i, per_s) for i, per_s in enumerate((50.0, 51.0, 49.0), 1)])
    return RunSummary(summary.run, summary.topologies, summary.workloads, cell.trials, (cell,))


def test_tokens_and_logins_are_those_of_their_steps() -> None:
    """7,200 an hour at five times are 10/s; 100 tokens/s carry that ten times, 50 logins/s carry 5/s ten times."""
    tokens, logins = carried(run_of(["p95 < 1s"]))
    assert (tokens.what, tokens.demand_per_s, tokens.steps) == ("tokens", 10.0, ("issue", "refresh"))
    assert tokens.times == pytest.approx(10, rel=1e-3)
    assert (logins.what, logins.demand_per_s, logins.steps) == ("logins", 5.0, ("issue",))
    assert logins.times == pytest.approx(10, rel=1e-3)
    assert tokens.interval is not None
    assert tokens.interval[0] < 10 < tokens.interval[1]
    assert (tokens.objectives, tokens.is_within_objectives) == (Judgement.MET, True)


@pytest.mark.parametrize(
    ("objectives", "judgement", "within"),
    [
        ([], None, True),
        (["p95 < 1ms"], Judgement.MISSED, False),
        (["p95 < 1s", "throughput > 150/s"], Judgement.UNDECIDED, False),
    ],
)
def test_only_what_kept_the_objectives_is_carried(
    objectives: list[str], judgement: Judgement | None, within: bool
) -> None:
    """All objectives of the cell together; the worst decides."""
    tokens = carried(run_of(objectives))[0]
    assert (tokens.objectives, tokens.is_within_objectives) == (judgement, within)


def test_the_sentence_claims_no_more_than_was_measured() -> None:
    """A closed model shows a lower bound, and a missed objective nothing."""
    assert sentence(run_of([])).endswith("that is what these users asked for, the most it can carry was not looked for")
    assert "carried at least ×10 [" in sentence(run_of([]))
    assert "that was the rate offered" in sentence(run_of([], arrival_rate_per_s=100))
    assert sentence(run_of(["p95 < 1ms"])).endswith("was answered, but objectives were missed at that load")


def sentence(summary: RunSummary) -> str:
    tokens: Carried = carried(summary)[0]
    return tokens.describe()


def test_without_a_demand_or_its_steps_nothing_is_said() -> None:
    """A workload without a login says nothing of logins; no trial says nothing at all."""
    assert carried(summary_of({("one", "w"): [(1.0, 1.0)]})) == ()
    assert carried(summary_of({("one", "w"): [(1.0, 1.0)]}, {"demand": DEMAND, "steps": STEPS})) == ()
    assert demand_of({"demand": {"peak_factor": 5}}) is None


def test_steps_that_give_tokens_and_end_logins() -> None:
    """By their names in samples; introspection gives none."""
    assert steps_by_need({"steps": STEPS}) == ({"issue", "refresh"}, {"issue"})
