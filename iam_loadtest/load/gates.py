"""Whether the generator was fit to measure: what spoils a trial, what was the cause, and what to do. Pure.

A generator that is too slow looks exactly like a slow server, so a trial beyond a limit does not count. The limits are
the scenario's (``load.limits``).
"""

from __future__ import annotations

from collections.abc import Iterator

from iam_loadtest.results.trial import Caution, GeneratorHealth
from iam_loadtest.scenario.limits import Limits

SHARED_WAIT_PERCENT = 10.0
"""Where a lagging worker was ready to run but waited for a core this long, others had the cores."""
STALL_MS = 1000.0
"""A single standstill this long is worth a word, though 95 % of the time was fine."""
_MORE = "add workers, or cores for them"


def spoilers(health: GeneratorHealth, limits: Limits) -> tuple[Caution, ...]:
    """What makes the trial invalid, the cause before its effects; empty where the generator was fit."""
    return (
        *_throttling(health, limits),
        *_cpu(health, limits),
        *_lag(health, limits),
        *_master(health, limits),
    )


def remarks(health: GeneratorHealth) -> tuple[Caution, ...]:
    """What the reader must know of a trial that may count all the same."""
    if health.loop_lag_max_ms is None or health.loop_lag_max_ms < STALL_MS:
        return ()
    text = f"a worker stood still for {health.loop_lag_max_ms / 1000:.1f} s: the slowest requests may be its own"
    return (Caution("generator_stall", text, "judge p95 and below, and keep the generator's machine to itself"),)


def _throttling(health: GeneratorHealth, limits: Limits) -> Iterator[Caution]:
    share, limit = health.throttled_percent, limits.throttled_percent
    if share is not None and share > limit:
        text = f"a CPU limit held the generator back {share:.1f} % of the time, over all cores (limit {limit:g} %)"
        yield Caution("generator_throttled", text, "raise the CPU limit of its container, or start fewer workers in it")


def _cpu(health: GeneratorHealth, limits: Limits) -> Iterator[Caution]:
    used = health.max_cpu_percent
    if used is not None and used > limits.cpu_percent:
        text = (
            "the generator was the bottleneck: "
            f"its busiest worker used {used:.0f} % of a core (limit {limits.cpu_percent:g} %)"
        )
        yield Caution("generator_cpu", text, _MORE)


def _lag(health: GeneratorHealth, limits: Limits) -> Iterator[Caution]:
    """Late because others had the cores, because the worker had too much to do, or because something held it up."""
    lag_ms, limit_ms = health.loop_lag_p95_ms, limits.loop_lag_s * 1000
    if lag_ms is None or lag_ms <= limit_ms:
        return
    late = f"a worker's event loop lagged {lag_ms:.0f} ms (p95; limit {limit_ms:g} ms)"
    wait, used = health.wait_percent or 0, health.max_cpu_percent or 0
    if wait >= SHARED_WAIT_PERCENT:
        text = f"the generator shared its cores: {late}, for it waited for a core {wait:.0f} % of the time"
        remedy = "run the server and other work on other machines, or start no more workers than there are free cores"
        yield Caution("generator_cores_shared", text, remedy)
    elif used <= limits.cpu_percent:
        text = f"{late} with {used:.0f} % of a core in use"
        yield Caution("generator_lag", text, f"{_MORE}: bursts of many users in one process block each other")
    else:
        yield Caution("generator_lag", late, _MORE)


def _master(health: GeneratorHealth, limits: Limits) -> Iterator[Caution]:
    used = health.master_cpu_percent
    if used is not None and used > limits.cpu_percent:
        text = f"the master used {used:.0f} % of a core (limit {limits.cpu_percent:g} %) and may have missed workers"
        yield Caution("master_cpu", text, "give the master a core of its own, or offer less load")
