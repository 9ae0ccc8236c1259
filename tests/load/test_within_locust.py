"""Checks of what imports Locust run in a process of their own: importing it changes the whole process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NAMES = ("statistics_checks.py", "master_checks.py", "worker_checks.py", "users_checks.py")
CHECKS = [str(HERE / name) for name in NAMES]


def test_the_checks_within_locust_pass() -> None:
    command = [
        sys.executable,
        "-c",
        "import gevent.monkey as m, sys; m.patch_all(); import pytest; sys.exit(pytest.main())",
    ]
    done = subprocess.run(
        [*command, "-q", "-p", "no:xdist", "-p", "no:cacheprovider", *CHECKS],
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
        cwd=HERE.parents[1],
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert " passed" in done.stdout
