"""Consistency in the report: what probes saw, in tables and charts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from iam_loadtest.analysis.consistency import (
    Consistency,
    Overall,
    Share,
    consistency,
    node_shares,
    overall,
    stale_at_once,
)
from iam_loadtest.analysis.share import wilson
from iam_loadtest.analysis.summary import RunSummary
from iam_loadtest.report.chart_style import Chart, draw
from iam_loadtest.report.heat_chart import Panel, heat_figure
from iam_loadtest.report.palette import looks
from iam_loadtest.report.price_chart import PricePoint, price_figure
from iam_loadtest.report.table import Column, Entry, Table, figure, percent, whole, words
from iam_loadtest.report.text import NO_DATA, number, plural, quoted, share, share_with_interval, with_range
from iam_loadtest.report.visibility_chart import Line, has_intervals, visibility_figure

INTERVALS = (
    "Intervals are of 95 %: over trials from three on, below that of reads as if they were independent. "
    "“below”: not seen once; with 95 % confidence it is rarer than that (rule of three, as if independent)."
)


def read_table(summary: RunSummary) -> Table:
    """One row per cell and kind of probe that reads."""
    columns = (
        Column("Workload"),
        Column("Topology"),
        Column("Probe"),
        Column("Reads", True),
        Column("At once", True),
        Column("Stale at once", True),
        Column("95 % interval"),
        Column("Through the balancer"),
        Column("99 % fresh from, ms", True),
        Column("Stale ones seen after, median ms", True),
        Column("Longest ms", True),
        Column("Not seen", True),
        Column("Without verdict", True),
    )
    caption = (
        "Written at one node, read at another, in the measured windows of the counted trials. At once: sent within "
        "5 ms after the acknowledgement, by every pair of nodes alike; through the balancer: stale ones of those whose "
        "nodes it chose, which count on the left too. Fresh from: at this delay the reads show it with 95 % "
        "confidence, as if independent; it may be so sooner; n/a: too few reads, or too many stale. Seen after: a "
        "stale read is made again until it is fresh, so these are upper bounds; not seen: not within 10 s, or not "
        "before the load ended or a read failed; they count as longer than all others. For revoke-introspect stale "
        "means that a revoked token was still active. " + INTERVALS
    )
    rows = [_read_row(one) for one in consistency(summary) if not one.kind.is_double]
    return Table("probe-reads", caption, columns, tuple(rows))


def _read_row(one: Consistency) -> tuple[Entry, ...]:
    return (
        words(one.workload),
        words(one.topology),
        words(one.kind),
        whole(one.reads),
        whole(one.stale_at_once.total),
        percent(one.stale_at_once.value),
        words(interval_words(one.stale_at_once)),
        words(f"{one.stale_balanced.chosen} of {one.stale_balanced.total}"),
        whole(one.t99_ms),
        figure(one.visible_ms(500)),
        _longest(one),
        whole(one.unseen),
        whole(one.failed + one.unwritten),
    )


def _longest(one: Consistency) -> Entry:
    """Where some were not seen, the longest of the others is not the longest."""
    longest_ms = max(one.visible_us) / 1000 if one.visible_us else None
    return Entry(f"{number(longest_ms)} or more", longest_ms) if longest_ms and one.unseen else figure(longest_ms)


def redemption_table(summary: RunSummary) -> Table:
    """One row per cell and kind of double redemption."""
    columns = (
        Column("Workload"),
        Column("Topology"),
        Column("Probe"),
        Column("Redeemed twice at once", True),
        Column("Both accepted", True),
        Column("Share of doubled"),
        Column("None accepted, nor later", True),
        Column("Share of lost"),
        Column("Accepted a second later", True),
        Column("Not for single use", True),
        Column("Without verdict", True),
    )
    caption = (
        "One credential that works once, redeemed at two nodes at the same moment, a second after it was given out. "
        "Both accepted: a violation. None accepted, nor later: the user has to log in anew. Not for single use: "
        f"the IAM gives the same refresh token back, so nothing is judged. {INTERVALS}"
    )
    rows = [_redemption_row(one) for one in consistency(summary) if one.kind.is_double]
    return Table("redemptions", caption, columns, tuple(rows))


def _redemption_row(one: Consistency) -> tuple[Entry, ...]:
    return (
        words(one.workload),
        words(one.topology),
        words(one.kind),
        whole(one.doubled.total),
        _alarm(one.doubled),
        words(share_words(one.doubled)),
        _alarm(one.lost),
        words(share_words(one.lost)),
        whole(one.recovered),
        whole(one.reusable),
        whole(one.failed + one.unwritten),
    )


def audit_table(summary: RunSummary) -> Table:
    """One row per cell and kind of probe whose credentials were read again after the load."""
    columns = (
        Column("Workload"),
        Column("Topology"),
        Column("Probe"),
        Column("Credentials read again", True),
        Column("Missing", True),
        Column("Share of missing"),
        Column("Without verdict", True),
    )
    caption = (
        "After the load and a time to settle credentials that had been acknowledged were introspected through every "
        "node: all that would not expire meanwhile, or 10,000 of a trial by chance. Missing: one node at least did not "
        "have it, nor a second later: a lost write. For revoke-introspect: the revoked token was active again. Without "
        "verdict: a node gave no answer that tells, or time was up before all nodes were asked; in no share. What no "
        f"node was asked for is in no row; how many these are stands under what these data cannot show. {INTERVALS}"
    )
    found = [one for one in consistency(summary) if one.missing is not None or one.unaudited]
    return Table("audit", caption, columns, tuple(_audit_row(one, one.missing or Share(())) for one in found))


def _audit_row(one: Consistency, missing: Share) -> tuple[Entry, ...]:
    about = (words(one.workload), words(one.topology), words(one.kind))
    counts = (whole(missing.total), _alarm(missing), words(share_words(missing)))
    return (*about, *counts, Entry(str(one.unaudited), one.unaudited, "bad" if one.unaudited else ""))


def _alarm(one: Share) -> Entry:
    """How many; marked where it is one or more."""
    return Entry(*_text_and_value(one), "bad" if one.chosen else "")


def _text_and_value(one: Share) -> tuple[str, float | None]:
    shown = whole(one.chosen if one.total else None)
    return shown.text, shown.sort


def consistency_sentences(summary: RunSummary) -> Iterator[str]:
    """What probes saw of each topology, all kinds together, in a sentence each."""
    for one in overall(summary):
        yield f"{quoted(one.topology)}: {'; '.join(_in_short(one))}."


def _in_short(one: Overall) -> Iterator[str]:
    if one.stale_at_once.total:
        yield f"{_counted(one.stale_at_once, 'read')} at once stale, {share_words(one.stale_at_once)}"
    if one.still_active.chosen:
        yield f"{_counted(one.still_active, 'revoked token')} still active"
    if one.doubled.total:
        yield f"{_counted(one.doubled, 'double redemption')} accepted twice, {share_words(one.doubled)}"
    if one.missing.total:
        yield f"{_counted(one.missing, 'credential')} missing after the load, {share_words(one.missing)}"


def _counted(one: Share, what: str) -> str:
    return f"{one.chosen:,} of {plural(one.total, what)}"


def interval_words(one: Share) -> str:
    """``1.20–4.50 %``, or where there was none ``below 1.2 %``; n/a of nothing."""
    if one.interval is None:
        return NO_DATA
    if one.bound is not None:
        return f"below {share(one.bound)}"
    low, high = one.interval
    return f"{low * 100:.2f}–{high * 100:.2f} %"


def share_words(one: Share) -> str:
    """The share with its interval, or where there was none the bound: ``0 % (below 1.2 %)``."""
    if one.bound is not None:
        return f"0 % ({interval_words(one)})"
    return share_with_interval(one.value, one.interval)


def consistency_charts(summary: RunSummary) -> Iterator[Chart]:
    """The price of consistency and the visibility of writes by time, per workload, and stale reads by nodes."""
    yield from _price_charts(summary)
    found = [one for one in consistency(summary) if one.curve]
    for place, workload in enumerate(dict.fromkeys(one.workload for one in found), 1):
        yield _visibility(summary, place, [one for one in found if one.workload == workload])
    yield from _node_chart(summary)


def _price_charts(summary: RunSummary) -> Iterator[Chart]:
    """One per workload under which several topologies were probed: what being fresh costs."""
    for place, workload in enumerate(summary.workloads, 1):
        every = [
            PricePoint(cell.topology, stale_at_once(cell), cell.chain.p95_ms) for cell in summary.of_workload(workload)
        ]
        points = [point for point in every if point.stale.total and point.p95_ms.value is not None]
        if len(points) < 2:
            continue
        title = f"The price of consistency: {workload}"
        caption = (
            "Stale reads at once, of all probes together, and p95 of whole chains over the counted trials; lines are "
            "95 % intervals, hollow marks trials too far apart to rank. Lower and further left is better."
        )
        said = "; ".join(
            f"{one.topology}: {share_words(one.stale)} stale, p95 {with_range(one.p95_ms)} ms" for one in points
        )
        alt = f"{title}. Stale share of reads at once against chain p95. {said}."
        note = "Topologies differ in more than how they read; the comparison says which differences in p95 are shown."
        make = partial(price_figure, title, caption, points, looks(summary.topologies))
        yield draw(f"price_{place}", title, alt, note, make)


def _visibility(summary: RunSummary, place: int, found: Sequence[Consistency]) -> Chart:
    title = f"How soon a write is seen: {found[0].workload}"
    kinds = dict.fromkeys(one.kind for one in found)
    panels: list[tuple[str, list[Line]]] = [
        (kind.value, [(one.topology, one.curve) for one in found if one.kind is kind]) for kind in kinds
    ]
    intervals = ", with 95 % interval" if has_intervals(panels) else ", whose 95 % intervals stand in consistency.csv"
    caption = (
        f"First reads of probes, counted trials. Dots: share that was fresh{intervals}; lines: the same, made never to "
        "fall."
    )
    said = "; ".join(f"{one.topology}, {one.kind}: {_curve_words(one)}" for one in found)
    alt = f"{title}. Share of fresh reads by time since the acknowledgement. {said}."
    note = (
        "A read has its way to the node still before it when it is sent: this is what a client here sees, not how far "
        "databases are behind."
    )
    make = partial(visibility_figure, title, caption, panels, looks(summary.topologies))
    return draw(f"visibility_{place}", title, alt, note, make)


def _curve_words(one: Consistency) -> str:
    return ", ".join(f"{point.from_ms} ms {share(point.fresh.value)}" for point in one.curve)


def _node_chart(summary: RunSummary) -> Iterator[Chart]:
    shares = {topology: node_shares(summary.of_topology(topology)) for topology in summary.topologies}
    panels = [panel for topology, found in shares.items() if (panel := _panel(topology, found))]
    if not panels:
        return
    title = "Stale reads at once by node"
    caption = (
        "Reads of probes within 5 ms after the acknowledgement, all workloads and probes together, counted trials. "
        "Stale reads of all reads; shaded by the share that they show (lower end of Wilson's 95 % interval)."
    )
    said = "; ".join(f"{topology}: {_pairs_in_words(shares[topology])}" for topology, *_ in panels)
    alt = f"{title}: issued by, then read by, stale of all. {said}."
    note = (
        "Rows: the node that acknowledged the write; columns: the node that was read. A full column is a node behind."
    )
    make = partial(heat_figure, title, "issued by", "read by", caption, panels)
    yield draw("probe_nodes", title, alt, note, make)


def _panel(topology: str, found: dict[tuple[str, str], Share]) -> Panel | None:
    nodes = sorted({node for pair in found for node in pair})
    if len(nodes) < 2:
        return None
    squares = {pair: (wilson(one.chosen, one.total)[0], f"{one.chosen} of {one.total}") for pair, one in found.items()}
    return topology, nodes, squares


def _pairs_in_words(found: dict[tuple[str, str], Share]) -> str:
    return ", ".join(f"{issued} then {read} {one.chosen} of {one.total}" for (issued, read), one in found.items())
