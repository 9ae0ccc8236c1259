"""The tables of a report, each from the summary alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from iam_loadtest.analysis.backend import Backend
from iam_loadtest.analysis.cell import Cell, CombinedPart
from iam_loadtest.analysis.estimate import Estimate
from iam_loadtest.analysis.part import Part
from iam_loadtest.analysis.server_count import recorded_requests, server_requests
from iam_loadtest.analysis.steadiness import NOT_STEADY
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.analysis.trial_summary import TrialSummary
from iam_loadtest.report.load_model import load_of, topology_facts
from iam_loadtest.report.table import Column, Entry, Table, figure, percent, whole, words
from iam_loadtest.report.text import node_name, quoted, seconds, share, with_range
from iam_loadtest.results.outcome import Outcome
from iam_loadtest.results.sample import is_chain_step

_LATENCY_COLUMNS = tuple(Column(f"{name} ms", True) for name in ("p50", "p80", "p95", "p99", "max"))


def headline_table(summary: RunSummary) -> Table:
    """One row per workload and topology: what the charts show, in figures."""
    columns = (
        Column("Workload"),
        Column("Topology"),
        Column("Requests/s", True),
        Column("Chains/s", True),
        *(Column(f"{name} ms", True) for name in ("p50", "p80", "p95")),
        Column("Failed", True),
        Column("Trials counted", True),
    )
    caption = (
        "Per workload and topology: successful requests and successful whole chains per second, latency of whole "
        "successful chains: geometric mean over counted trials [lowest–highest trial]. Failed: share of all requests, "
        "counted trials together (95 % interval over trials, in %)."
    )
    return Table("results", caption, columns, tuple(_headline_row(cell) for cell in summary.cells))


def _headline_row(cell: Cell) -> tuple[Entry, ...]:
    short = len(cell.counted) < cell.planned
    return (
        words(cell.workload),
        words(cell.topology),
        _estimate(cell.requests.throughput_per_s),
        _estimate(cell.chain.throughput_per_s),
        *(_estimate(one) for one in (cell.chain.p50_ms, cell.chain.p80_ms, cell.chain.p95_ms)),
        percent(cell.requests.failure_share, cell.requests.failure_interval),
        Entry(f"{len(cell.counted)} of {cell.planned}", len(cell.counted), "bad" if short else ""),
    )


def _estimate(one: Estimate) -> Entry:
    return Entry(with_range(one), one.value)


def failure_table(summary: RunSummary) -> Table:
    """One row per cell and failed outcome that occurred in counted trials."""
    columns = (
        Column("Workload"),
        Column("Topology"),
        Column("Outcome"),
        Column("Requests", True),
        Column("Share", True),
        Column("Meaning", wide=True),
    )
    rows = [row for cell in summary.cells for row in _failure_rows(cell)]
    caption = "Failed requests of the measured windows by outcome, as a share of all requests of the cell."
    return Table("failures-by-outcome", caption, columns, tuple(rows))


def _failure_rows(cell: Cell) -> list[tuple[Entry, ...]]:
    requests = cell.requests
    return [
        (
            words(cell.workload),
            words(cell.topology),
            words(name),
            whole(number),
            percent(number / requests.requests),
            words(meaning(name)),
        )
        for name, number in requests.outcomes.items()
        if name != Outcome.OK
    ]


def backend_table(summary: RunSummary) -> Table:
    """One row per cell and serving node, where answers name nodes."""
    columns = (
        Column("Workload"),
        Column("Topology"),
        Column("Node"),
        Column("Requests", True),
        Column("Share", True),
        Column("Failed", True),
        Column("Stale reads", True),
    )
    rows = [_backend_row(cell, one) for cell in summary.cells for one in cell.backends]
    caption = (
        "Requests of the measured windows by the node that served them, counted trials together. A stale read stands "
        "with the node that refused."
    )
    return Table("nodes", caption, columns, tuple(rows))


def _backend_row(cell: Cell, one: Backend) -> tuple[Entry, ...]:
    total = sum(other.requests for other in cell.backends)
    return (
        words(cell.workload),
        words(cell.topology),
        words(node_name(one.name)),
        whole(one.requests),
        Entry(share(one.requests / total), one.requests / total),
        percent(one.failed / one.requests),
        whole(one.stale_reads),
    )


def meaning(outcome: str) -> str:
    """What an outcome means in one sentence."""
    return Outcome(outcome).meaning if outcome in set(Outcome) else "an outcome that this version does not know"


def step_table(summary: RunSummary, topology: str, number: int) -> Table:
    """One row per workload and step of a topology; ``number`` makes the table's name unique."""
    columns = (
        Column("Workload"),
        Column("Step"),
        Column("Requests", True),
        Column("Successful/s", True),
        *_LATENCY_COLUMNS,
        Column("Failed", True),
    )
    rows = [
        _step_row(cell.workload, part)
        for cell in summary.of_topology(topology)
        for part in (*cell.steps, cell.chain)
        if part.requests
    ]
    caption = (
        "Single requests per step, and the whole chain (counted in chains, not requests). Geometric mean over counted "
        "trials [lowest–highest trial]; requests and failures are totals of the counted trials (95 % interval over "
        "trials, in %)."
    )
    return Table(f"steps-{number}", caption, columns, tuple(rows))


