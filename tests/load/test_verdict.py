"""How a test went: the first thing that is wrong decides."""

from typing import Any

import pytest

from iam_loadtest.load.collector import FIRST_CHAINS
from iam_loadtest.load.health import HealthRow
from iam_loadtest.load.tally import tally
from iam_loadtest.load.verdict import (
    Gathered,
    commonest_failure,
    first_chains_refused,
    load_result,
    progress,
)
from iam_loadtest.results.load_result import Progress
from iam_loadtest.results.sample import SampleBuffer, unpack
from iam_loadtest.results.trial import TrialStatus, WindowMarks
from iam_loadtest.scenario.limits import Limits

MARKS = WindowMarks(0, 1_000_000, 4_000_000, 5_000_000)


def row(time_s: float, users: int, worker: int = 0, cpu: float = 10) -> HealthRow:
    """A second of a worker's health."""
    return HealthRow(time_s, worker, cpu, users, (1,))


def gathered(**changes: Any) -> Gathered:
    """A test in which all is well, and what differs."""
    fine: dict[str, Any] = {
        "marks": MARKS,
        "workers": 2,
        "lost": (),
        "sent": {0: 6, 1: 4},
        "rows_by_step": {"issue": 5, "workflow": 5},
        "failures": {},
        "has_success_in_window": True,
        "health": (row(2, 3), row(2, 2, 1)),
        "users_planned": 5,
        "limits": Limits(),
    }
    return Gathered(**{**fine, **changes})


def test_a_test_in_which_all_is_well_is_ok() -> None:
    result = load_result(gathered())
    assert (result.status, result.reason) == (TrialStatus.OK, None)
    assert (result.counts.sent, result.counts.received) == (10, 10)
    assert result.marks == MARKS


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"lost": (1,)}, "invalid", "lost 1 of 2 workers (number 1) before the end"),
        ({"sent": {0: 10}}, "invalid", "only 1 of 2 workers sent their total of rows"),
        ({"sent": {0: 6, 1: 5}}, "invalid", "10 of 11 rows arrived"),
        ({"problem": "the disk is full"}, "invalid", "the disk is full"),
        ({"defect": "KeyError"}, "failed", "KeyError"),
        ({"users_planned": 6}, "invalid", "5 users ran in the window; 6 were planned"),
        (
            {"health": (row(2, 3), row(2.1, 2, 1), row(3, 2))},
            "invalid",
            "4 to 5 users ran in the window; 5 were planned",
        ),
        (
            {"marks": WindowMarks(0, 1_000_000, 6_000_000), "health": (row(2, 3), row(0.5, 2, 1))},
            "invalid",
            "not every worker reported its users in the window",
        ),
        (
            {"health": (row(2, 3), row(2, 2, 1, cpu=97))},
            "invalid",
            "the generator was the bottleneck: its busiest worker used 97 % of a core (limit 90 %); "
            "add workers, or cores for them",
        ),
        (
            {"has_success_in_window": False, "failures": {"timeout: late": 1, "refused: 401": 4}},
            "failed",
            "no chain succeeded in the window; most often: refused: 401",
        ),
    ],
)
def test_what_is_wrong_is_the_reason(changes: dict[str, Any], status: str, reason: str) -> None:
    result = load_result(gathered(**changes))
    assert (result.status, result.reason) == (TrialStatus(status), reason)


def test_missing_rows_weigh_more_than_what_the_others_say() -> None:
    result = load_result(gathered(sent={0: 99, 1: 4}, has_success_in_window=False))
    assert result.status is TrialStatus.INVALID


def test_a_test_that_was_ended_early_keeps_its_reason() -> None:
    result = load_result(gathered(lost=(0,)), (TrialStatus.INTERRUPTED, "Ctrl-C"))
    assert (result.status, result.reason, result.generator.workers_lost) == (TrialStatus.INTERRUPTED, "Ctrl-C", 1)


def test_an_unknown_total_is_none_not_zero() -> None:
    assert load_result(gathered(sent={0: 4})).counts.sent is None


def test_first_chains_decide_only_when_there_are_enough_of_them_and_all_were_refused() -> None:
    refused = ["refused"] * FIRST_CHAINS
    assert not first_chains_refused(refused[1:])
    assert first_chains_refused(refused)
    assert first_chains_refused([*refused, "ok"]), "later ones change nothing"
    assert not first_chains_refused(["timeout", *refused])
    assert not first_chains_refused(["ok", *refused])


def test_the_commonest_failure_is_named_and_none_is_said() -> None:
    assert commonest_failure({"a": 1, "b": 2}) == "b"
    assert commonest_failure({}) == "no request failed, but no chain was complete"


def test_progress_counts_requests_and_times_chains() -> None:
    """Four requests in five seconds, three of them good; chains of 10 and 30 ms: p95 is the larger."""
    buffer = SampleBuffer()
    for outcome in ("ok", "ok", "ok", "timeout"):
        buffer.append(0, "issue", 1_000, 0, 200, outcome, "")
    buffer.append(0, "workflow", 10_000, 0, 200, "ok", "")
    buffer.append(0, "workflow", 30_000, 0, 200, "ok", "")
    shown = progress("window", 7.5, 4, [tally(unpack(buffer.pack()), WindowMarks())], 60_000_000)
    assert shown == Progress("window", 7.5, 4, 0.6, 30.0, 0.25)


def test_progress_without_answers_is_none_not_zero() -> None:
    assert progress("ramp", 1.0, 2, [], 1_000_000) == Progress("ramp", 1.0, 2, None, None, None)


def test_the_limits_are_the_scenario_s() -> None:
    busy = {"health": (row(2, 3), row(2, 2, 1, cpu=97))}
    assert load_result(gathered(**busy, limits=Limits(cpu_percent=98))).status is TrialStatus.OK
    assert load_result(gathered(limits=Limits(cpu_percent=9))).status is TrialStatus.INVALID


def test_without_limits_what_spoils_a_trial_is_a_caution() -> None:
    """A plain run of Locust."""
    result = load_result(gathered(health=(row(2, 3), row(2, 2, 1, cpu=97)), limits=None))
    assert (result.status, len(result.cautions)) == (TrialStatus.OK, 1)


def test_a_spoiled_trial_says_why_and_what_to_do_in_its_cautions_too() -> None:
    result = load_result(gathered(health=(row(2, 3), row(2, 2, 1, cpu=97))))
    assert [(caution.kind, caution.remedy) for caution in result.cautions] == [
        ("generator_cpu", "add workers, or cores for them")
    ]
