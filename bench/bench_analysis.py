"""How long the summary of a run takes, and how much memory, on generated data.

    python bench/bench_analysis.py [--quick] [--trials 63] [--rows 60000000] [--rounds 3] [--keep DIRECTORY]

Runs of the same layout are generated with a quarter of the rows, with half and with all of them. They are summarised in
turn, every second round in reverse order, each time by a process of its own, so that time and peak memory are its own.
The full size is the study's: 63 trials and 60 million samples. ``--quick`` takes 12 million.

Where cost is linear, each further million rows takes the same CPU time, from a quarter to half and from half to all;
what a run costs however small it is (starting Python, importing, a part of every trial) is in neither. The least of the
rounds is taken: other work on the machine only ever adds.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from stored import store

from iam_loadtest.results.run import TRIALS_DIRECTORY, PlannedTrial, RunInfo, write_run_info
from iam_loadtest.results.sample_file import ROW_GROUP_ROWS, SCHEMA
from iam_loadtest.results.trial import SAMPLES_FILE, Trial, TrialCounts, TrialStatus, WindowMarks, write_trial

GOAL_ROWS, GOAL_S, GOAL_MIB = 60_000_000, 240, 2048
WORKLOADS = {
    "access": ["issue", "workflow"],
    "refresh": ["issue", "refresh", "workflow"],
    "workflow": ["issue", "refresh", "exchange", "workflow"],
}
OUTCOMES = ["ok", "write_conflict", "stale_read", "timeout"]
BACKENDS = ["node1", "node2", "node3"]
RAMP_US, WINDOW_START_US, WINDOW_END_US = 50_000_000, 80_000_000, 680_000_000
SEED = 20261122
SIZES = {"quarter": 4, "half": 2, "whole": 1}
"""What part of the rows each run has."""

Figures = dict[str, float]
"""Rows, peak_mib, seconds and cpu_s of one summary."""


def generate(directory: Path, trials: int, rows: int) -> None:
    """A run of so many trials with the rows shared out among them."""
    random = np.random.default_rng(SEED)
    topologies = [f"topology{i}" for i in range(max(trials // (3 * len(WORKLOADS)), 1))]
    cells = [(topology, workload) for topology in topologies for workload in WORKLOADS]
    plan = tuple(
        PlannedTrial(position, *cells[(position - 1) % len(cells)], (position - 1) // len(cells) + 1)
        for position in range(1, trials + 1)
    )
    steps = {step: {"grant": "client_credentials"} for own in WORKLOADS.values() for step in own[:-1]}
    scenario = {
        "name": "bench",
        "topologies": {topology: {"provider": "embedded"} for topology in topologies},
        "workloads": {name: own[:-1] for name, own in WORKLOADS.items()},
        "steps": steps,
    }
    write_run_info(directory, RunInfo("bench", "2026-11-22T00:00:00+00:00", scenario, "", plan, SEED, {}, {}))
    for planned in plan:
        write_one(directory, planned, rows // trials, random)


def write_one(directory: Path, planned: PlannedTrial, rows: int, random: np.random.Generator) -> None:
    """One trial on disk, in row groups as the master writes them."""
    path = directory / TRIALS_DIRECTORY / planned.id
    path.mkdir(parents=True)
    started_us = np.sort(random.integers(0, WINDOW_END_US + 2_000_000, rows))
    with pq.ParquetWriter(path / SAMPLES_FILE, SCHEMA, compression="zstd") as writer:
        for first in range(0, rows, ROW_GROUP_ROWS):
            writer.write_table(row_group(started_us[first : first + ROW_GROUP_ROWS], planned.workload, random))
    marks = WindowMarks(RAMP_US, WINDOW_START_US, WINDOW_END_US, WINDOW_END_US + 2_000_000)
    identity = (planned.id, planned.position, planned.topology, planned.workload, planned.trial)
    trial = Trial(*identity, TrialStatus.OK, None, "", "", marks, counts=TrialCounts(rows, rows))
    write_trial(path, trial)


def row_group(started_us: np.ndarray, workload: str, random: np.random.Generator) -> pa.Table:
    """Rows with latencies around 40 ms and one failure in a hundred."""
    rows = len(started_us)
    columns = [
        pa.array(started_us, pa.int64()),
        names(random.integers(0, len(WORKLOADS[workload]), rows), WORKLOADS[workload]),
        pa.array(random.lognormal(10.6, 0.5, rows).astype(np.uint32)),
        pa.array(np.zeros(rows, np.uint32)),
        pa.array(np.full(rows, 200, np.uint16)),
        names(np.where(random.random(rows) < 0.01, random.integers(1, len(OUTCOMES), rows), 0), OUTCOMES),
        names(random.integers(0, len(BACKENDS), rows), BACKENDS),
        pa.array(random.integers(1, 9, rows).astype(np.uint16)),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def names(codes: np.ndarray, table: list[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(table))


def summarise(directory: Path) -> None:
    """In a process of its own: summarise and compare, and say what it took."""
    from iam_loadtest.analysis.comparison import compare  # noqa: PLC0415  only the process that is measured needs it
    from iam_loadtest.analysis.summary import summarise_directory  # noqa: PLC0415

    started, cpu = time.perf_counter(), time.process_time()
    summary = summarise_directory(directory)
    compare(summary)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = sum(one.rows or 0 for one in summary.trials)
    took = {"seconds": time.perf_counter() - started, "cpu_s": time.process_time() - cpu}
    print(json.dumps({"rows": rows, "peak_mib": peak_mib, **took}))


def generated(directory: Path, trials: int, rows: int) -> Path:
    """A run of this size in a directory of its own."""
    started = time.perf_counter()
    directory.mkdir(parents=True, exist_ok=True)
    generate(directory, trials, rows)
    size_mib = sum(path.stat().st_size for path in directory.rglob("*.parquet")) / 2**20
    print(f"generated {rows:,} rows, {size_mib:,.0f} MiB, in {time.perf_counter() - started:.0f} s", flush=True)
    return directory


def measured(directory: Path) -> Figures:
    """Figures of one summary, by a process of its own."""
    command = [sys.executable, str(Path(__file__)), "--summarise", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    figures: Figures = json.loads(done.stdout)
    print(
        f"  {figures['rows']:,} rows in {figures['seconds']:.1f} s, {figures['cpu_s']:.1f} s of CPU, "
        f"peak memory {figures['peak_mib']:,.0f} MiB",
        flush=True,
    )
    return figures


def in_turn(directories: Sequence[Path], rounds: int) -> list[list[Figures]]:
    """The figures of each directory, round by round; every second round goes backwards."""
    found: list[list[Figures]] = [[] for _ in directories]
    for number in range(rounds):
        order = range(len(directories)) if number % 2 == 0 else reversed(range(len(directories)))
        for index in order:
            found[index].append(measured(directories[index]))
    return found


def growth(found: Sequence[Sequence[Figures]]) -> Iterator[str]:
    """CPU seconds per million rows at each size, then per further million from each size to the next."""
    least = [min(own, key=lambda one: one["cpu_s"]) for own in found]
    for one in least:
        yield f"{one['rows']:>11,} rows: {one['cpu_s'] / one['rows'] * 1e6:.3f} s of CPU per million rows"
    further = [
        (more["cpu_s"] - fewer["cpu_s"]) / (more["rows"] - fewer["rows"]) * 1e6 for fewer, more in pairwise(least)
    ]
    yield f"each further million: {' s, then '.join(f'{cost:.3f}' for cost in further)} s of CPU"
    yield f"ratio of the last to the first: ×{further[-1] / further[0]:.2f} (linear is ×1.00)"


def main() -> None:
    """Generate three sizes and summarise them in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=63)
    parser.add_argument("--rows", type=int, default=GOAL_ROWS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--quick", action="store_true", help="12 million rows, too few to say much of small differences"
    )
    parser.add_argument("--keep", type=Path, help="generate here and leave the runs behind")
    parser.add_argument("--summarise", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.summarise:
        summarise(options.summarise)
        return
    rows = 12_000_000 if options.quick else options.rows
    print(f"analysis of generated runs, {datetime.now(UTC):%Y-%m-%d}, {platform.python_version()}, seed {SEED}")
    with tempfile.TemporaryDirectory(prefix="bench-analysis-") as temporary:
        base = options.keep or Path(temporary)
        sizes = [generated(base / name, options.trials, rows // part) for name, part in SIZES.items()]
        found = in_turn(sizes, options.rounds)
    lines = list(growth(found))
    if rows >= GOAL_ROWS:
        seconds = min(one["seconds"] for one in found[-1])
        peak_mib = max(one["peak_mib"] for one in found[-1])
        lines.append(f"goals: {seconds:.0f} of {GOAL_S} s, {peak_mib:,.0f} of {GOAL_MIB:,} MiB")
    print("\n".join(lines))
    kept = {"trials": options.trials, "rows": rows, "rounds": options.rounds}
    print(f"\n{store('analysis', kept, dict(zip(SIZES, found, strict=True)), chr(10).join(lines))}")


if __name__ == "__main__":
    main()
