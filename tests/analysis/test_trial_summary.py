"""One trial: only its window, only its requests, and nothing that is not there."""

from __future__ import annotations

from pathlib import Path

from iam_loadtest.analysis.part import ALL_REQUESTS, Latency
from iam_loadtest.analysis.summary import steps_of_workloads
from iam_loadtest.analysis.trial_summary import summarise_trial
from iam_loadtest.results.trial import SAMPLES_FILE, TrialStatus, WindowMarks

from .samples import row, trial, write_rows

ROWS = [
    row(999_999, "issue", 1),
    row(1_000_000, "workflow", 35_000),
    row(1_000_000, "issue", 10_000),
    row(1_020_000, "refresh", 20_000),
    row(2_000_000, "workflow", 90_000, "write_conflict"),
    row(2_000_000, "issue", 30_000),
    row(2_040_000, "refresh", 50_000, "write_conflict"),
    row(2_999_999, "issue", 40_000_000),
    row(3_000_000, "issue", 2),
]


def test_a_row_counts_when_it_started_in_the_window(tmp_path: Path) -> None:
    """The start is in, the end is out, and what began inside and ended later has its full latency."""
    summary = summarise_trial(write_rows(tmp_path, ROWS), trial())
    issue = summary.part("issue")
    assert issue is not None
    assert (issue.requests, issue.ok) == (3, 3)
    assert issue.latency == Latency(30_000, *[40_000_000] * 5)


def test_throughput_is_successful_requests_per_second_of_the_window(tmp_path: Path) -> None:
    """Five requests in two seconds, four of them good; rows of whole chains are no requests."""
    requests = summarise_trial(write_rows(tmp_path, ROWS), trial()).requests
    assert requests is not None
    assert (requests.name, requests.requests, requests.ok, requests.failed) == (ALL_REQUESTS, 5, 4, 1)
    assert (requests.throughput_per_s, requests.attempted_per_s, requests.failure_share) == (2.0, 2.5, 0.2)
    assert dict(requests.outcomes) == {"ok": 4, "write_conflict": 1}
    assert requests.latency == Latency()


def test_the_chain_is_timed_by_its_own_rows_where_it_succeeded(tmp_path: Path) -> None:
    """One of two chains ended well: half a chain per second, and its time alone is the latency."""
    chain = summarise_trial(write_rows(tmp_path, ROWS), trial()).chain
    assert chain is not None
    assert (chain.requests, chain.throughput_per_s, chain.latency.p95_us) == (2, 0.5, 35_000)


def test_a_step_without_a_success_has_no_latency(tmp_path: Path) -> None:
    """No data is None, and the failure share is one."""
    rows = [row(1_000_000, "issue", 10), row(1_500_000, "refresh", 10, "timeout")]
    refresh = summarise_trial(write_rows(tmp_path, rows), trial()).part("refresh")
    assert refresh is not None
    assert (refresh.latency.p50_us, refresh.latency.max_us, refresh.failure_share) == (None, None, 1.0)
    assert refresh.throughput_per_s == 0


def test_steps_stand_in_the_workload_s_order(tmp_path: Path) -> None:
    """Whatever arrived first; steps that the workload does not name come last."""
    rows = [row(1_000_000 + i, step, 5) for i, step in enumerate(["refresh", "another", "issue"])]
    summary = summarise_trial(write_rows(tmp_path, rows), trial(), ("issue", "refresh"))
    assert [step.name for step in summary.steps] == ["issue", "refresh", "another"]


def test_lateness_is_part_of_the_latency(tmp_path: Path) -> None:
    """In the open model a request that was sent late has waited already; in the closed model late is zero."""
    rows = [row(1_000_000, "issue", 4_000_000_000, late_us=4_000_000_000)]
    issue = summarise_trial(write_rows(tmp_path, rows), trial()).part("issue")
    assert issue is not None
    assert issue.latency.max_us == 8_000_000_000


def test_an_empty_window_has_no_failure_share_and_no_latency(tmp_path: Path) -> None:
    """A throughput of zero is true; the rest is not known."""
    summary = summarise_trial(write_rows(tmp_path, [row(0, "issue", 5)]), trial())
    assert summary.requests is not None
    assert (summary.requests.throughput_per_s, summary.requests.failure_share, summary.chain) == (0, None, None)


