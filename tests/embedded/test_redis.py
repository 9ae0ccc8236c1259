"""Web sessions in Redis, directly and through Sentinel."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from tests.embedded.backends import redis_server
from tests.embedded.server import Browser, hidden_fields, running_iam, wait_for
from tests.embedded.test_browser import PUBLIC, location, walk


def keys(port: int, password: str) -> list[str]:
    command = ["redis-cli", "-p", str(port), "-a", password, "--no-auth-warning", "--scan"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_sessions_are_kept_in_redis_and_hold_no_session_id(tmp_path: Path) -> None:
    with redis_server(tmp_path / "redis", "requirepass redis-pw") as port:
        url = f"redis://:${{REDIS_PW}}@127.0.0.1:{port}/0"
        with running_iam(tmp_path / "iam", "--workers", "2", "--sessions", url, env={"REDIS_PW": "redis-pw"}) as iam:
            browser = Browser(iam)
            assert walk(browser, PUBLIC, "test_120")["code"]
            stored = keys(port, "redis-pw")
            assert len(stored) == 1
            assert browser.http.cookies["SESSION"] not in stored[0]


def test_sessions_are_found_through_sentinel(tmp_path: Path) -> None:
    with redis_server(tmp_path / "redis") as master:
        watch = f"sentinel monitor iam-master 127.0.0.1 {master} 1"
        with redis_server(tmp_path / "sentinel", watch, sentinel=True) as sentinel:
            url = f"sentinel://127.0.0.1:{sentinel}/iam-master"
            with running_iam(tmp_path / "iam", "--sessions", url) as iam:
                assert walk(Browser(iam), PUBLIC, "test_121")["code"]


def test_without_its_redis_login_fails_and_tokens_go_on(tmp_path: Path) -> None:
    with (
        redis_server(tmp_path / "redis") as port,
        running_iam(tmp_path / "iam", "--sessions", f"redis://127.0.0.1:{port}/0") as iam,
    ):
        browser = Browser(iam)
        form = hidden_fields(browser.get("/login").text)
        assert location(browser.post("/login", username="test_122", password="password", **form)) == "/"
        subprocess.run(["redis-cli", "-p", str(port), "shutdown", "nosave"], capture_output=True, check=False)
        wait_for(lambda: browser.get("/login").status_code == 500, "the login page fails")
        assert browser.get("/login").json() == {
            "error": "server_error",
            "error_description": "The session store does not answer: ConnectionError",
        }
        assert iam.client_credentials()["access_token"]
        assert iam.get("health").status_code == 503
        assert iam.get("health").json() == {"status": "DOWN"}


def test_a_frontend_that_restarts_without_its_redis_issues_tokens(tmp_path: Path) -> None:
    with (
        redis_server(tmp_path / "redis") as port,
        running_iam(tmp_path / "iam", "--sessions", f"redis://127.0.0.1:{port}/0") as iam,
    ):
        assert iam.get("health").status_code == 200
        subprocess.run(["redis-cli", "-p", str(port), "shutdown", "nosave"], capture_output=True, check=False)
        wait_for(lambda: iam.get("health").status_code == 503, "the IAM is unhealthy")
        iam.http.close()
        (old,) = iam.worker_pids()
        os.kill(old, signal.SIGKILL)
        wait_for(lambda: iam.worker_pids() not in ([old], []), "the frontend is started again")
        assert iam.client_credentials()["access_token"]
