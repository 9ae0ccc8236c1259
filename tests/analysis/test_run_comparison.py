"""One run against another: refused where unlike, compared by the same statistics, no worse by default."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from iam_loadtest.analysis.cell import make_cell
from iam_loadtest.analysis.comparison import OPEN_MODEL, Verdict
from iam_loadtest.analysis.likeness import Likeness, likeness, unlike_words
from iam_loadtest.analysis.run_comparison import RunComparison, compare_runs
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.results.run import PlannedTrial, Run, RunInfo

from .cells import Figures, summary_of, trial_of

TOPOLOGY = {"provider": "url", "issuer": "http://a/", "factors": {"n": 1}}
SCENARIO: dict[str, Any] = {
    "steps": {"issue": {"grant": "password"}, "other": {"grant": "refresh_token"}},
    "workloads": {"access": ["issue"], "more": ["issue", "other"]},
    "load": {"users": 5, "duration_s": 60.0, "trials": 3, "rest_s": 1.0},
    "topologies": {"one": TOPOLOGY},
    "target": {"timeout_s": 60.0, "health": None},
    "validity": {"failures_share": 1.0},
}
MACHINE = {"cores": 2, "memory_gib": 8.0, "cpu": "X", "kernel": "6.1", "python": "3.11"}


def run_of(
    changes: dict[str, Any] | None = None, machine: dict[str, Any] | None = None, workload: str = "access"
) -> Run:
    """A run of one cell; ``changes`` by section, and keys of the section."""
    scenario = {key: {**value, **(changes or {}).get(key, {})} for key, value in SCENARIO.items()}
    plan = (PlannedTrial(1, "one", workload, 1),)
    info = RunInfo("r", "", scenario, "", plan, 1, {"locust": "2.44"}, {**MACHINE, **(machine or {})})
    return Run(Path("run"), info, ())


def unlike(run: Run, *allowed: str) -> list[str]:
    return list(unlike_words(likeness(run_of(), run, allowed).unlike))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"load": {"users": 6}}, "load.users: 5 and 6"),
        ({"load": {"duration_s": 30.0}}, "load.duration_s: 60.0 and 30.0"),
        ({"workloads": {"access": ["issue", "issue"]}}, 'workloads.access: ["issue"] and ["issue", "issue"]'),
        ({"steps": {"issue": {"grant": "refresh_token"}}}, 'steps.issue.grant: "password" and "refresh_token"'),
        ({"target": {"timeout_s": 5.0}}, "target.timeout_s: 60.0 and 5.0"),
        ({"topologies": {"one": {"provider": "embedded"}}}, 'topologies.one.provider: "url" and "embedded"'),
        ({"topologies": {"one": {**TOPOLOGY, "factors": {"n": 2}}}}, "topologies.one.factors.n: 1 and 2"),
    ],
)
def test_what_decides_the_figures_must_be_alike(changes: dict[str, Any], words: str) -> None:
    """Each field is named with both values."""
    assert words in unlike(run_of(changes))


def test_another_machine_is_unlike_and_another_kernel_a_caution() -> None:
    """A generator with more cores is another instrument."""
    assert unlike(run_of(machine={"cores": 4})) == ["machine.cores: 2 and 4"]
    found = likeness(run_of(), run_of(machine={"kernel": "6.2"}))
    assert (found.unlike, [one.key for one in found.cautions]) == ((), ["machine.kernel"])


@pytest.mark.parametrize(
    "changes",
    [
        {"load": {"trials": 5, "rest_s": 9.0}},
        {"target": {"health": "http://b/", "new_in_this_version": None}},
        {"topologies": {"one": {**TOPOLOGY, "issuer": "http://b/", "hooks": {"x": 1}}}},
        {"topologies": {"two": {"provider": "url"}}, "workloads": {"third": ["x"]}, "steps": {"x": {}}},
        {"steps": {"other": {"grant": "password"}}},
    ],
)
def test_what_makes_no_difference_or_belongs_to_other_cells_is_alike(changes: dict[str, Any]) -> None:
    """More trials, another address, and what only one of the runs has."""
    assert unlike(run_of(changes)) == []


def test_a_difference_may_be_allowed() -> None:
    """By its key or that of its section, and it stays a caution; the start of another key's name is none."""
    run = run_of({"load": {"users": 6, "users_more": 1}})
    assert unlike(run, "load.users") == ["load.users_more: not there and 1"]
    found: Likeness = likeness(run_of(), run, ["load"])
    assert (found.unlike, len(found.cautions)) == ((), 2)


def steady(throughput: float, p95_ms: float = 50.0, spread: float = 0.01) -> list[Figures]:
    return [(throughput * f, p95_ms * f) for f in (1.0, 1 + spread, 1 / (1 + spread))]


def compared(baseline: list[Figures], candidate: list[Figures], **scenario: Any) -> RunComparison:
    return compare_runs(*(summary_of({("one", "w"): own}, scenario) for own in (baseline, candidate)))


