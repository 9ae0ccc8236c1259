"""Labs: how long each topology takes to start and to end, what it takes up, and whether its round trips are right.

    python bench/bench_lab.py [--scenario FILE] [--only multi5-galera-30ms] [--seconds 5] [--pings 200]

Each topology of the scenario is brought up once by `iam-loadtest lab up`, and nothing is asked of it. Memory is the
proportional share (PSS) of every process in it, so that what several have in common counts once; what the databases
keep stands beside it, since that is in memory, too, where `data` says so. CPU is that of all processes over some idle
seconds. Round trips are those of ping from a host of the first cluster to one of the second. A busy machine makes all
of it worse: the load average stands beside the figures.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from stored import ROOT, store

from iam_loadtest.lab.control import RunningLab, running_lab
from iam_loadtest.scenario.load_file import load_scenario
from iam_loadtest.scenario.topology import LabTopology

GOALS_S = {"start": 15, "end": 2}
LAB = (sys.executable, "-m", "iam_loadtest", "lab")
PING_EVERY_S = "0.02"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
Figures = dict[str, Any]


def measure(where: str, topology: LabTopology, seconds: float, pings: int) -> Figures:
    """One lab from its start to its end."""
    with tempfile.TemporaryDirectory(prefix="iam-lab-", dir="/tmp") as scratch:
        directory = ["--directory", scratch + "/lab"]
        start_s = timed_s([*LAB, "up", where, "--background", "--port", "0", *directory])
        found = running_lab(Path(scratch) / "lab")
        if found is None:
            sys.exit(f"{where}: the lab has ended by itself")
        try:
            time.sleep(1)  # the last of its start is over
            figures = {"start_s": start_s, "steps_s": dict(found.state.took_s), **taken_up(found, seconds)}
            figures |= {"data_mib": data_mib(found, Path(scratch) / "lab"), "data": found.state.data}
            if topology.wires:
                figures["rtt_ms"] = round_trips_ms(found, directory, pings)
        finally:
            end_s = timed_s([*LAB, "down", *directory])
    return {
        **figures,
        "end_s": end_s,
        "asked_rtt_ms": [link.rtt_s * 1000 for link in topology.wires],
        "links": dict(found.state.links),
        "load_average": os.getloadavg()[0],
    }


def timed_s(command: list[str]) -> float:
    """How long a command took that ends well."""
    began_s = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command[3:])}: {done.stderr.strip() or done.stdout.strip()}")
    return time.monotonic() - began_s


def taken_up(lab: RunningLab, seconds: float) -> Figures:
    """Processes of a lab, their memory, and the CPU that they take while nothing is asked of them."""
    namespace = os.readlink(f"/proc/{lab.supervisor}/ns/pid")
    inside = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if namespace_of(pid) == namespace]
    before_s = sum(map(cpu_s, inside))
    time.sleep(seconds)
    idle_percent = (sum(map(cpu_s, inside)) - before_s) / seconds * 100
    return {"processes": len(inside), "memory_mib": sum(map(pss_mib, inside)), "idle_cpu_percent": idle_percent}


def namespace_of(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return None  # it has just ended


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def pss_mib(pid: int) -> float:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    found = re.search(r"^Pss: +(\d+) kB", text, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def data_mib(lab: RunningLab, directory: Path) -> float:
    """What the databases have written, looked at with the lab's own mounts, in which it stands in memory."""
    inside = Path(f"/proc/{lab.supervisor}/root{directory}")
    files = (file for data in inside.glob("database-*/data") for file in data.rglob("*"))
    return sum(file.lstat().st_blocks for file in files) * 512 / (1 << 20)


def round_trips_ms(lab: RunningLab, directory: list[str], pings: int) -> dict[str, float]:
    """Quantiles of the round trip between the first host of the first two clusters, and the share that was lost."""
    addresses = lab.state.hosts.values()
    far = next(address for address in addresses if address.startswith("10.77.2."))
    ping = ["ping", "-n", "-c", str(pings), "-i", PING_EVERY_S, far]
    done = subprocess.run([*LAB, "exec", *directory, "balancer", *ping], capture_output=True, text=True, check=False)
    times = sorted(float(value) for value in re.findall(r"time=([\d.]+) ms", done.stdout))
    if len(times) < 2:
        sys.exit(f"ping had no answers: {done.stdout.strip()} {done.stderr.strip()}")
    percentiles = statistics.quantiles(times, n=100, method="inclusive")
    lost = 1 - len(times) / pings
    return {"p50": percentiles[49], "p99": percentiles[98], "max": times[-1], "lost_percent": lost * 100}


def shown(all_figures: dict[str, Figures]) -> str:
    """A line for each topology."""
    head = f"{'topology':<28} {'start':>6} {'end':>5} {'processes':>9} {'memory':>9} {'data':>15} {'idle CPU':>8}"
    lines = [f"{head}   {'round trip p50, p99, max':<26} asked   by"]
    for name, one in all_figures.items():
        line = (
            f"{name:<28} {one['start_s']:>5.1f}s {one['end_s']:>4.1f}s {one['processes']:>9} "
            f"{one['memory_mib']:>5.0f} MiB {one['data_mib']:>4.0f} MiB {one['data']:>6} "
            f"{one['idle_cpu_percent']:>7.1f}%"
        )
        rtt = one.get("rtt_ms")
        if rtt:
            trip = f"{rtt['p50']:.2f}, {rtt['p99']:.2f}, {rtt['max']:.2f} ms"
            line += f"   {trip:<26} {one['asked_rtt_ms'][0]:>5g}   {one['links']['1-2']}"
        lines.append(line)
    longest = {part: max(one[f"{part}_s"] for one in all_figures.values()) for part in GOALS_S}
    for part, goal_s in GOALS_S.items():
        met = "met" if longest[part] < goal_s else "missed"
        lines.append(f"longest {part} {longest[part]:.1f} s   goal {goal_s} s: {met}")
    averages = [one["load_average"] for one in all_figures.values()]
    lines.append(f"load average meanwhile: {min(averages):.1f} to {max(averages):.1f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", type=Path, default=ROOT / "scenarios" / "geo-iam.yaml")
    parser.add_argument("--only", action="append", metavar="TOPOLOGY", help="this topology; repeatable")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long the idle CPU is watched")
    parser.add_argument("--pings", type=int, default=200)
    options = parser.parse_args()
    topologies = load_scenario(options.scenario).topologies
    wanted = options.only or [name for name, topology in topologies.items() if isinstance(topology, LabTopology)]
    figures: dict[str, Figures] = {}
    for name in wanted:
        topology = topologies[name]
        if not isinstance(topology, LabTopology):
            sys.exit(f"{name} is no topology of the lab")
        figures[name] = measure(f"{options.scenario}:{name}", topology, options.seconds, options.pings)
    text = shown(figures)
    print(text)
    print(f"\n{store('lab', {**vars(options), 'scenario': options.scenario.name}, figures, text)}")


if __name__ == "__main__":
    main()
