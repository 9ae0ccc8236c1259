"""The answer in words: what differs, by how much, how sure, and what these data cannot show."""

from __future__ import annotations

from dataclasses import replace

from iam_loadtest.analysis.comparison import compare
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.report.answer import answer
from iam_loadtest.report.comparisons import resolution_table
from tests.analysis.cells import Figures, summary_of


def lead(summary: RunSummary) -> str:
    """The first paragraph."""
    return answer(summary, compare(summary)).lead


def around(throughput: float, p95_ms: float) -> list[Figures]:
    """Three trials that differ by one per cent."""
    return [(throughput * factor, p95_ms / factor) for factor in (0.99, 1.0, 1.01)]


def under(workloads: tuple[str, ...], **topologies: list[Figures]) -> RunSummary:
    """The same trials under every workload, every second topology's turned round, so that no drift is in them."""
    turned = {name: own[:: 1 - 2 * (i % 2)] for i, (name, own) in enumerate(topologies.items())}
    return summary_of({(name, workload): own for workload in workloads for name, own in turned.items()})


def test_a_clear_difference_is_said_with_its_size_and_its_interval() -> None:
    """Twice the throughput and half the latency, in two workloads: ratios are equal, intervals are told as one."""
    text = lead(under(("access", "refresh"), base=around(100, 20), new=around(200, 10)))
    assert text.startswith("Against “base”, “new” has higher throughput under 2 of 2 workloads (×2.00, 95 % intervals")
    assert "and lower chain p95 under 2 of 2 workloads (×0.500, 95 % intervals" in text


def test_what_is_not_shown_is_not_called_equal() -> None:
    """Six per cent between the trials: they could be better or worse by as much."""
    noisy: list[Figures] = [(94.0, 10.6), (100.0, 10.0), (106.0, 9.4)]
    text = lead(under(("access",), base=noisy, new=noisy))
    assert "no difference shown in throughput under 1 of 1 workload" in text
    assert "equivalent" not in text


def test_many_topologies_are_counted_and_the_furthest_is_named() -> None:
    """Five against a baseline: four of them apart in throughput, one the same."""
    names = {"a": 110, "b": 120, "c": 400, "d": 50, "same": 100}
    text = lead(under(("access",), base=around(100, 20), **{name: around(rate, 20) for name, rate in names.items()}))
    assert text.startswith("Of 10 ranked comparisons with “base”, 3 better, 1 worse")
    assert "Furthest from it in throughput: “c” under access (×4.00, 95 % interval " in text


def test_without_enough_trials_nothing_is_ranked() -> None:
    """Two are not enough."""
    assert lead(under(("access",), base=around(100, 20)[:2], new=around(200, 20)[:2])).startswith("Nothing is ranked:")


def test_one_topology_is_not_compared() -> None:
    """Only what was measured is said."""
    assert lead(under(("access",), only=around(100, 20))).startswith("Only “only” was measured")


def test_a_drift_over_the_trials_is_said_with_what_to_look_for() -> None:
    """Each trial has 3 % less than the one before, whatever its topology, give or take a hundredth of that."""
    base, new = ([100 * 0.97**i for i in places] for places in ((0, 3, 4), (1, 2, 5)))
    base = [rate * noise for rate, noise in zip(base, (1.0, 1.0003, 0.9997), strict=True)]
    run = under(("access",), base=[(rate, 10.0) for rate in base], new=[(rate * 1.001, 10.1) for rate in new[::-1]])
    places = {"base": (1, 4, 5), "new": (2, 3, 6)}
    cells = tuple(
        replace(
            cell,
            trials=tuple(
                replace(one, trial=replace(one.trial, position=place))
                for one, place in zip(cell.trials, places[cell.topology], strict=True)
            ),
        )
        for cell in run.cells
    )
    run = replace(run, cells=cells)
    limits = answer(run, compare(run)).limits
    drift = next(limit for limit in limits if limit.startswith("Something changed while the run went on"))
    assert "throughput of access -3.0 % from trial to trial" in drift


def test_the_open_model_ranks_no_throughput_and_says_why() -> None:
    """The rate is what was offered."""
    run = under(("access",), base=around(100, 20), new=around(100, 10))
    info = replace(run.run.info, scenario={"load": {"arrival_rate_per_s": 100}})
    run = replace(run, run=replace(run.run, info=info))
    found = answer(run, compare(run))
    assert "throughput" not in found.lead
    assert any(limit.startswith("Open model: requests arrive at a set rate") for limit in found.limits)
    assert not any(limit.startswith("Closed model") for limit in found.limits)


def test_the_spread_has_its_row_of_what_more_trials_would_show() -> None:
    """One per cent of spread: three trials of each show 2.3 %, the row of the method's table for 1 %."""
    table = resolution_table(compare(under(("access",), base=around(100, 20), new=around(200, 10))))
    assert [column.title for column in table.columns][-3:] == ["3 trials show", "5 trials show", "10 trials show"]
    assert [entry.text for entry in table.rows[0]][:5] == ["access", "throughput", "1.00 %", "5.00 %", "2.29 %"]