def test_a_regression_is_worse_and_a_gain_is_not() -> None:
    """Four fifths of the throughput, beyond 5 % beyond doubt."""
    worse, better = compared(steady(100), steady(80)), compared(steady(80), steady(100))
    assert worse.comparisons[0].verdict is Verdict.WORSE
    assert (worse.is_worse, better.is_worse) == (True, False)
    assert (worse.comparisons[0].baseline, worse.comparisons[0].topology) == ("one", "one")


def test_the_same_again_is_conclusive_only_with_enough_trials() -> None:
    """At 0.1 % between trials it is equivalent, at 5 % nothing can be said."""
    calm, noisy = compared(steady(100, 50, 0.001), steady(100, 50, 0.001)), compared(steady(100, 50, 0.05), steady(100))
    assert (calm.is_worse, calm.is_conclusive) == (False, True)
    assert (noisy.is_worse, noisy.is_conclusive) == (False, False)


def test_a_small_sure_loss_is_conclusive() -> None:
    """Two per cent, surely less than the margin of five: worse, and no worse than that."""
    found = compared(steady(102, 50, 0.0005), steady(100, 50, 0.0005))
    assert found.comparisons[0].verdict is Verdict.WORSE
    assert (found.is_worse, found.is_conclusive) == (False, True)


def test_margins_are_the_baseline_s() -> None:
    """A loss of a fifth is no matter where the margin is a third."""
    found = compared(steady(100), steady(80), margins={"throughput_share": 0.34, "p95_share": 0.34})
    assert not found.is_worse


def test_too_few_trials_name_the_run() -> None:
    """Both have the same topology."""
    found = compared(steady(100), steady(100)[:2])
    assert found.comparisons[0].not_ranked == "“the candidate” has 2 counted trials, 3 are needed"
    assert not found.is_conclusive


def test_no_drift_is_looked_for_between_runs() -> None:
    """A run of its own order each: a trend cannot be told from the difference."""
    rising: list[Figures] = [(100.0 * 1.03**i, 50.0) for i in range(3)]
    assert compared(rising, rising).comparisons[0].drift is None


def test_throughput_of_the_open_model_is_not_ranked_and_no_obstacle() -> None:
    """p95 decides."""
    load = {"arrival_rate_per_s": 10.0}
    found = compared(steady(100, 50, 0.001), steady(50, 50, 0.001), load=load)
    assert found.comparisons[0].not_ranked == OPEN_MODEL
    assert (found.is_worse, found.is_conclusive) == (False, True)


def test_throughput_is_not_ranked_where_either_run_is_of_the_open_model() -> None:
    """As with --allow load: what was offered tells nothing of what could be answered."""
    closed, offered = (
        summary_of({("one", "w"): steady(100)}, scenario) for scenario in ({}, {"load": {"arrival_rate_per_s": 10.0}})
    )
    for pair in ((closed, offered), (offered, closed)):
        assert compare_runs(*pair).comparisons[0].not_ranked == OPEN_MODEL


def test_which_trials_count_is_a_caution() -> None:
    """A trial with many failures counts in one run and not in the other: the reader must know."""
    found = likeness(run_of(), run_of({"validity": {"failures_share": 0.05}}))
    assert (found.unlike, len(found.cautions)) == ((), 1)


def test_more_failures_are_worse() -> None:
    """One in fifty more, in every trial; one in a thousand more is not."""
    assert failing(20_000).is_worse
    assert not failing(1_000).is_worse


def failing(failed: int) -> RunComparison:
    """A candidate of whose million requests of each trial so many failed."""
    runs = []
    for number_failed in (0, failed):
        trials = [
            trial_of("one", "w", i, (1 - number_failed / 1e6, 50.0 + i / 1000), i, number_failed) for i in (1, 2, 3)
        ]
        plain: RunSummary = summary_of({("one", "w"): []})
        runs.append(replace(plain, cells=(make_cell("one", "w", trials),)))
    return compare_runs(*runs)


def test_cells_of_one_run_alone_are_named() -> None:
    """What is in both is compared."""
    more = summary_of({("one", "w"): steady(100), ("two", "w"): steady(100)})
    found = compare_runs(more, summary_of({("one", "w"): steady(100), ("three", "w"): steady(100)}))
    assert (found.only_baseline, found.only_candidate) == ((("two", "w"),), (("three", "w"),))
    assert {one.topology for one in found.comparisons} == {"one"}


def test_the_same_build_seldom_fails_a_pipeline() -> None:
    """500 times three against three trials of two metrics with a spread of 3 %: at most 7 % are called worse."""
    random = np.random.default_rng(8)
    worse = 0
    for logs in random.normal(0, 0.03, (500, 2, 3, 2)):
        trials: list[list[Figures]] = [[(float(100 * a), float(50 * b)) for a, b in np.exp(own)] for own in logs]
        worse += compared(*trials).is_worse
    assert worse <= 35
