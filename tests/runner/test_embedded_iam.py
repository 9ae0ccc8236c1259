"""The built-in IAM is started for a trial with a fresh database, counts what it answers, and leaves only its log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import jwt
import psutil
import pytest
import requests

from iam_loadtest.errors import SecretMissingError
from iam_loadtest.runner.embedded_iam import IAM_LOG, EmbeddedIam, embedded_iam, served_by_step
from iam_loadtest.runner.failure import TrialFailedError
from iam_loadtest.scenario.topology import EmbeddedTopology
from tests.runner.children import eventually, guarded, is_running
from tests.runner.servers import serving
from tests.scenario.scenarios import scenario_of


def topology(**keys: Any) -> EmbeddedTopology:
    return EmbeddedTopology.model_validate({"provider": "embedded", **keys})


def issue(issuer: str) -> requests.Response:
    """One access token for a client."""
    return requests.post(
        f"{issuer}token", {"grant_type": "client_credentials"}, auth=("client-cred", "secret"), timeout=10
    )


def test_it_answers_counts_and_leaves_its_log(tmp_path: Path) -> None:
    """Two frontends, settings passed on; its own count is the number of requests; its database goes with it."""
    settings = {"algorithm": "ES256", "rotate_refresh_tokens": True, "store_access_tokens": False, "users": 300}
    with embedded_iam(topology(frontends=2, settings=settings), tmp_path) as iam:
        answers = [issue(iam.issuer) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200] * 5
        assert jwt.get_unverified_header(answers[0].json()["access_token"])["alg"] == "ES256"
        assert iam.requests_by_kind() == Counter({"client_credentials": 5})
    assert [path.name for path in tmp_path.iterdir()] == [IAM_LOG]
    with pytest.raises(requests.ConnectionError):
        issue(iam.issuer)


def test_one_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last line is the reason, and its log stays."""
    monkeypatch.setenv("NO_DATABASE_URL", "mysql://127.0.0.1:1/iam?timeout=1")
    with pytest.raises(TrialFailedError, match="the built-in IAM ended with exit code "):
        start(topology(database="${NO_DATABASE_URL}"), tmp_path)
    assert (tmp_path / IAM_LOG).read_text(encoding="utf-8") != ""


def start(what: EmbeddedTopology, directory: Path) -> None:
    with embedded_iam(what, directory):
        pass


def test_a_database_variable_that_is_not_set_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have been unset between the check and the trial."""
    monkeypatch.delenv("GONE_DATABASE_URL", raising=False)
    with pytest.raises(SecretMissingError, match="environment variable GONE_DATABASE_URL is not set"):
        start(topology(database="${GONE_DATABASE_URL}"), tmp_path)


def test_no_frontend_outlives_a_killed_runner(tmp_path: Path) -> None:
    """kill -9 of the runner ends the built-in IAM and all its frontends."""
    ready = tmp_path / "ready.json"
    options = ["--port", "0", "--workers", "2", "--ready-file", str(ready)]
    code = (
        "import os, subprocess, sys, time; "
        f"subprocess.Popen({guarded('exec')[:4]!r} + ['exec', str(os.getpid()), sys.executable, '-m', 'iam_loadtest', "
        f"'iam', *{options!r}]); time.sleep(60)"
    )
    runner = subprocess.Popen([*guarded("exec")[:1], "-c", code], cwd=tmp_path)
    assert eventually(ready.is_file)
    server = psutil.Process(json.loads(ready.read_text(encoding="utf-8"))["pid"])
    family = [server.pid, *(child.pid for child in server.children(recursive=True))]
    assert len(family) >= 3
    os.kill(runner.pid, signal.SIGKILL)
    runner.wait()
    assert eventually(lambda: not any(is_running(pid) for pid in family))


@pytest.mark.parametrize("status", [500, None])
def test_an_iam_that_does_not_count_ends_the_trial(status: int | None) -> None:
    """No count is not the count zero."""
    with serving() as server:
        url = server.url if status else "http://127.0.0.1:9/"
        with pytest.raises(TrialFailedError, match=r"the built-in IAM did not answer GET /metrics; see iam\.log\."):
            EmbeddedIam(url).requests_by_kind()


def test_counts_are_given_by_step() -> None:
    """A grant that two labels share is counted under both names joined: the server cannot tell them apart."""
    served = Counter({"password": 3, "refresh_token": 5, "token_exchange": 2, "client_credentials": 7})
    scenario = scenario_of(
        steps={
            "login": {"grant": "password", "client": "subject", "label": "issue"},
            "refresh": {"grant": "refresh_token", "client": "subject"},
            "again": {"grant": "refresh_token", "client": "subject"},
        },
        workloads={"chain": ["login", "refresh", "again"]},
    )
    assert served_by_step(scenario, "chain", served) == {"issue": 3, "refresh+again": 5}
