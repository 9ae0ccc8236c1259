"""Servers as processes: started with a log, awaited, ended with all that they started."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import requests

from iam_loadtest.runner import guard
from providers.missing import ProviderError

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "JAVA_HOME", "JAVA_OPTS_APPEND", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
_POLL_S = 0.1
_STOP_S = 20.0
_LOG_END = 600


@contextmanager
def running_process(
    command: Sequence[str | Path],
    log: Path,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
    is_script: bool = False,
) -> Iterator[subprocess.Popen[bytes]]:
    """A server that ends with the block, or with this process; secrets go in ``environ``, never in the command.

    ``is_script`` where the command starts the server as a child: the process is then the one above both.
    """
    guarded = [sys.executable, guard.__file__, "supervise" if is_script else "exec", os.getpid()]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(part) for part in (*guarded, *command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**plain_environ(), **(environ or {})},
            cwd=directory or log.parent,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _stop(process)


def run(command: Sequence[str | Path], directory: Path, environ: Mapping[str, str] | None = None) -> None:
    """Run a helper to its end; raises ProviderError with its last words where it failed."""
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=directory,
        env={**plain_environ(), **(environ or {})},
        check=False,
    )
    if done.returncode != 0:
        words = " ".join((done.stdout + done.stderr).split())[-_LOG_END:]
        raise ProviderError(f"{Path(str(command[0])).name} ended with exit code {done.returncode}: {words}")


def await_answer(url: str, process: subprocess.Popen[bytes], log: Path, within_s: float) -> None:
    """Return once a GET answers 200; raises ProviderError where the server ends or time runs out."""
    await_that(lambda: _answers(url), url, process, log, within_s)


def await_that(
    is_ready: Callable[[], bool], what: str, process: subprocess.Popen[bytes], log: Path, within_s: float
) -> None:
    """Poll until something is so; raises ProviderError with the end of the log where it does not come to be."""
    deadline = time.monotonic() + within_s
    while not is_ready():
        if process.poll() is not None:
            raise ProviderError(f"{log.name}: exit code {process.returncode} before {what}: {_end(log)}")
        if time.monotonic() >= deadline:
            raise ProviderError(f"{log.name}: not within {within_s:.0f}s: {what}: {_end(log)}")
        time.sleep(_POLL_S)


def free_port() -> int:
    """A port of the loopback that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def plain_environ() -> dict[str, str]:
    """The caller's environment without what servers have no use for, since it may hold secrets."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ}


def _answers(url: str) -> bool:
    with suppress(requests.RequestException), requests.Session() as session:
        session.trust_env = False
        return session.get(url, timeout=5).status_code == 200
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    for end in (process.terminate, process.kill):
        end()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
            return


def _end(log: Path) -> str:
    return " ".join(log.read_text(encoding="utf-8", errors="replace").split())[-_LOG_END:] or "it printed nothing"
