"""Hooks: commands of the scenario at the turning points of a run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from iam_loadtest.results.run import PlannedTrial
from iam_loadtest.runner.failure import TrialFailedError
from iam_loadtest.runner.log_tail import last_line
from iam_loadtest.runner.process import end_processes, start_process
from iam_loadtest.scenario.hook import Hook
from iam_loadtest.units import format_duration

HOOKS_LOG = "hooks.log"
_HEAD = "# "
"""What the line before a hook's output begins with."""
_PATIENCE_S = 2.0


def hook_environment(planned: PlannedTrial, directory: Path, issuer: str) -> dict[str, str]:
    """What a hook is told, on top of the runner's own environment."""
    return {
        "IAM_LOADTEST_TOPOLOGY": planned.topology,
        "IAM_LOADTEST_WORKLOAD": planned.workload,
        "IAM_LOADTEST_TRIAL_NUMBER": str(planned.trial),
        "IAM_LOADTEST_TRIAL_DIRECTORY": str(directory),
        "IAM_LOADTEST_ISSUER": issuer,
    }


def run_hook(name: str, hook: Hook, directory: Path, told: Mapping[str, str]) -> None:
    """Run one hook to its end, output kept in hooks.log; raises TrialFailedError where it fails or takes too long."""
    log = directory / HOOKS_LOG
    with _private_log(log) as output:
        output.write(f"{_HEAD}{name}: {hook.command[0]}\n".encode())
        output.flush()
        process = start_process(hook.command, output, {**os.environ, **told}, Path.cwd(), "supervise")
        try:
            code = process.wait(hook.timeout_s)
        except subprocess.TimeoutExpired as error:
            limit = format_duration(hook.timeout_s)
            raise TrialFailedError(f"hook {name} did not end within {limit}; see {HOOKS_LOG}.") from error
        finally:
            end_processes([process], _PATIENCE_S)
    if code != 0:
        said = last_line(log)
        said = "it printed nothing" if said.startswith(_HEAD) else said
        raise TrialFailedError(f"hook {name} ended with exit code {code}: {said}; see {HOOKS_LOG}.")


def _private_log(log: Path) -> IO[bytes]:
    """What a command prints is kept as it is, and a command that was given secrets may print them."""
    return os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "ab")
