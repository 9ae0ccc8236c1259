"""Factors: an effect is stated between topologies that differ in that factor alone, and in nothing undeclared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from iam_loadtest.analysis.comparison import OPEN_MODEL
from iam_loadtest.analysis.factor import FactorEffect, effects_made, factor_curves, factor_effects
from iam_loadtest.analysis.summary import RunSummary

from .cells import Figures, summary_of


def steady(throughput: float, p95_ms: float = 50.0) -> list[Figures]:
    """Three trials a hundredth apart."""
    return [(throughput * f, p95_ms / f) for f in (1.0, 1.01, 1 / 1.01)]


def run_of(topologies: dict[str, tuple[dict[str, Any], float]], **more: Any) -> RunSummary:
    """One workload on topologies of these factors and throughputs; ``more`` is put into each topology."""
    nouns = {name: {"provider": "url", **more, "factors": factors} for name, (factors, _) in topologies.items()}
    cells = {(name, "w"): steady(throughput, 5000 / throughput) for name, (_, throughput) in topologies.items()}
    return summary_of(cells, {"topologies": nouns})


def throughput(effects: tuple[FactorEffect, ...]) -> list[FactorEffect]:
    return [one for one in effects if one.metric.name == "throughput"]


def test_the_effect_of_one_factor_is_stated_with_its_interval() -> None:
    """1 to 3 frontends, 100 to 190 requests/s."""
    one = throughput(factor_effects(run_of({"a": ({"frontends": 1}, 100), "b": ({"frontends": 3}, 190)})))[0]
    assert (one.from_level, one.to_level, one.pairs, one.is_shown) == (1, 3, (("a", "b"),), True)
    assert one.ratio == pytest.approx(1.9, rel=1e-3)
    assert one.describe().startswith("frontends 1 → 3: throughput ×1.9 [1.8")


def test_an_effect_goes_from_the_lower_number_to_the_higher_whatever_the_baseline_is() -> None:
    """The baseline has three."""
    one = throughput(factor_effects(run_of({"a": ({"frontends": 3}, 190), "b": ({"frontends": 1}, 100)})))[0]
    assert (one.from_level, one.to_level, one.pairs) == (1, 3, (("b", "a"),))
    assert one.ratio == pytest.approx(1.9, rel=1e-3)
    assert one.low is not None
    assert one.high is not None
    assert one.low < 1.9 < one.high


def test_topologies_that_differ_in_two_factors_say_nothing_of_either() -> None:
    """Nor do those of which one does not say the factor."""
    two = run_of({"a": ({"frontends": 1, "db": "x"}, 100), "b": ({"frontends": 3, "db": "y"}, 190)})
    silent = run_of({"a": ({"frontends": 1}, 100), "b": ({"frontends": 3, "db": "y"}, 190)})
    assert factor_effects(two) == factor_effects(silent) == ()


def test_an_undeclared_difference_of_the_built_in_iam_prevents_an_effect() -> None:
    """Its settings differ, and the factors do not say so; a setting of the factor's own name is no other difference."""
    run = run_of({"a": ({"frontends": 1}, 100), "b": ({"frontends": 3}, 190)})
    topologies: Any = run.run.info.scenario["topologies"]
    topologies["a"].update(provider="embedded", frontends=1, settings={"algorithm": "ES256"})
    topologies["b"].update(provider="embedded", frontends=3, settings={"algorithm": "ES256"})
    assert throughput(factor_effects(run))
    topologies["b"]["settings"] = {"algorithm": "RS256"}
    assert factor_effects(run) == ()


def test_chance_is_called_chance() -> None:
    """One per cent between topologies and one between trials."""
    one = throughput(factor_effects(run_of({"a": ({"n": 1}, 100), "b": ({"n": 2}, 101)})))[0]
    assert not one.is_shown
    assert one.describe().endswith(", which chance may explain")


def test_unstable_and_too_few_trials_are_not_stated() -> None:
    """The reason stands in its place."""
    scenario = {"topologies": {name: {"factors": {"n": n}} for name, n in (("a", 1), ("b", 2))}}
    summary = summary_of({("a", "w"): steady(100), ("b", "w"): steady(200)[:2]}, scenario)
    one = throughput(factor_effects(summary))[0]
    assert (one.ratio, one.not_stated) == (None, "“b” has 2 counted trials, 3 are needed")
    assert one.describe() == "n 1 → 2: throughput not stated, “b” has 2 counted trials, 3 are needed"


