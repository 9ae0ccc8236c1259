"""A lab as a topology: built for one trial by `iam-loadtest lab up`, ended with it."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from iam_loadtest.results.json_file import write_json
from iam_loadtest.results.lab_state import LAB_STATE_FILE, LabState, read_lab_state
from iam_loadtest.results.server_file import OBSERVED_FILE
from iam_loadtest.runner.embedded_iam import EmbeddedIam
from iam_loadtest.runner.failure import TrialFailedError
from iam_loadtest.runner.log_tail import last_line
from iam_loadtest.runner.observing import keep_observed
from iam_loadtest.runner.process import Process, end_processes, start_process
from iam_loadtest.scenario.topology import LabTopology

LAB_LOG = "lab.log"
LAB_LOGS = "lab-logs"
_PREFIX = "iam-lab-trial-"
_TOPOLOGY_FILE = "lab-topology.json"
_READY_WITHIN_S = 180.0
_PATIENCE_S = 15.0
_POLL_S = 0.1


@dataclass(frozen=True)
class LabIam(EmbeddedIam):
    """The frontends of a running lab, reached through its balancer."""

    base: Path = Path()
    process: Process | None = None

    def requests_by_kind(self) -> Counter[str]:
        """As the built-in IAM's; raises TrialFailedError where a server of the lab has ended by itself."""
        self.require_whole()
        return super().requests_by_kind() if self.is_counted else Counter()

    def require_whole(self) -> None:
        """Raise TrialFailedError where the lab has ended, or a server of it that no fault ended."""
        state = read_lab_state(self.base)
        has_ended = self.process is not None and self.process.poll() is not None
        if state is None or state.died or has_ended:
            died = "; ".join(state.died) if state and state.died else "it has ended as a whole"
            raise TrialFailedError(f"the lab did not stay whole: {died}; see {LAB_LOG} and {LAB_LOGS}.")


@contextmanager
def lab_iam(topology: LabTopology, directory: Path, environ: Mapping[str, str] = os.environ) -> Iterator[LabIam]:
    """The lab while the block runs; its logs and its state stay in the trial's directory, its data goes.

    ``environ`` is what its first process is given; its servers get less. It is built below the temporary directory:
    paths of sockets have to be short. Raises TrialFailedError where it does not get ready.
    """
    topology_file = directory / _TOPOLOGY_FILE
    write_json(topology_file, topology.model_dump(mode="json", by_alias=True, exclude={"target", "hooks", "faults"}))
    command = [sys.executable, "-m", "iam_loadtest", "lab", "up", str(topology_file), "--port", "0", "--observe"]
    with _place() as base, (directory / LAB_LOG).open("ab") as log:
        given = {**environ, **_passed(topology)}
        process = start_process([*command, "--directory", str(base)], log, given, directory)
        try:
            extra_s = topology.frontend.ready_within_s if topology.frontend else 0
            state = _await_ready(process, base, directory / LAB_LOG, _READY_WITHIN_S + extra_s)
            yield LabIam(state.issuer, state.nodes, state.address, topology.frontend is None, base, process)
        finally:
            end_processes([process], _PATIENCE_S)
            topology_file.unlink(missing_ok=True)
            _keep_what_tells(base, directory)
            keep_observed(base / OBSERVED_FILE, directory)


def _passed(topology: LabTopology) -> dict[str, str]:
    """What the frontends are to be given, which may be secrets of the scenario, too."""
    names = topology.frontend.pass_environ if topology.frontend else ()
    return {name: os.environ[name] for name in names if name in os.environ}


@contextmanager
def _place() -> Iterator[Path]:
    """An empty directory for a lab, which goes with all that is in it; what killed runs left goes before."""
    _remove_leftovers(Path(tempfile.gettempdir()))
    base = Path(tempfile.mkdtemp(prefix=_PREFIX))
    descriptor = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield base
    finally:
        shutil.rmtree(base, ignore_errors=True)
        os.close(descriptor)


def _remove_leftovers(parent: Path) -> None:
    """Remove the directories of labs whose run was killed: nobody holds their lock, and only those have a lab's own.

    A runner holds the lock of its lab's directory until it has copied what tells of the lab.
    """
    for base in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # another user's, or gone meanwhile
            descriptor = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                is_own = os.fstat(descriptor).st_uid == os.geteuid()
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if is_own and (base / LAB_STATE_FILE).is_file():
                    shutil.rmtree(base, ignore_errors=True)
            finally:
                os.close(descriptor)


def _await_ready(process: Process, base: Path, log: Path, within_s: float) -> LabState:
    deadline = time.monotonic() + within_s
    while True:
        state = read_lab_state(base)
        if state is not None and state.phase == "ready":
            return state
        if process.poll() is not None:
            raise TrialFailedError(f"the lab could not be built: {last_line(log)}")
        if time.monotonic() >= deadline:
            raise TrialFailedError(f"the lab was not ready within {within_s:.0f}s; see {LAB_LOGS}.")
        time.sleep(_POLL_S)


def _keep_what_tells(base: Path, directory: Path) -> None:
    """Copy logs and state into the trial: the measured round trip, how long each step took, what died."""
    if (base / "logs").is_dir():
        shutil.copytree(base / "logs", directory / LAB_LOGS, dirs_exist_ok=True)
    if (base / LAB_STATE_FILE).is_file():
        shutil.copyfile(base / LAB_STATE_FILE, directory / LAB_STATE_FILE)
