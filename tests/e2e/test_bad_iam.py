"""An IAM that is down, answers nonsense, is slow or dies: each trial ends soon, with its reason."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil
import pytest

from iam_loadtest.results.trial import TrialStatus
from tests.e2e.conftest import LOAD, PATIENCE_S, PUBLIC_CLIENTS, Workshop, await_that

pytestmark = pytest.mark.usefixtures("unmeasured")


class FaultyIam(BaseHTTPRequestHandler):
    """Answers discovery and tokens well, but for the fault that the server is told."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        port = self.server.server_address[1]
        issuer = f"http://127.0.0.1:{port}/"
        self._answer(200, "application/json", json.dumps({"issuer": issuer, "token_endpoint": issuer + "token"}))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200, "application/json", json.dumps({"access_token": "opaque", "token_type": "Bearer"}))

    def _answer(self, status: int, kind: str, body: str) -> None:
        fault = self.server.fault
        if fault == "html":
            kind, body = "text/html", "<html>Welcome to nginx</html>"
        elif fault == "500":
            status, body = 500, json.dumps({"error": "server_error"})
        elif fault == "garbage":
            body = body[:10]
        elif fault == "slow":
            time.sleep(2)  # the fault itself: slower than the scenario's time limit
        elif fault == "wrong secret" and self.command == "POST":
            status, body = 401, json.dumps({"error": "invalid_client", "error_description": "Bad client credentials"})
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def faulty_iam(fault: str) -> Iterator[str]:
    """The issuer of a server with a fault."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), FaultyIam)
    server.fault = fault  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


def run_against(workshop: Workshop, issuer: str, *options: str, timeout: str = "60s") -> str:
    """The reason of the one trial against an issuer; it must have failed, and the run must say so."""
    scenario = workshop.scenario(
        topologies={"bad": {"provider": "url", "issuer": issuer}},
        clients=PUBLIC_CLIENTS,
        users={"password": "password"},
        target={"timeout": timeout, "connect_timeout": "60s", "health_timeout": "500ms"},
    )
    done = workshop.call("run", scenario, "--only", "access", "--quiet", *options)
    assert done.returncode == 3, done.stderr
    (trial,) = workshop.run().trials
    assert trial.status is TrialStatus.FAILED
    assert trial.reason is not None
    assert trial.reason in done.stderr
    return trial.reason


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("html", "the answer is not JSON (text/html); is this the issuer?"),
        ("500", "the IAM was not healthy within 500ms: GET {issuer}.well-known/openid-configuration: status 500."),
        ("garbage", "the answer is not JSON (application/json); is this the issuer?"),
        ("slow", "no answer within the time limit."),
        ("wrong secret", "before the load, step issue came to refused: 401 invalid_client Bad client credentials."),
    ],
)
def test_a_trial_against_a_faulty_iam_fails_with_its_reason(workshop: Workshop, fault: str, words: str) -> None:
    with faulty_iam(fault) as issuer:
        timeout = "500ms" if fault == "slow" else "60s"
        assert words.format(issuer=issuer) in run_against(workshop, issuer, "--no-report", timeout=timeout)


def test_an_iam_that_is_down_is_named_with_its_url_and_the_run_has_its_report(workshop: Workshop) -> None:
    with faulty_iam("none") as issuer:
        pass
    reason = run_against(workshop, issuer)
    assert reason == (
        f"the IAM was not healthy within 500ms: GET {issuer}.well-known/openid-configuration: "
        "connection refused (is it running, and is the port right?)."
    )
    assert (workshop.run().directory / "report.html").is_file()


def test_an_iam_that_dies_in_the_window_fails_the_trial_and_keeps_its_rows(workshop: Workshop) -> None:
    scenario = workshop.scenario(load={**LOAD, "duration": "5s"})
    runner = workshop.start("run", scenario, "--only", "access", "--json-log", "--no-report")
    assert runner.stdout is not None
    assert any('"phase": "window"' in line for line in runner.stdout)
    for pid in _built_in_iam(workshop):
        os.kill(pid, signal.SIGKILL)
    runner.communicate(timeout=PATIENCE_S)
    (trial,) = workshop.run().trials
    assert runner.returncode == 3
    assert trial.status is TrialStatus.FAILED
    assert trial.reason == "the built-in IAM did not answer GET /metrics; see iam.log."
    assert trial.counts.received
    assert await_that(lambda: not workshop.processes())


def _built_in_iam(workshop: Workshop) -> list[int]:
    """The processes of the built-in IAM, the parent first."""
    pids = [pid for pid in workshop.processes() if "--ready-file" in psutil.Process(pid).cmdline()]
    assert pids
    return sorted(pids)
