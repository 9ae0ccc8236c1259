"""The README's commands, and a place to run them in."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PIPELINE = ".venv/bin/iam-loadtest run scenarios/ci.yaml --quiet"
"""Takes as long as all others together: it has a test file of its own, which runs beside theirs."""
BUILT_IN_IAM = "http://127.0.0.1:8490/"
LIMITS = "{cpu_percent: 1000, loop_lag: 10s, throttled_percent: 1000}"
RUN_BY_CI = {"make demo", "make test"}
SERVES = {
    ".venv/bin/iam-loadtest iam": BUILT_IN_IAM + "health",
    ".venv/bin/locust -f locustfiles/mixed.py --web-host 127.0.0.1": "http://127.0.0.1:8089/",
}


def commands() -> list[str]:
    """The commands of the README's shell blocks, comments taken off, in their order."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def run_for_real() -> list[str]:
    """Those that are run one after the other, as a reader would."""
    return [command for command in commands() if command not in {*RUN_BY_CI, *SERVES, PIPELINE}]


def make_checkout(directory: Path) -> Path:
    """A copy of what the README's commands need, with .venv/bin standing for this Python's programs.

    Scenarios are as they stand but for the limits beyond which a busy generator spoils a trial: it is, by other tests.
    """
    for name in ("scenarios", "locustfiles"):
        shutil.copytree(ROOT / name, directory / name)
    for name in ("quick", "ci"):
        scenario = directory / "scenarios" / f"{name}.yaml"
        text, count = re.subn(r"limits: \{.*?\}", f"limits: {LIMITS}", scenario.read_text(encoding="utf-8"))
        assert count == 1
        scenario.write_text(text, encoding="utf-8")
    (directory / ".venv").mkdir()
    (directory / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    return directory


def run_in(checkout: Path, command: str) -> None:
    """Run a command of the README, which must succeed."""
    done = subprocess.run(shlex.split(command), check=False, cwd=checkout, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
