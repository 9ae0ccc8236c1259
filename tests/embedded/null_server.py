"""A null token server in a process of its own."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

COMMAND = [sys.executable, "-m", "iam_loadtest", "null-iam", "--port", "0"]


@dataclass
class NullServer:
    """A running server, its own count of requests, and its log of them."""

    issuer: str
    port: int
    process: subprocess.Popen[str]
    request_log: Path
    http: requests.Session = field(default_factory=requests.Session)

    def served(self, endpoint: str = "token") -> int:
        """Requests that the server says it has answered; what it has logged is on disk after this."""
        lines = self.http.get(self.issuer + "metrics", timeout=60).text.splitlines()
        found = re.compile(rf'iam_requests_total{{endpoint="{endpoint}",grant="\w*",.*}} (\d+)')
        return sum(int(match[1]) for match in map(found.fullmatch, lines) if match)

    def log(self) -> list[tuple[int, int]]:
        """Arrival and answer of each token request, in microseconds."""
        self.served()
        head, *lines = self.request_log.read_text().splitlines()
        assert head == "arrived_us,answered_us"
        return [(int(arrived), int(answered)) for arrived, answered in (line.split(",") for line in lines)]

    def stop(self) -> int:
        """SIGTERM, then the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def null_server(directory: Path, *options: str) -> Iterator[NullServer]:
    """A null token server that answers, stopped at the end."""
    ready, log, errors = directory / "null.json", directory / "null.csv", directory / "null.err"
    logged = ("--request-log", str(log)) if "--delay-schedule" in options else ()
    with errors.open("w") as stderr:
        command = [*COMMAND, "--ready-file", str(ready), *logged, *options]
        process = subprocess.Popen(command, stderr=stderr, text=True)
    try:
        deadline = time.monotonic() + 90
        while not ready.exists():
            assert process.poll() is None, errors.read_text()
            assert time.monotonic() < deadline, "the null server is not ready"
            time.sleep(0.02)  # polls a process that is starting
        answer = json.loads(ready.read_text())
        server = NullServer(answer["issuer"], answer["port"], process, log)
        yield server
        server.http.close()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)