def test_a_trial_that_did_not_end_well_keeps_its_figures_and_its_reason(tmp_path: Path) -> None:
    """It is shown, and it does not count."""
    summary = summarise_trial(write_rows(tmp_path, ROWS), trial(TrialStatus.INVALID, "a worker was lost"))
    assert (summary.is_counted, summary.excluded) == (False, "a worker was lost")
    assert summary.requests is not None
    assert summary.requests.requests == 5


def test_a_trial_without_a_complete_window_has_no_figures(tmp_path: Path) -> None:
    """It has only its timeline."""
    marks = WindowMarks(ramp_end_us=5, window_start_us=1_000_000)
    summary = summarise_trial(write_rows(tmp_path, ROWS), trial(TrialStatus.FAILED, "the IAM is down", marks))
    assert (summary.requests, summary.chain, summary.steps, summary.excluded) == (None, None, (), "the IAM is down")
    assert summary.timeline is not None


def test_an_ok_trial_without_a_window_does_not_count(tmp_path: Path) -> None:
    """It says why."""
    summary = summarise_trial(write_rows(tmp_path, ROWS), trial(marks=WindowMarks()))
    assert summary.excluded == "the measured window was not completed"


def test_missing_samples_exclude_a_trial(tmp_path: Path) -> None:
    """With the reason, not with zeros."""
    assert summarise_trial(tmp_path, trial()).excluded == "samples.parquet is missing"


def test_broken_samples_exclude_a_trial(tmp_path: Path) -> None:
    """A file that was cut short is no reason to fail the report of all other trials."""
    (tmp_path / SAMPLES_FILE).write_bytes(b"PAR1 and then nothing")
    excluded = summarise_trial(tmp_path, trial()).excluded
    assert excluded is not None
    assert excluded.startswith("samples.parquet is not readable: ")


def test_the_trial_s_own_reason_comes_before_missing_samples(tmp_path: Path) -> None:
    """The cause, not its consequence."""
    assert summarise_trial(tmp_path, trial(TrialStatus.FAILED, "the IAM is down")).excluded == "the IAM is down"


def test_rows_that_do_not_add_up_exclude_a_trial(tmp_path: Path) -> None:
    """Never quietly short."""
    summary = summarise_trial(write_rows(tmp_path, ROWS), trial(received=10))
    assert summary.excluded == "samples.parquet holds 9 rows; trial.json counted 10"


def test_a_trial_marked_without_a_reason_says_its_mark(tmp_path: Path) -> None:
    """So that the table is never blank."""
    summary = summarise_trial(write_rows(tmp_path, ROWS), trial(TrialStatus.INTERRUPTED))
    assert summary.excluded == "the trial is marked interrupted"


def test_chains_of_a_mix_have_figures_of_their_own_and_together_those_of_the_whole(tmp_path: Path) -> None:
    """Two chains of 10 ms and one of 40 ms: p50 of all is 10 ms, p95 is 40 ms; none of them is a request."""
    chains = [row(1_100_000, f"workflow:{name}", time_us) for name, time_us in (("a", 10_000), ("b", 40_000))]
    summary = summarise_trial(write_rows(tmp_path, [row(1_000_000, "issue", 5_000), *chains, chains[0]]), trial())
    assert summary.requests is not None
    assert summary.chain is not None
    assert (summary.requests.requests, summary.chain.requests) == (1, 3)
    assert (summary.chain.latency.p50_us, summary.chain.latency.p95_us) == (10_000, 40_000)
    assert {part.name: part.requests for part in summary.steps} == {"issue": 1, "workflow:a": 2, "workflow:b": 1}
    assert summary.timeline is not None
    assert summary.timeline.ok_per_s == (0,), "the request came in the last second, which is left out"


def test_steps_of_primed_and_mixed_workloads_are_known_in_their_order() -> None:
    """A mix has the steps of its parts; priming comes first; labels are what samples say."""
    scenario = {
        "steps": {"login": {"label": "issue"}, "refresh": {}, "exchange": {}},
        "workloads": {
            "session": {"prime": ["login"], "steps": ["refresh"]},
            "chain": ["login", "exchange"],
            "day": {"mix": {"session": 2, "chain": 1}},
        },
    }
    assert steps_of_workloads(scenario) == {
        "session": ("issue", "refresh"),
        "chain": ("issue", "exchange"),
        "day": ("issue", "refresh", "exchange"),
    }
