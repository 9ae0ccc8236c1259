"""The open model on one core, against nginx that answers at once on another: how late its arrivals start.

    python bench/bench_open_model.py [--seconds 3] [--rounds 3] [--rate 1000 --rate 10000]

Beside it stands what the same core offers in the closed model, measured in the same round: both are the work of one
process with its requests sent, judged, recorded and reported to Locust. The share of the core that the process was
given says whether the machine was quiet: where it is far below what the requests need, other work was measured. The
machine's own floor stands above the table: a loop that only looks at the clock, on the same core, and what share of the
arrivals of the highest rate would have been late had each cost nothing.

Two columns tell the machine's part from the generator's. "Kept off it" is for how much of the time the process wanted
the core and did not get it, since another process had it, or the host of a virtual machine: an arrival cannot start
then. "Pace" is how fast the core worked, in percent of the best that any line saw: the CPU time of one fixed piece of
work, looked at every 20 ms. A core at half its pace has half the capacity, and nothing but this column shows it.
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
from stored import store

GOAL_PER_S, GOAL_LATE_SHARE = 10_000, 0.001
FULL_PACE = 0.9
"""Of the best pace seen: a line below it tells about the machine."""
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


def opened(server: NullNginx, rate: float, arrivals: str, core: int, options: argparse.Namespace) -> dict[str, float]:
    """What the arrivals of one rate came to."""
    figures = run("open_client.py", server.url("http"), rate, arrivals, options.seconds, options.users, core)
    figures["late_share"] = (figures["late"] + figures["dropped"]) / figures["offered"]
    return figures


def floor(rate: float, core: int, options: argparse.Namespace) -> dict[str, float]:
    """What a loop that sends nothing would have been late with."""
    return run("clock_gaps.py", rate, options.seconds, core)


def set_pace(found: list[tuple[float, str, dict[str, float]]]) -> None:
    """Add to each line the pace of its core, as a share of the best of all."""
    best_us = min(one["piece_best_us"] for _, _, one in found)
    for _, _, one in found:
        one["pace"] = best_us / one["piece_mean_us"]


def line(rate: float, arrivals: str, one: dict[str, float]) -> str:
    """One rate in a line."""
    cost_us = f"{1e6 * one['cpu_s'] / one['ended']:.1f}" if one["ended"] else "-"
    core = 100 * one["cpu_s"] / one["seconds"]
    return (
        f"{arrivals:12}{rate:>10,.0f}{one['ended'] / one['seconds']:>12,.0f}{100 * one['late_share']:>15.2f} %"
        f"{one['p50_us'] / 1000:>12.2f}{one['p999_us'] / 1000:>12.2f}{cost_us:>16}{core:>12.0f} %"
        f"{100 * one['kept_off_s'] / one['seconds']:>12.1f} %{100 * one['pace']:>8.0f} %"
    )


def verdict(arrivals: str, lines: list[dict[str, float]]) -> str:
    """In how many lines of the goal's rate it was met, and in how many of those in which the core kept its pace."""
    met = [one["late_share"] <= GOAL_LATE_SHARE for one in lines]
    met_at_pace = [is_met for is_met, one in zip(met, lines, strict=True) if one["pace"] >= FULL_PACE]
    goal = f"goal {GOAL_PER_S:,}/s with at most {100 * GOAL_LATE_SHARE:g} % over 5 ms late, {arrivals}"
    at_pace = f"at a pace of {100 * FULL_PACE:.0f} % or more in {sum(met_at_pace)} of {len(met_at_pace)}"
    return f"  {goal}: met in {sum(met)} of {len(met)}; {at_pace}"


def table(base: dict[str, float], alone: dict[str, float], found: list[tuple[float, str, dict[str, float]]]) -> str:
    """The closed model's capacity, the machine's floor, every rate, and whether the goal is met."""
    capacity = base["requests"] / base["cpu_s"]
    title = (
        f"{'arrivals':12}{'offered/s':>10}{'ended/s':>12}{'late or dropped':>17}{'late p50 ms':>12}{'p99.9 ms':>12}"
        f"{'CPU us/arrival':>16}{'of a core':>14}{'kept off it':>14}{'pace':>10}"
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
    with tempfile.TemporaryDirectory() as scratch, null_nginx(Path(scratch), cores[0]) as server:
        base = closed(server, cores[-1], options)
        alone = floor(max(options.rate), cores[-1], options)
        found = [
            (rate, arrivals, opened(server, rate, arrivals, cores[-1], options))
            for rate in options.rate
            for arrivals in ARRIVALS
            for _ in range(options.rounds)
        ]
    set_pace(found)
    shown = table(base, alone, found)
    figures: dict[str, Any] = {
        "closed": base,
        "floor": alone,
        "open": [{"rate": r, "arrivals": a, **one} for r, a, one in found],
    }
    print(f"{shown}\n\n{store('open-model', vars(options), figures, shown)}")


if __name__ == "__main__":
    main()