def _step_row(workload: str, part: CombinedPart) -> tuple[Entry, ...]:
    latencies = (part.p50_ms, part.p80_ms, part.p95_ms, part.p99_ms, part.max_ms)
    return (
        words(workload),
        words(step_title(part.name)),
        whole(part.requests),
        _estimate(part.throughput_per_s),
        *(_estimate(one) for one in latencies),
        percent(part.failure_share, part.failure_interval),
    )


def step_title(name: str) -> str:
    """The step's name; the rows of whole chains are called so, with the workload's name where it is one of a mix."""
    _, _, workload = name.partition(":")
    return f"whole chain, {workload}" if workload else "whole chain" if is_chain_step(name) else name


def trial_table(summary: RunSummary) -> Table:
    """Every trial that ended, in running order, with its reason where it does not count; attempts set aside, too."""
    columns = (
        Column("#", True),
        Column("Workload"),
        Column("Topology"),
        Column("Trial", True),
        Column("Status"),
        Column("Window", True),
        Column("Requests", True),
        Column("Requests/s", True),
        Column("Chains/s", True),
        *(Column(f"{name} ms", True) for name in ("p50", "p80", "p95")),
        Column("Failed", True),
        Column("2nd half", True),
        Column("Why it does not count", wide=True),
    )
    everything_counts = not (summary.excluded or summary.missing)
    width = len(columns) - 1 if everything_counts else len(columns)
    rows = sorted(
        [(one.trial.position, _trial_row(one)) for one in summary.trials]
        + [
            (planned.position, _missing_row(planned.position, planned.workload, planned.topology, planned.trial))
            for planned in summary.missing
        ],
        key=lambda pair: pair[0],
    )
    caption = (
        "Every planned trial in running order. Latencies are those of whole successful chains; 2nd half is the "
        "throughput of the window's second half against its first, marked where the trial is not steady."
    )
    return Table("trials", caption, columns[:width], tuple(row[:width] for _, row in rows))


def _trial_row(one: TrialSummary) -> tuple[Entry, ...]:
    trial, chain, requests = one.trial, one.chain, one.requests
    status = str(trial.status) if one.is_counted or not trial.is_counted else "not usable"
    status += ", set aside" if trial.is_set_aside else ""
    return (
        whole(trial.position),
        words(trial.workload),
        words(trial.topology),
        whole(trial.trial),
        Entry(status, mark="" if one.is_counted else "bad"),
        words(None if one.window_s is None else seconds(round(one.window_s, 1))),
        whole(requests.requests if requests else None),
        figure(requests.throughput_per_s if requests else None),
        figure(chain.throughput_per_s if chain else None),
        *(_milliseconds(chain, name) for name in ("p50_us", "p80_us", "p95_us")),
        percent(requests.failure_share if requests else None),
        _change(one),
        Entry(one.excluded or "", mark="bad" if one.excluded else ""),
    )


def _change(one: TrialSummary) -> Entry:
    if one.half_change is None:
        return words(None)
    return Entry(f"{100 * one.half_change:+.1f} %", one.half_change, "bad" if NOT_STEADY in one.cautions else "")


def _milliseconds(part: Part | None, name: str) -> Entry:
    value_us: int | None = getattr(part.latency, name) if part else None
    return figure(None if value_us is None else value_us / 1000)


