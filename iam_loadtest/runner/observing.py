"""Watch the servers of a trial from beside it, and keep what was seen in the trial's own time."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from iam_loadtest.results.server_file import (
    OBSERVED_FILE,
    SERVER_FILE,
    WATCHED_FILE,
    Watched,
    write_server_file,
    write_watched,
)
from iam_loadtest.results.trial_clock import read_trial_clock
from iam_loadtest.runner.process import end_processes, start_process

_PATIENCE_S = 2.0
_LOG = "observer.log"


@contextmanager
def observed(name: str, pid: int, issuer: str, directory: Path, environ: Mapping[str, str]) -> Iterator[None]:
    """Watch one built-in IAM while the block runs; server.csv is there afterwards where its load began.

    An observer that fails costs its rows, never the trial.
    """
    observed_file, log = directory / OBSERVED_FILE, directory / _LOG
    write_watched(directory / WATCHED_FILE, Watched(frontends={name: urlsplit(issuer).netloc}, processes={name: pid}))
    command = [sys.executable, "-m", "iam_loadtest.lab.observer", str(directory / WATCHED_FILE), str(observed_file)]
    with log.open("ab") as output:
        process = start_process(command, output, environ, directory)
        try:
            yield
        finally:
            end_processes([process], _PATIENCE_S)
            keep_observed(observed_file, directory)
            for leftover in (observed_file, directory / WATCHED_FILE):
                leftover.unlink(missing_ok=True)
            if not log.stat().st_size:
                log.unlink()


def keep_observed(observed_file: Path, directory: Path) -> None:
    """Put an observer's rows into the trial's directory as server.csv, where the trial had begun."""
    clock = read_trial_clock(directory)
    if clock is not None:
        write_server_file(observed_file, directory / SERVER_FILE, clock.origin_us)
