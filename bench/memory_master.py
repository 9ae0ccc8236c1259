"""The two processes of bench_memory.py's first half: one makes the reports of workers, one gathers them.

python bench/memory_master.py feed REQUESTS | python bench/memory_master.py gather DIRECTORY
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import iam_loadtest.load.plugin  # noqa: F401  all that a master has loaded

from locust.env import Environment  # isort: skip  locust patches what is imported after it
from locust.stats import setup_distributed_stats_event_listeners  # isort: skip

import msgpack
import psutil

from iam_loadtest.load.collector import Collector, prepare_to_write
from iam_loadtest.load.health import HealthRow
from iam_loadtest.load.message import REPORT_KEY
from iam_loadtest.load.recorder import Recorder
from iam_loadtest.load.statistics import batch_statistics, refine_percentiles
from iam_loadtest.load.verdict import progress
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.trial import WindowMarks

WORKERS = 8
RATE_PER_S = 10_000
REPORT_S = 1
"""The workers of a trial report this often."""
STEPS = ("issue", "refresh", "exchange")
CHAINS_PER_REPORT = RATE_PER_S * REPORT_S // WORKERS // len(STEPS)
MIB = 2**20


class FakeWorkers:
    """All workers: the rows of each report are made by the package's recorder, its statistics by Locust's own."""

    def __init__(self) -> None:
        self._chance = random.Random(1)
        self._latencies_us = [int(self._chance.lognormvariate(10, 0.7)) for _ in range(10_007)]
        self._recorder = Recorder()
        self._environment = Environment()
        self._requests = 0
        batch_statistics(self._environment)
        setup_distributed_stats_event_listeners(self._environment.events, self._environment.stats)

    def reports(self, requests: int) -> Iterator[bytes]:
        """Packed reports of the workers in turn, until there were so many requests at least."""
        end_s = 0
        while self._requests < requests:
            end_s += REPORT_S
            for worker in range(WORKERS):
                for _ in range(CHAINS_PER_REPORT):
                    self._chain(int((end_s - REPORT_S * self._chance.random()) * 1e6))
                yield msgpack.packb((worker, end_s, self._report(worker, end_s)))

    def _chain(self, started_us: int) -> None:
        chain_us = 0
        for step in STEPS:
            self._requests += 1
            latency_us = self._latencies_us[self._requests % 10_007]
            backend = f"node-{self._requests % 3}"
            self._recorder.request(started_us + chain_us, step, latency_us, 200, Outcome.OK, backend)
            self._environment.stats.log_request("POST", step, latency_us / 1000, 600)
            chain_us += latency_us
        self._recorder.chain(started_us, chain_us, 200, Outcome.OK)

    def _report(self, worker: int, end_s: int) -> dict[str, Any]:
        lags = [self._chance.randrange(40) for _ in range(99)]
        rows = [HealthRow(end_s - ago, worker, 60.0, 62, lags).to_message() for ago in range(REPORT_S)]
        report: dict[str, Any] = {}
        self._environment.events.report_to_master.fire(client_id=str(worker), data=report)
        report[REPORT_KEY] = {"samples": self._recorder.take(), "health": rows}
        return report


def feed(requests: int) -> None:
    """Write reports to the standard output, each after its length."""
    for packed in FakeWorkers().reports(requests):
        sys.stdout.buffer.write(len(packed).to_bytes(4, "little") + packed)


def arriving() -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Worker, time and report of each message on the standard input."""
    while head := sys.stdin.buffer.read(4):
        packed = sys.stdin.buffer.read(int.from_bytes(head, "little"))
        yield msgpack.unpackb(packed, strict_map_key=False)


def gather(directory: Path) -> None:
    """Take reports as a master does, and print what that cost."""
    environment, process = Environment(), psutil.Process()
    setup_distributed_stats_event_listeners(environment.events, environment.stats)
    prepare_to_write()
    collector = Collector(directory)
    collector.window = WindowMarks(0, 0, 10**12)
    cpu_s, seen_mib = time.process_time(), [process.memory_info().rss / MIB]
    for worker, end_s, report in arriving():
        rows = report.pop(REPORT_KEY)
        environment.events.worker_report.fire(client_id=str(worker), data=report)
        collector.add(worker, rows, end_s * 1_000_000)
        if worker == 0:
            for _ in range(REPORT_S):
                progress("window", 0, 500, collector.recent(end_s * 1_000_000), end_s * 1_000_000)
            seen_mib.append(process.memory_info().rss / MIB)
    collector.close()
    cpu_s = time.process_time() - cpu_s
    found = {
        "rows": collector.rows,
        "at_start_mib": seen_mib[0],
        "half_way_mib": max(seen_mib[: len(seen_mib) // 2]),
        "at_end_mib": process.memory_info().rss / MIB,
        "peak_mib": max(peak_mib(os.getpid()), *seen_mib),
        "cpu_s_per_million_rows": cpu_s * 1e6 / collector.rows,
        "file_mib": sum(path.stat().st_size for path in directory.glob("samples.parquet")) / MIB,
    }
    sys.stdout.write(json.dumps(found))


def peak_mib(pid: int) -> float:
    """The most memory that a process ever held."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / MIB


if __name__ == "__main__":
    refine_percentiles()
    if sys.argv[1] == "feed":
        feed(int(sys.argv[2]))
    else:
        gather(Path(sys.argv[2]))
