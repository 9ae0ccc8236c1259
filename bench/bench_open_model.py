"""The open model on one core, against the null token server on another: how late its arrivals start.

    python bench/bench_open_model.py [--seconds 3] [--rounds 3] [--rate 1000 --rate 10000]

The server polls without a pause (``--busy-poll``). On a machine that is shared, a server that sleeps is woken by each
request, and whoever sends pays for that: a virtual core may take longer to call another one than to send a request.
Against nginx the generator fell at times into a state in which each request did so, and stayed in it, at half the rate.

Beside it stands what the same core offers in the closed model, against nginx, which never sleeps then: the work of one
process with its requests sent, judged, recorded and reported to Locust. The share of the core that the process was
given says whether the machine was quiet: where it is far below what the requests need, other work was measured. "Kept
off it" is for how much of the time the process wanted the core and did not get it, since another process had it, or the
host of a virtual machine: an arrival cannot start then.

The machine's own floor stands above the table, from a loop on the same core that sends nothing: what share of the
arrivals of the highest rate would have been late had each cost nothing, and how fast the core works in each tenth of a
second, by the CPU time of one fixed piece of work. A virtual machine is not told that a neighbour has the other half of
its core: no time is missing then, and every instruction takes longer. A core at half its pace offers half as much.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from null_nginx import NullNginx, null_nginx
from null_process import null_iam
from stored import store

GOAL_PER_S, GOAL_LATE_SHARE = 10_000, 0.001
ARRIVALS = ("constant", "poisson")
HERE = Path(__file__).parent


def run(script: str, *arguments: object) -> dict[str, float]:
    """The figures that a process of its own prints."""
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{script}: {done.stderr}")
    figures: dict[str, float] = json.loads(done.stdout)
    if figures.get("failures"):
        sys.exit(f"{script}: {figures['failures']:.0f} requests failed\n{done.stderr}")
    return figures


def closed(server: NullNginx, core: int, options: argparse.Namespace) -> dict[str, float]:
    """As many requests as 32 users of the closed model send."""
    where = ("access", server.url("http"), server.certificate)
    return run("transport_client.py", "ours, complete", *where, options.seconds, 32, core)


def opened(url: str, rate: float, arrivals: str, core: int, options: argparse.Namespace) -> dict[str, float]:
    """What the arrivals of one rate came to."""
    figures = run("open_client.py", url, rate, arrivals, options.seconds, options.users, core)
    figures["late_share"] = (figures["late"] + figures["dropped"]) / figures["offered"]
    return figures


def floor(rate: float, core: int, options: argparse.Namespace) -> dict[str, float]:
    """What a loop that sends nothing would have been late with."""
    return run("clock_gaps.py", rate, options.seconds, core)


def line(rate: float, arrivals: str, one: dict[str, float]) -> str:
    """One rate in a line."""
    cost_us = f"{1e6 * one['cpu_s'] / one['ended']:.1f}" if one["ended"] else "-"
    core = 100 * one["cpu_s"] / one["seconds"]
    return (
        f"{arrivals:12}{rate:>10,.0f}{one['ended'] / one['seconds']:>12,.0f}{100 * one['late_share']:>15.2f} %"
        f"{one['p50_us'] / 1000:>12.2f}{one['p999_us'] / 1000:>12.2f}{cost_us:>16}{core:>12.0f} %"
        f"{100 * one['kept_off_s'] / one['seconds']:>12.1f} %"
    )


def verdict(arrivals: str, lines: list[dict[str, float]]) -> str:
    """In how many lines of the goal's rate it was met."""
    met = sum(one["late_share"] <= GOAL_LATE_SHARE for one in lines)
    goal = f"goal {GOAL_PER_S:,}/s with at most {100 * GOAL_LATE_SHARE:g} % over 5 ms late, {arrivals}"
    return f"  {goal}: met in {met} of {len(lines)}"


def table(base: dict[str, float], alone: dict[str, float], found: list[tuple[float, str, dict[str, float]]]) -> str:
    """The closed model's capacity, the machine's floor, every rate, and whether the goal is met."""
    capacity = base["requests"] / base["cpu_s"]
    title = (
        f"{'arrivals':12}{'offered/s':>10}{'ended/s':>12}{'late or dropped':>17}{'late p50 ms':>12}{'p99.9 ms':>12}"
        f"{'CPU us/arrival':>16}{'of a core':>14}{'kept off it':>14}"
    )
    lines = {
        kind: [one for rate, arrivals, one in found if rate == GOAL_PER_S and arrivals == kind] for kind in ARRIVALS
    }
    goals = [verdict(arrivals, of_kind) for arrivals, of_kind in lines.items() if of_kind]
    given = 100 * base["cpu_s"] / base["wall_s"]
    return "\n".join(
        [
            f"The open model on one core. Closed, it offers {capacity:,.0f} requests per CPU-second (it was given "
            f"{given:.0f} % of the core)",
            f"A loop that sends nothing: {100 * alone['late_share']:.2f} % of {alone['rate_per_s']:,.0f}/s late, the "
            f"longest gap {alone['longest_us'] / 1000:.1f} ms, kept off it {100 * alone['kept_off_share']:.1f} %",
            f"The core's pace in tenths of a second, of its best: median {100 * alone['pace_p50']:.0f} %, "
            f"5 % of them below {100 * alone['pace_p5']:.0f} %, the slowest {100 * alone['pace_min']:.0f} %",
            "",
            title,
            *(line(*one) for one in found),
            *goals,
        ]
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each line")
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--rate", type=float, action="append", help="arrivals per second; repeatable")
    options = parser.parse_args()
    options.rate = options.rate or [1_000.0, 5_000.0, float(GOAL_PER_S)]
    return options


def main() -> None:
    options = parse()
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as scratch:
        with null_nginx(Path(scratch), cores[0]) as server:
            base = closed(server, cores[-1], options)
        alone = floor(max(options.rate), cores[-1], options)
        with null_iam(Path(scratch), "--busy-poll", core=cores[0]) as url:
            found = [
                (rate, arrivals, opened(url, rate, arrivals, cores[-1], options))
                for rate in options.rate
                for arrivals in ARRIVALS
                for _ in range(options.rounds)
            ]
    shown = table(base, alone, found)
    figures: dict[str, Any] = {
        "closed": base,
        "floor": alone,
        "open": [{"rate": r, "arrivals": a, **one} for r, a, one in found],
    }
    print(f"{shown}\n\n{store('open-model', vars(options), figures, shown)}")


if __name__ == "__main__":
    main()
