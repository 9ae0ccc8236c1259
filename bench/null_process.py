"""The shipped null token server in a process of its own, on a free port of 127.0.0.1."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOOK_S = 0.05


@contextmanager
def null_iam(directory: Path, *flags: str, core: int | None = None) -> Iterator[str]:
    """Its issuer while the block runs, pinned to a core where one is named.

    There it has the lowest priority: whatever else comes up on the machine runs on that core, not on the generator's.
    """
    ready = directory / "ready.json"
    command = [sys.executable, "-m", "iam_loadtest", "null-iam", "--port", "0", "--ready-file", str(ready), *flags]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    if core is not None:
        os.sched_setaffinity(process.pid, {core})
        os.sched_setscheduler(process.pid, os.SCHED_IDLE, os.sched_param(0))
    try:
        while not ready.exists():
            if process.poll() is not None:
                sys.exit("the null token server does not start")
            time.sleep(_LOOK_S)
        yield str(json.loads(ready.read_text(encoding="utf-8"))["issuer"])
    finally:
        process.terminate()
        process.wait()
