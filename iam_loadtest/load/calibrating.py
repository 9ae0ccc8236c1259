"""What one generating process can do: a trial's users in this process, on the null token server. The runner starts it.

    IAM_LOADTEST_TRIAL=spec.json python -m iam_loadtest.load.calibrating SECONDS

First one user alone: the floor of latency. Then as many as keep the process busy: requests per CPU time, rows packed as
a worker packs them. What was found is written into the spec's directory as calibration.json.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from iam_loadtest.load.users import WorkloadUser  # isort: skip  Locust patches what is imported after it

import gevent
from locust.env import Environment

from iam_loadtest.errors import UserError
from iam_loadtest.load.gathering import poll
from iam_loadtest.load.generating import Generating
from iam_loadtest.load.session import MIN_PHASE_S, Place
from iam_loadtest.load.setup import setup_of_spec
from iam_loadtest.results.json_file import write_json
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.sample import is_chain_step, unpack
from iam_loadtest.scenario.trial_spec import CALIBRATION_FILE, TRIAL_SPEC_VARIABLE, read_trial_spec

BUSY_USERS = 32
"""Enough to keep one process busy all the time."""
FLOOR_S = 1.0
_WARM_S = 0.3
_REPORT_S = 1.0
_FIRST_ANSWER_S = 20.0


class Calibrating:
    """The users of one workload in this process, and what they recorded."""

    def __init__(self, spec_file: Path) -> None:
        spec = read_trial_spec(spec_file)
        environment = Environment(user_classes=[WorkloadUser], host=spec.issuer)
        self._runner = environment.create_local_runner()
        self._generating = Generating(environment)
        self._generating.open(setup_of_spec(spec), Place())
        self._generating.release(0, 0)

    def floor_us(self) -> list[int]:
        """Latencies of the requests of one user alone; raises UserError where nothing is answered."""
        self._runner.start(1, spawn_rate=1)
        if not poll(lambda: self._generating.rows > 0, _FIRST_ANSWER_S):
            raise UserError(f"the null token server did not answer within {_FIRST_ANSWER_S:.0f} s")
        self._measure(_WARM_S)
        return [latency_us for packed in self._measure(FLOOR_S) for latency_us in _latencies_us(packed)]

    def busy(self, seconds: float) -> tuple[int, float]:
        """Requests of many users, and the CPU time of this process meanwhile."""
        self._runner.start(BUSY_USERS, spawn_rate=10 * BUSY_USERS)
        self._measure(MIN_PHASE_S + _WARM_S)
        with _cpu_time() as used_s:
            reports = self._measure(seconds)
        return sum(len(_latencies_us(packed)) for packed in reports), used_s[0]

    def _measure(self, seconds: float) -> list[bytes]:
        """Rows that were recorded in a time from now on, packed now and then as by a worker that reports."""
        self._generating.report()
        reports, ends_s = [], time.monotonic() + seconds
        while (left_s := ends_s - time.monotonic()) > 0:
            gevent.sleep(min(left_s, _REPORT_S))
            reports.append(self._generating.report().get("samples", b""))
        return reports


@contextmanager
def _cpu_time() -> Iterator[list[float]]:
    """The CPU time of the block, in seconds, once it has ended."""
    used_s: list[float] = []
    before_s = time.process_time()
    yield used_s
    used_s.append(time.process_time() - before_s)


def _latencies_us(packed: bytes) -> list[int]:
    """Latencies of the requests in packed rows; raises UserError where one did not go well."""
    if not packed:
        return []
    block = unpack(packed)
    failed = {outcome for outcome in block.outcomes if outcome != Outcome.OK.value}
    if failed:
        raise UserError(f"requests to the null token server failed: {', '.join(sorted(failed))}")
    rows = zip(block.step_code, block.latency_us, strict=True)
    return [latency_us for step, latency_us in rows if not is_chain_step(block.steps[step])]


def main() -> None:
    """Measure, and leave calibration.json."""
    spec_file = Path(os.environ[TRIAL_SPEC_VARIABLE])
    calibrating = Calibrating(spec_file)
    floor_us = calibrating.floor_us()
    requests, cpu_s = calibrating.busy(float(sys.argv[1]))
    write_json(
        Path(read_trial_spec(spec_file).directory) / CALIBRATION_FILE,
        {"floor_us": floor_us, "requests": requests, "cpu_s": cpu_s},
    )


if __name__ == "__main__":
    main()
