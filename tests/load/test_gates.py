"""What makes a trial invalid because of the generator: the limit, the cause, the remedy."""

from __future__ import annotations

import pytest

from iam_loadtest.load.gates import remarks, spoilers
from iam_loadtest.results.trial import GeneratorHealth
from iam_loadtest.scenario.limits import Limits

LIMITS = Limits()


def kinds(health: GeneratorHealth, limits: Limits = LIMITS) -> list[str]:
    return [found.kind for found in spoilers(health, limits)]


def test_what_is_at_the_limit_is_within_it() -> None:
    health = GeneratorHealth(
        max_cpu_percent=90, loop_lag_p95_ms=20, throttled_percent=1, master_cpu_percent=90, wait_percent=99
    )
    assert kinds(health) == []


def test_what_was_not_measured_spoils_nothing() -> None:
    assert kinds(GeneratorHealth()) == []


@pytest.mark.parametrize(
    ("health", "kind", "text", "remedy"),
    [
        (
            GeneratorHealth(max_cpu_percent=95.2),
            "generator_cpu",
            "the generator was the bottleneck: its busiest worker used 95 % of a core (limit 90 %)",
            "add workers, or cores for them",
        ),
        (
            GeneratorHealth(throttled_percent=12.34),
            "generator_throttled",
            "a CPU limit held the generator back 12.3 % of the time, over all cores (limit 1 %)",
            "raise the CPU limit of its container, or start fewer workers in it",
        ),
        (
            GeneratorHealth(master_cpu_percent=99),
            "master_cpu",
            "the master used 99 % of a core (limit 90 %) and may have missed workers",
            "give the master a core of its own, or offer less load",
        ),
        (
            GeneratorHealth(loop_lag_p95_ms=28, max_cpu_percent=30, wait_percent=45),
            "generator_cores_shared",
            "the generator shared its cores: a worker's event loop lagged 28 ms (p95; limit 20 ms), "
            "for it waited for a core 45 % of the time",
            "run the server and other work on other machines, or start no more workers than there are free cores",
        ),
        (
            GeneratorHealth(loop_lag_p95_ms=28, max_cpu_percent=60, wait_percent=2),
            "generator_lag",
            "a worker's event loop lagged 28 ms (p95; limit 20 ms) with 60 % of a core in use",
            "add workers, or cores for them: bursts of many users in one process block each other",
        ),
    ],
)
def test_each_limit_has_its_cause_and_its_remedy(health: GeneratorHealth, kind: str, text: str, remedy: str) -> None:
    (found,) = spoilers(health, LIMITS)
    assert (found.kind, found.text, found.remedy) == (kind, text, remedy)


def test_the_cause_comes_before_its_effects() -> None:
    """Two workers on one core use half of it each; a saturated worker lags because it is saturated."""
    assert kinds(GeneratorHealth(throttled_percent=30, max_cpu_percent=95, loop_lag_p95_ms=80)) == [
        "generator_throttled",
        "generator_cpu",
        "generator_lag",
    ]


def test_a_single_standstill_is_a_remark_and_spoils_nothing() -> None:
    health = GeneratorHealth(loop_lag_p95_ms=1, loop_lag_max_ms=5000)
    assert kinds(health) == []
    assert [(one.kind, one.text) for one in remarks(health)] == [
        ("generator_stall", "a worker stood still for 5.0 s: the slowest requests may be its own")
    ]
    assert remarks(GeneratorHealth(loop_lag_max_ms=999)) == ()
