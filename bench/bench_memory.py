"""Memory of a master that gathers ten minutes of 10,000 requests/s, and of a worker with 500 users.

    python bench/bench_memory.py [--requests 6000000] [--users 500] [--seconds 10]

The master: one process makes the reports of eight workers as they are on the wire, with the package's own recorder and
Locust's own statistics; another, with everything loaded that a master has, takes them and writes samples.parquet. They
come as fast as they can be made: memory must not depend on that. A chain of three requests has a row of its own, so
6,000,000 requests are 8,000,000 rows.

The worker: a real trial, one master and one worker, on the null token server.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from memory_master import peak_mib
from null_process import null_iam
from stored import store

from iam_loadtest.results.trial import TrialStatus
from iam_loadtest.runner.load_processes import LOCUSTFILE, run_load
from iam_loadtest.scenario.builtin import DEFAULT_CLIENTS, DEFAULT_USERS
from iam_loadtest.scenario.load_file import load_scenario
from iam_loadtest.scenario.trial_spec import TrialSpec

GOALS_MIB = {"master": 300, "worker": 100}
LOOK_S = 0.25
Figures = dict[str, float]


def measure_master(requests: int) -> Figures:
    """Memory and CPU of a process that gathers so many requests."""
    program = [sys.executable, str(Path(__file__).with_name("memory_master.py"))]
    with tempfile.TemporaryDirectory() as scratch:
        feeder = subprocess.Popen([*program, "feed", str(requests)], stdout=subprocess.PIPE)
        gatherer = [*program, "gather", scratch]
        done = subprocess.run(gatherer, stdin=feeder.stdout, stdout=subprocess.PIPE, check=True)
        feeder.wait()
    figures: Figures = json.loads(done.stdout)
    return figures


def measure_worker(users: int, seconds: float) -> Figures:
    """The peaks of a real worker with so many users, and of its master."""
    with tempfile.TemporaryDirectory() as scratch, null_iam(Path(scratch)) as issuer:
        path = Path(scratch) / "scenario.json"
        load = {"users": users, "spawn_rate_per_s": users, "warm_up": 3, "duration": seconds, "workers": 1}
        path.write_text(
            json.dumps(
                {
                    "name": "memory",
                    "clients": DEFAULT_CLIENTS,
                    "users": DEFAULT_USERS,
                    "load": load,
                    "topologies": {"null": {"provider": "url", "issuer": issuer}},
                }
            )
        )
        spec = TrialSpec(str(path), scratch, "null", "workflow", issuer, scratch)
        with watched_peaks() as peaks:
            result = run_load(spec, load_scenario(path).load, 10, lambda _: None)
    if result.status is TrialStatus.FAILED or result.generator.users_min is None:
        sys.exit(f"the worker's trial failed: {result.reason}")
    return {**peaks, "users": result.generator.users_min, "rows": result.counts.received or 0}


@contextmanager
def watched_peaks() -> Iterator[Figures]:
    """The most memory of the master and the worker that this process has started in the block."""
    peaks: Figures = {}
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(LOOK_S):
            for child in psutil.Process().children(recursive=True):
                note_peak(child, peaks)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield peaks
    finally:
        is_over.set()
        watching.join()


def note_peak(process: psutil.Process, peaks: Figures) -> None:
    try:
        command = process.cmdline()
        for part in ("master", "worker"):
            if f"--{part}" in command and str(LOCUSTFILE) in command:
                peaks[f"{part}_peak_mib"] = peak_mib(process.pid)
    except (psutil.Error, OSError, IndexError):
        return  # it has just ended


def shown(master: Figures, worker: Figures) -> str:
    """Both measurements in a few lines."""
    met = {
        "master": master["peak_mib"] < GOALS_MIB["master"],
        "worker": worker["worker_peak_mib"] < GOALS_MIB["worker"],
    }
    words = {part: f"goal {goal} MiB: {'met' if met[part] else 'missed'}" for part, goal in GOALS_MIB.items()}
    return "\n".join(
        (
            f"Master, {master['rows']:,.0f} rows of 8 workers (a file of {master['file_mib']:.0f} MiB)",
            f"  memory at start       {master['at_start_mib']:8.0f} MiB",
            f"  most until half way   {master['half_way_mib']:8.0f} MiB",
            f"  most ever             {master['peak_mib']:8.0f} MiB   {words['master']}",
            f"  CPU per million rows  {master['cpu_s_per_million_rows']:8.2f} s",
            f"Worker with {worker['users']:.0f} users, {worker['rows']:,.0f} rows in all",
            f"  most ever             {worker['worker_peak_mib']:8.0f} MiB   {words['worker']}",
            f"  its master            {worker['master_peak_mib']:8.0f} MiB",
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=6_000_000)
    parser.add_argument("--users", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=10.0, help="measured window of the worker's trial")
    options = parser.parse_args()
    worker = measure_worker(options.users, options.seconds)
    master = measure_master(options.requests)
    text = shown(master, worker)
    print(text)
    print(f"\n{store('memory', vars(options), {'master': master, 'worker': worker}, text)}")


if __name__ == "__main__":
    main()