def test_throughput_has_no_effect_in_the_open_model() -> None:
    """p95 has."""
    run = run_of({"a": ({"n": 1}, 100), "b": ({"n": 2}, 200)})
    run.run.info.scenario["load"] = {"arrival_rate_per_s": 10}  # type: ignore[index]  # a dict, in tests
    rate, latency = factor_effects(run)
    assert (rate.not_stated, latency.is_shown) == (OPEN_MODEL, True)


FOUR = {
    "a": ({"frontends": 1, "db": "galera"}, 100.0),
    "b": ({"frontends": 3, "db": "galera"}, 190.0),
    "c": ({"frontends": 1, "db": "replication"}, 60.0),
}


def test_an_effect_that_is_the_same_in_all_surroundings_is_also_stated_for_all() -> None:
    """1.9 times on both databases: two effects of the pairs, and one of both."""
    run = run_of({**FOUR, "d": ({"frontends": 3, "db": "replication"}, 114.0)})
    effects = [one for one in throughput(factor_effects(run)) if one.factor == "frontends"]
    assert [one.is_pooled for one in effects] == [False, False, True]
    common = effects[-1]
    assert common.pairs == (("a", "b"), ("c", "d"))
    assert common.ratio == pytest.approx(1.9, rel=1e-3)
    assert common.low is not None
    assert effects[0].low is not None
    assert effects[0].low < common.low, "the interval of both is narrower"
    assert common.pooled_over == {"db": ("galera", "replication")}
    assert common.surroundings == {}


def test_what_is_pooled_over_is_what_differs_between_the_pairs() -> None:
    """Two databases, each without a VPN; a third pair does not say which database it has."""
    factors = [{"frontends": n, "vpn": False, **db} for db in ({"db": "x"}, {"db": "y"}, {}) for n in (1, 3)]
    run = run_of({f"t{i}": (own, 100.0 if i % 2 == 0 else 190.0) for i, own in enumerate(factors)})
    common = next(one for one in throughput(factor_effects(run)) if one.is_pooled)
    assert common.surroundings == {"vpn": False}
    assert common.pooled_over == {"db": ("x", "y", "not said")}


def test_an_effect_that_depends_on_the_surroundings_is_not_put_together() -> None:
    """1.9 times on one database and 1.2 on the other."""
    run = run_of({**FOUR, "d": ({"frontends": 3, "db": "replication"}, 72.0)})
    common = [one for one in throughput(factor_effects(run)) if one.factor == "frontends"][-1]
    assert (common.is_pooled, common.ratio) == (True, None)
    assert common.not_stated is not None
    assert common.not_stated.startswith("it differs with the surroundings, from ×1.2 to ×1.9")


def test_three_levels_of_a_number_make_a_curve() -> None:
    """In the order of the levels, whatever the order of the topologies; words make none."""
    levels = {"far": ({"latency_ms": 100}, 40.0), "near": ({"latency_ms": 0}, 100.0), "mid": ({"latency_ms": 30}, 70.0)}
    curves = factor_curves(run_of(levels))
    assert [curve.metric.name for curve in curves] == ["throughput", "p95"]
    assert [(point.level, point.topology) for point in curves[0].points] == [(0, "near"), (30, "mid"), (100, "far")]
    assert curves[0].points[1].estimate.value == pytest.approx(70, rel=1e-3)
    assert factor_curves(run_of({"a": ({"db": "x"}, 1.0), "b": ({"db": "y"}, 2.0), "c": ({"db": "z"}, 3.0)})) == ()


def test_p_values_allow_for_all_effects() -> None:
    """Four levels against the first, twice for two metrics: six, each multiplied."""
    levels = {f"t{n}": ({"n": n}, 100.0 + n) for n in range(4)}
    effects = factor_effects(run_of(levels))
    assert effects_made(effects) == 6
    assert all(one.p_value is not None and one.p_value <= 1 for one in effects)


def test_effects_of_nothing_are_seldom_shown() -> None:
    """500 runs of the same build on 2 x 2 topologies, pairs and common effects: at most 7 % show any at all."""
    random = np.random.default_rng(21)
    factors = [{"n": n, "db": db} for n in (1, 2) for db in ("x", "y")]
    scenario = {"topologies": {f"t{i}": {"factors": own} for i, own in enumerate(factors)}}
    shown = 0
    for _ in range(500):
        trials = np.exp(random.normal(0, 0.03, (4, 3))) * 100
        cells: dict[tuple[str, str], list[Figures]] = {
            (f"t{i}", "w"): [(float(value), 50.0) for value in own] for i, own in enumerate(trials)
        }
        effects = throughput(factor_effects(summary_of(cells, scenario)))
        shown += any(one.is_shown for one in effects)
    assert shown <= 35
