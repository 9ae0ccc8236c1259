"""The checks of Locust's statistics run in a process of their own: importing Locust changes the whole process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKS = Path(__file__).with_name("statistics_checks.py")


def test_the_checks_of_the_statistics_pass() -> None:
    command = [
        sys.executable,
        "-c",
        "import gevent.monkey as m, sys; m.patch_all(); import pytest; sys.exit(pytest.main())",
    ]
    done = subprocess.run(
        [*command, "-q", "-p", "no:xdist", "-p", "no:cacheprovider", str(CHECKS)],
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
        cwd=CHECKS.parents[2],
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert " passed" in done.stdout
