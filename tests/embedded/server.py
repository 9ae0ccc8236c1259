"""A real built-in IAM in a process of its own, and a client that speaks to it as a relying party would."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

COMMAND = [str(Path(sys.executable).with_name("iam-loadtest")), "iam"]
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
SUBJECT = {"client_id": "token-exchange-subject", "client_secret": "secret"}
ACTOR = {"client_id": "token-exchange-actor", "client_secret": "secret"}
CRED = ("client-cred", "secret")
CALLBACK = "http://localhost:4000/callback"


def wait_for(condition: Callable[[], object], what: str, within_s: float = 60.0) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.02)  # polls a process that is starting


@dataclass
class Iam:
    """A running IAM as a test sees it."""

    issuer: str
    port: int
    process: subprocess.Popen[str]
    directory: Path
    http: requests.Session = field(default_factory=requests.Session)

    def post(self, path: str, form: dict[str, Any], auth: tuple[str, str] | None = None) -> requests.Response:
        return self.http.post(self.issuer + path, data=form, auth=auth, timeout=60, allow_redirects=False)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.http.get(self.issuer + path, timeout=60, allow_redirects=False, **options)

    def token(self, auth: tuple[str, str] | None = None, **form: Any) -> requests.Response:
        return self.post("token", form, auth)

    def client_credentials(self, scope: str = "openid profile") -> dict[str, Any]:
        return good(self.token(CRED, grant_type="client_credentials", scope=scope))

    def password(self, user: str = "test_100", scope: str = "openid profile offline_access") -> dict[str, Any]:
        return good(self.token(grant_type="password", username=user, password="password", scope=scope, **SUBJECT))

    def refresh(self, value: str, **more: Any) -> requests.Response:
        return self.token(grant_type="refresh_token", refresh_token=value, **SUBJECT, **more)

    def exchange(self, value: str, scope: str = "openid profile", **more: Any) -> requests.Response:
        return self.token(**({"grant_type": EXCHANGE, "subject_token": value, "scope": scope, **ACTOR} | more))

    def is_active(self, value: str) -> bool:
        return bool(good(self.post("introspect", {"token": value}, CRED))["active"])

    def worker_pids(self) -> list[int]:
        return children(self.process.pid)

    def stop(self) -> int:
        """SIGTERM, then the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def good(response: requests.Response) -> dict[str, Any]:
    """The body of a 200."""
    assert response.status_code == 200, f"{response.status_code}: {response.text[:300]}"
    body: dict[str, Any] = response.json()
    return body


def children(pid: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def running_iam(directory: Path, *options: str, env: dict[str, str] | None = None) -> Iterator[Iam]:
    """A built-in IAM that answers, stopped at the end; its standard error is in stderr.txt."""
    directory.mkdir(parents=True, exist_ok=True)
    ready = directory / "ready.json"
    errors = directory / "stderr.txt"
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            [*COMMAND, "--port", "0", "--ready-file", str(ready), *options],
            stderr=stderr,
            text=True,
            env={**os.environ, **(env or {})},
        )
    try:
        wait_for(lambda: ready.exists() or process.poll() is not None, "the IAM is ready", 90)
        assert process.poll() is None, errors.read_text()
        answer = json.loads(ready.read_text())
        iam = Iam(answer["issuer"], answer["port"], process, directory)
        yield iam
        iam.http.close()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


def hidden_fields(page: str) -> dict[str, str]:
    """The hidden inputs of a form."""
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page))


class Browser:
    """A cookie jar that follows no redirect by itself."""

    def __init__(self, iam: Iam) -> None:
        self.iam = iam
        self.http = requests.Session()

    def get(self, path: str, **query: str) -> requests.Response:
        return self.http.get(self.iam.issuer + path.lstrip("/"), params=query, timeout=60, allow_redirects=False)

    def post(self, path: str, **form: str) -> requests.Response:
        return self.http.post(self.iam.issuer + path.lstrip("/"), data=form, timeout=60, allow_redirects=False)

    def login(self, user: str = "test_100", password: str = "password") -> requests.Response:
        form = hidden_fields(self.get("/login").text)
        return self.post("/login", username=user, password=password, **form)
