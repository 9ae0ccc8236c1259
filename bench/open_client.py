"""The open model in a process of its own, as a worker runs it, on one core: prints what its arrivals came to as JSON.

python bench/open_client.py URL RATE_PER_S ARRIVALS SECONDS USERS CORE
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace

from iam_loadtest.load.users import TokenUser  # isort: skip  locust patches what is imported after it

import gevent
from clock_gaps import kept_off_s
from locust.env import Environment

from iam_loadtest.load.clock import now_us
from iam_loadtest.load.generating import spare_the_collector
from iam_loadtest.load.message import Arrive
from iam_loadtest.load.recorder import Recorder
from iam_loadtest.load.session import LoadSession, Place, holder_of, open_session
from iam_loadtest.load.setup import Choices, LoadSetup, setup_of_choices
from iam_loadtest.load.statistics import batch_statistics
from iam_loadtest.results.sample import unpack

RAMP_S = 1.0
WARM_UP_S = 1.0
REPORT_S = 1.0


class OpenUser(TokenUser):
    """What a trial runs."""

    workload = "access"


def open_setup(url: str, rate_per_s: float, arrivals: str, users: int) -> LoadSetup:
    setup = setup_of_choices(Choices(issuer=url, workload="access"))
    changes = {"arrival_rate_per_s": rate_per_s, "arrivals": arrivals, "users": users}
    scenario = setup.scenario.model_copy(update={"load": setup.scenario.load.model_copy(update=changes)})
    target = setup.target.model_copy(update={"token_endpoint": url + "token"})
    return replace(setup, scenario=scenario, target=target)


def begin(environment: Environment, setup: LoadSetup) -> tuple[LoadSession, list[bytes]]:
    """What a worker does before its users start; the rows that it takes for its reports."""
    batch_statistics(environment)
    holder, recorder, taken = holder_of(environment), Recorder(), list[bytes]()
    recorder.synchronise(-now_us())
    holder.session = open_session(setup, [OpenUser.workload], Place(), recorder)
    spare_the_collector()
    holder.is_ready.set()

    def report() -> None:
        while True:
            gevent.sleep(REPORT_S)
            taken.append(recorder.take())

    gevent.spawn(report)
    return holder.session, taken


def percentile(values: list[int], permille: int) -> int:
    return sorted(values)[-(-permille * len(values) // 1000) - 1]


def main() -> None:
    url, rate_per_s, arrivals = sys.argv[1], float(sys.argv[2]), sys.argv[3]
    seconds, users, core = float(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6])
    os.sched_setaffinity(0, {core})
    environment = Environment(user_classes=[OpenUser], host=url)
    runner = environment.create_local_runner()
    session, taken = begin(environment, open_setup(url, rate_per_s, arrivals, users))
    runner.start(users, spawn_rate=1000)
    gevent.sleep(RAMP_S)
    start_us = session.recorder.elapsed_us(now_us())
    window = (start_us + int(WARM_UP_S * 1e6), start_us + int((WARM_UP_S + seconds) * 1e6))
    session.begin_arrivals(Arrive(start_us, *window, "bench"))
    gevent.sleep(WARM_UP_S)
    cpu_s, kept_off = time.process_time(), kept_off_s(core)
    gevent.sleep(seconds)
    cpu_s, kept_off = time.process_time() - cpu_s, kept_off_s(core) - kept_off
    assert session.dispatcher is not None
    session.dispatcher.close()
    gevent.sleep(0.5)
    taken.append(session.recorder.take())
    rows = [row for packed in taken if packed for row in unpack(packed).rows()]
    late_us = [row.late_us for row in rows if row.step == "issue" and window[0] <= row.started_us < window[1]]
    found = {"p50_us": percentile(late_us, 500), "p999_us": percentile(late_us, 999), "seconds": seconds}
    costs = {"cpu_s": cpu_s, "kept_off_s": kept_off, "failures": environment.stats.total.num_failures}
    sys.stdout.write(json.dumps({**session.dispatcher.counts(), **found, **costs}))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
