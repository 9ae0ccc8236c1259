"""Real trials that begin with refresh tokens of a file."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from iam_loadtest.results.trial import TrialStatus
from tests.load.processes import TrialProcesses

pytestmark = pytest.mark.usefixtures("unmeasured")

SCENARIO = """\
name: pre-issued
topologies: {one: {provider: embedded}}
target: {refresh_tokens: tokens.txt}
clients: {subject: {id: token-exchange-subject, secret: secret, auth: post}}
users: {}
steps: {take: {request: pre_issued}, refresh: {grant: refresh_token, client: subject}}
workloads: {long: {prime: [take], steps: [refresh]}}
load:
  {users: 3, spawn_rate_per_s: 3, warm_up: 0s, duration: 1s, cool_down: 0s, workers: 1,
   limits: {cpu_percent: 1000, loop_lag: 10s, throttled_percent: 1000}}
"""


def issued(iam: str, user: str) -> str:
    """A refresh token of the built-in IAM."""
    form = {"grant_type": "password", "username": user, "password": "password", "scope": "openid offline_access"}
    client = {"client_id": "token-exchange-subject", "client_secret": "secret"}
    with urllib.request.urlopen(iam + "token", urllib.parse.urlencode({**form, **client}).encode()) as answer:
        token: str = json.load(answer)["refresh_token"]
    return token


def test_each_user_takes_a_token_and_a_file_that_is_used_up_ends_the_trial(tmp_path: Path, iam: str) -> None:
    """Four tokens suffice for a trial of three users; the next finds one left, and says so."""
    tokens = [issued(iam, f"test_{100 + number}") for number in range(4)]
    path = tmp_path / "tokens.txt"
    path.write_text("\n".join(tokens))
    path.chmod(0o600)
    results = []
    for name in ("first", "second"):
        scenario = SCENARIO.replace("tokens.txt", "../tokens.txt")
        processes = TrialProcesses(tmp_path / name, iam, workload="long", scenario=scenario, users=3)
        try:
            results.append(processes.start(workers=1).await_result())
        finally:
            processes.stop()
    first, second = results
    assert (first.status, first.reason) == (TrialStatus.OK, None)
    assert set(first.counts.by_step) == {"refresh", "workflow"}
    assert second.status is TrialStatus.FAILED
    assert second.reason is not None
    assert "all 4 tokens were used; add more, or remove tokens.txt.used" in second.reason
    written = [each for each in tmp_path.rglob("*") if each.is_file() and each != path]
    assert not [each.name for each in written if any(token.encode() in each.read_bytes() for token in tokens)]
