"""Requests per CPU-second of the load generator, beside Locust's own clients and wrk.

    python bench/bench_transport.py [--seconds 2] [--rounds 3] [--workload workflow] [--client NAME] [--scheme http]

All clients meet the same nginx, which returns one fixed token answer of 600 bytes; nginx has one core, the client, in a
process of its own, another. Clients take turns in every round, and the median of the rounds is shown; ratios are
medians of each round's ratio. What is measured is CPU time, so other load on the machine changes it less than a rate.

Ours, complete: driven by a flow, form encoded, JSON parsed, outcome classified, sample recorded, event fired.
With transport: fasthttp the same users send with FastHttpUser's client.
wrk sends one fixed request and looks at nothing, for scale.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

from null_nginx import NullNginx, null_nginx
from stored import store

HTTP, FAST, OURS = "HttpUser", "FastHttpUser", "ours, complete"
WRK = "wrk"
CLIENTS = (HTTP, FAST, "ours, transport only", OURS, "ours, transport: fasthttp", WRK)
GOALS = {("http", FAST): 3.0, ("http", HTTP): 12.0, ("https", FAST): 2.5}
WRK_SCRIPT = """\
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
wrk.body = "{body}"
"""
WRK_FORM = {"client_id": "token-exchange-subject", "client_secret": "secret", "grant_type": "refresh_token"}

Figures = dict[str, float]


def measure(client: str, server: NullNginx, scheme: str, core: int, options: argparse.Namespace) -> Figures:
    """Requests and CPU seconds of one client in one round."""
    if client == WRK:
        return measure_wrk(server.url(scheme), core, options)
    arguments = [client, options.workload, server.url(scheme), str(server.certificate)]
    arguments += [str(options.seconds), str(options.users), str(core)]
    command = [sys.executable, str(Path(__file__).with_name("transport_client.py")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{client}: {done.stderr}")
    figures: Figures = json.loads(done.stdout)
    if figures["failures"]:
        sys.exit(f"{client}: {figures['failures']:.0f} requests failed\n{done.stderr}")
    return figures


def measure_wrk(url: str, core: int, options: argparse.Namespace) -> Figures:
    """wrk's own count, and the CPU of its process; it does not verify certificates."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(WRK_SCRIPT.format(body=urlencode({**WRK_FORM, "refresh_token": "r" * 86})))
        script.flush()
        command = ["wrk", "-t1", f"-c{options.users}", f"-d{options.seconds:.0f}s", "-s", script.name, url + "token"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        pin = lambda: os.sched_setaffinity(0, {core})  # noqa: E731
        done = subprocess.run(command, capture_output=True, text=True, check=True, preexec_fn=pin)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    (line,) = (line for line in done.stdout.splitlines() if "requests in" in line)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"requests": float(line.split()[0]), "cpu_s": cpu_s, "wall_s": options.seconds}


def rate(figures: Figures) -> float:
    """Requests per CPU-second."""
    return figures["requests"] / figures["cpu_s"]


def ratio(rounds: Sequence[dict[str, Figures]], client: str, other: str) -> float | None:
    """How many times as much ``client`` does for its CPU as ``other``: the median over the rounds."""
    if not all(client in one and other in one for one in rounds):
        return None
    return statistics.median(rate(one[client]) / rate(one[other]) for one in rounds)


def table(scheme: str, rounds: Sequence[dict[str, Figures]]) -> str:
    """The clients of one scheme, a line each."""
    title = {"http": "plain", "https": "TLS 1.3, keep-alive"}[scheme]
    lines = [f"{title:24}{'CPU us/request':>16}{'per CPU second':>16}{'x FastHttpUser':>16}{'x HttpUser':>12}"]
    for client in rounds[0]:
        value = statistics.median(rate(one[client]) for one in rounds)
        ratios = [ratio(rounds, client, other) for other in (FAST, HTTP)]
        shown = [f"{found:.2f}" if found is not None else "-" for found in ratios]
        lines.append(f"{client:24}{1e6 / value:>16.1f}{value:>16,.0f}{shown[0]:>16}{shown[1]:>12}")
    return "\n".join(lines)


def verdicts(scheme: str, rounds: Sequence[dict[str, Figures]]) -> list[str]:
    """What ours, complete, is meant to reach, and whether it did."""
    lines = []
    for (where, other), goal in GOALS.items():
        value = ratio(rounds, OURS, other)
        if where == scheme and value is not None:
            lines.append(f"  goal {goal:g} x {other}: {value:.2f}, {'met' if value >= goal else 'missed'}")
    return lines


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--users", type=int, default=32)
    parser.add_argument("--workload", choices=["access", "workflow"], default="workflow")
    parser.add_argument("--client", action="append", choices=CLIENTS, help="only this one; repeatable")
    parser.add_argument("--scheme", action="append", choices=["http", "https"], help="only this one; repeatable")
    options = parser.parse_args()
    options.client = options.client or list(CLIENTS)
    if WRK in options.client and shutil.which(WRK) is None:
        print("wrk is left out: it is not installed (on Debian: apt-get install wrk).")
        options.client.remove(WRK)
    return options


def main() -> None:
    options = parse()
    cores = sorted(os.sched_getaffinity(0))
    clients = options.client
    results: dict[str, list[dict[str, Figures]]] = {}
    with tempfile.TemporaryDirectory() as scratch, null_nginx(Path(scratch), cores[0]) as server:
        for number in range(options.rounds):
            for scheme in options.scheme or ("http", "https"):
                order = clients[::-1] if number % 2 else clients
                measured = {client: measure(client, server, scheme, cores[-1], options) for client in order}
                results.setdefault(scheme, []).append({client: measured[client] for client in clients})
    lines = [f"Load generators, workload {options.workload}, {options.users} users, {options.rounds} rounds"]
    for scheme, rounds in results.items():
        lines += ["", table(scheme, rounds), *verdicts(scheme, rounds)]
    text = "\n".join(lines)
    print(text)
    print(f"\n{store('transport', vars(options), results, text)}")


if __name__ == "__main__":
    main()