def _missing_row(position: int, workload: str, topology: str, trial: int) -> tuple[Entry, ...]:
    empty = words(None)
    return (
        whole(position),
        words(workload),
        words(topology),
        whole(trial),
        Entry("missing", mark="bad"),
        *[empty] * 9,
        Entry("planned, not run yet or not ended", mark="bad"),
    )


def generator_table(summary: RunSummary) -> Table:
    """How the load generator itself fared in every trial."""
    columns = (
        Column("#", True),
        Column("Workload"),
        Column("Topology"),
        Column("Trial", True),
        Column("Workers", True),
        Column("Lost", True),
        Column("Busiest worker, % of a core", True),
        Column("Loop lag p95 ms", True),
        Column("Waited for a core, %", True),
        Column("Held back by a CPU limit, %", True),
        Column("Master, % of a core", True),
        *_signing_columns(summary),
        Column("Users planned", True),
        Column("Users seen"),
        Column("Rows sent", True),
        Column("Rows kept", True),
        Column("Requests recorded", True),
        Column("Server counted", True),
    )
    caption = (
        "The load generator over the measured windows: a busy or late one measures itself, not the server. Rows and "
        "requests are of whole trials, ramp included; a chain has a row of its own and is no request. Where the server "
        "counts requests by step, those recorded are of the steps it counts."
    )
    if _signing_columns(summary):
        caption += (
            " Clients were proven by assertions that the generator signed: that is its own cost and part of no latency."
        )
    signs = bool(_signing_columns(summary))
    return Table("generator", caption, columns, tuple(_generator_row(one, signs) for one in summary.trials))


def _signing_columns(summary: RunSummary) -> tuple[Column, ...]:
    """Only where some client proved itself by assertions."""
    if all(one.trial.generator.assertions is None for one in summary.trials):
        return ()
    return Column("Assertions", True), Column("Signing one, ms", True), Column("Signing, % of a worker's time", True)


def _generator_row(one: TrialSummary, signs: bool) -> tuple[Entry, ...]:
    trial, health = one.trial, one.trial.generator
    seen = None if health.users_min is None else f"{health.users_min}–{health.users_max}"
    lost = Entry(str(health.workers_lost), health.workers_lost, "bad" if health.workers_lost else "")
    return (
        whole(trial.position),
        words(trial.workload),
        words(trial.topology),
        whole(trial.trial),
        whole(health.workers),
        lost,
        figure(health.max_cpu_percent),
        figure(health.loop_lag_p95_ms),
        figure(health.wait_percent),
        figure(health.throttled_percent),
        figure(health.master_cpu_percent),
        *((whole(health.assertions), figure(health.signing_ms), figure(health.signing_percent)) if signs else ()),
        whole(health.users_planned),
        words(seen),
        whole(trial.counts.sent),
        whole(one.rows),
        whole(recorded_requests(trial)),
        whole(server_requests(trial)),
    )


def environment_table(summary: RunSummary) -> Table:
    """Machine, versions, load and the run itself, name by name."""
    info = summary.run.info
    load = dict(_flat("load", load_of(summary)))
    facts: dict[str, object] = {
        "run": info.name,
        "directory": summary.run.directory.name,
        "started": info.started_at,
        "seed": info.seed,
        "scenario fingerprint": info.fingerprint,
        **load,
        **{f"machine: {key}": value for key, value in info.machine.items()},
        **{f"version: {key}": value for key, value in info.versions.items()},
    }
    return _facts("environment", "Where and with what this was measured.", facts)


def _flat(name: str, section: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Each value under the names of all sections around it."""
    for key, value in section.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{name}: {key}", value)
        else:
            yield f"{name}: {key}", value


def factor_table(summary: RunSummary, topology: str, number: int) -> Table:
    """What the scenario says of a topology."""
    facts = dict(topology_facts(summary, topology))
    factors = facts.pop("factors", None)
    plain = {key: facts[key] for key in ("provider", "issuer", "description") if _is_plain(facts.get(key))}
    if isinstance(factors, Mapping):
        plain.update({str(key): value for key, value in factors.items()})
    return _facts(f"factors-{number}", f"Topology {quoted(topology)}: what the scenario says of it.", plain)


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float) and value != ""


def _facts(name: str, caption: str, facts: Mapping[str, object]) -> Table:
    columns = (Column("What"), Column("Value", wide=True))
    return Table(name, caption, columns, tuple((words(key), words(value)) for key, value in facts.items()))
