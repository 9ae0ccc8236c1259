"""`iam-loadtest run` in the open model, on a mix of which a part begins with tokens that are there."""

from __future__ import annotations

import pandas as pd
import pytest

from iam_loadtest.results.run import Run
from iam_loadtest.results.trial import TrialStatus
from tests.e2e.conftest import LOAD, Workshop

pytestmark = pytest.mark.usefixtures("unmeasured")

USERS, RATE_PER_S, WINDOW_S = 8, 30, 2


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One trial on an IAM that ends a refresh token with its use. Late arrivals are let pass: others use the cores."""
    workshop = Workshop(tmp_path_factory.mktemp("open"), "open-model-run")
    scenario = workshop.scenario(
        topologies={"one": {"provider": "embedded", "settings": {"rotate_refresh_tokens": True}}},
        workloads={
            "session": {"prime": ["issue_for_user"], "steps": ["refresh"]},
            "day": {"mix": {"session": 2, "access": 1}},
        },
        trials_of=["day"],
        validity={"late_arrivals": "100%"},
        load={**LOAD, "users": USERS, "arrival_rate_per_s": RATE_PER_S, "duration": WINDOW_S},
    )
    done = workshop.call("run", scenario)
    assert done.returncode == 0, done.stdout + done.stderr
    return workshop.run()


def samples(run: Run) -> pd.DataFrame:
    return pd.read_parquet(run.trial_directory(run.trials[0]) / "samples.parquet").astype({"step": str})


def test_chains_start_by_the_clock_whatever_the_server_does(run: Run) -> None:
    """30 a second for 2 s, two workers: 60 in the window, to within the one at its edge."""
    (trial,) = run.trials
    assert (trial.status, trial.workload) == (TrialStatus.OK, "day")
    arrivals = trial.counts.arrivals
    assert arrivals is not None
    assert abs(arrivals.offered - RATE_PER_S * WINDOW_S) <= 1
    assert 0 < arrivals.ended <= arrivals.offered + USERS


def test_intended_starts_are_evenly_spaced_over_both_workers(run: Run) -> None:
    """Send time less lateness: a chain each 33.3 ms, whichever worker's it is, to what their clocks are apart."""
    rows = samples(run)
    chains = rows[rows.step.str.startswith("workflow:")]
    intended_us = (chains.started_us - chains.late_us).sort_values()
    gaps_us = intended_us.diff().dropna()
    assert gaps_us.median() == pytest.approx(1e6 / RATE_PER_S, rel=0.1)
    assert set(chains.worker) == {0, 1}


def test_no_refresh_token_is_used_twice_and_each_user_logs_in_once(run: Run) -> None:
    """A token that two chains used would be refused the second time; a user that lost one would log in again."""
    rows = samples(run)
    assert set(rows.outcome) == {"ok"}
    counts = rows.step.value_counts()
    assert counts["issue"] == USERS + counts["workflow:access"]
    assert counts["refresh"] == counts["workflow:session"]
    assert run.trials[0].counts.server == {"issue": counts["issue"], "refresh": counts["refresh"]}


def test_weights_are_shares_of_the_chains(run: Run) -> None:
    counts = samples(run).step.value_counts()
    chains = counts["workflow:session"] + counts["workflow:access"]
    assert counts["workflow:session"] == pytest.approx(2 / 3 * chains, abs=3)


def test_the_report_says_which_model_it_is(run: Run) -> None:
    text = (run.directory / "report.md").read_text(encoding="utf-8")
    assert "open model, 30 chains/s (evenly spaced), up to 8 at once" in text
    assert "Closed model" not in text
