"""Write the tables of docs/findings.md from a run of scenarios/geo-iam.yaml.

``python docs/make_findings.py RUN``. Each finding of the study has its pairs of topologies; what a pair differs in is
the question. Ratios are over trials, by the package's own analysis; Holm's method allows for all of them together.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from iam_loadtest.analysis.cell import Cell
from iam_loadtest.analysis.comparison import P95, THROUGHPUT, Comparison, Finding, against, comparisons_made, judged
from iam_loadtest.analysis.margin import margins_of
from iam_loadtest.analysis.summary import RunSummary, summarise_directory
from iam_loadtest.errors import UserError
from iam_loadtest.report.text import number
from iam_loadtest.results.outcome import Outcome

PAGE = Path(__file__).with_name("findings.md")
METRICS = (THROUGHPUT, P95)
TOKENS = ("access", "refresh", "workflow")
KINDS = ("replication", "galera")
TOLD_APART = (Outcome.WRITE_CONFLICT, Outcome.STALE_READ)


@dataclass(frozen=True)
class Question:
    """A table of the page: each pair is a topology and what it is compared with, under some workloads."""

    name: str
    pairs: tuple[tuple[str, str], ...]
    workloads: tuple[str, ...]


QUESTIONS = (
    Question(
        "frontends",
        (
            ("single", "cluster3-galera"),
            ("single", "cluster3-replication"),
            *((f"cluster3-{kind}", f"multi5-{kind}") for kind in KINDS),
        ),
        TOKENS,
    ),
    Question(
        "vpn",
        tuple((f"multi5-{kind}{link}", f"multi5-{kind}{link}-vpn") for kind in KINDS for link in ("", "-30ms")),
        ("workflow",),
    ),
    Question(
        "database",
        tuple(
            (f"{where}-replication{link}", f"{where}-galera{link}")
            for where, link in (("cluster3", ""), ("multi5", ""), ("multi5", "-30ms"))
        ),
        TOKENS,
    ),
    Question("latency", tuple((f"multi5-{kind}", f"multi5-{kind}-30ms") for kind in KINDS), TOKENS),
    Question("login", tuple((f"multi5-{kind}", f"multi5-{kind}-30ms") for kind in KINDS), ("login",)),
)


def findings(summary: RunSummary) -> Iterator[tuple[str, list[str]]]:
    """Each table's name and lines."""
    asked = [(question, found) for question in QUESTIONS for found in _asked(summary, question)]
    answers = judged([found for _, found in asked])
    yield "ratios", [_allowed_for(answers)]
    for question in QUESTIONS:
        own = [answer for (of, _), answer in zip(asked, answers, strict=True) if of is question]
        yield question.name, list(_ratio_table(own))
    yield "figures", list(_figure_table(summary))
    yield "failures", list(_failure_table(summary))


def _allowed_for(answers: Sequence[Comparison]) -> str:
    return (
        f"The interval is that of its pair alone, while the word behind it allows for all {comparisons_made(answers)} "
        "ratios of this page (Holm): one whose interval excludes 1 may be inconclusive all the same, and inconclusive "
        "never means equal."
    )


def _asked(summary: RunSummary, question: Question) -> Iterator[Finding]:
    margins = margins_of(summary.run.info.scenario)
    for workload in question.workloads:
        for before, after in question.pairs:
            baseline, cell = summary.cell(before, workload), summary.cell(after, workload)
            if baseline is not None and cell is not None:
                for metric in METRICS:
                    yield from against(baseline, [cell], metric, metric.margin(margins))


def _ratio_table(answers: Sequence[Comparison]) -> Iterator[str]:
    yield "| workload | from | to | throughput | p95 of the chain |"
    yield "|---|---|---|---|---|"
    for throughput, p95 in zip(answers[::2], answers[1::2], strict=True):
        names = (throughput.workload, throughput.baseline, throughput.topology)
        yield f"| {' | '.join((*names, _ratio(throughput), _ratio(p95)))} |"


def _ratio(one: Comparison) -> str:
    if one.ratio is None or one.low is None or one.high is None:
        return f"not ranked: {one.not_ranked}"
    verdict = f" {one.verdict.lower()}" if one.verdict else ""
    return f"×{one.ratio:.3g} [{one.low:.3g}, {one.high:.3g}]{verdict}"


def _figure_table(summary: RunSummary) -> Iterator[str]:
    yield "| workload | topology | trials | requests/s | chain p50 ms | chain p80 ms | chain p95 ms |"
    yield "|---|---|---|---|---|---|---|"
    for cell in summary.cells:
        chain = cell.chain
        figures = (cell.requests.throughput_per_s, chain.p50_ms, chain.p80_ms, chain.p95_ms)
        columns = (cell.workload, cell.topology, f"{len(cell.counted)} of {cell.planned}")
        yield f"| {' | '.join((*columns, *(number(one.value) for one in figures)))} |"


def _failure_table(summary: RunSummary) -> Iterator[str]:
    yield "| workload | topology | failed requests | write conflicts | stale reads | others |"
    yield "|---|---|---|---|---|---|"
    for cell in summary.cells:
        yield f"| {' | '.join((cell.workload, cell.topology, *_failures(cell)))} |"


def _failures(cell: Cell) -> Iterator[str]:
    part = cell.requests
    share, interval = part.failure_share, part.failure_interval
    around = "" if interval is None else f" [{interval[0]:.2%}, {interval[1]:.2%}]"
    yield "n/a" if share is None else f"{share:.2%}{around} of {part.requests:,}"
    told_apart = [part.outcomes.get(outcome, 0) for outcome in TOLD_APART]
    yield from (f"{count:,}" for count in (*told_apart, part.failed - sum(told_apart)))


def main(run: Path) -> None:
    """Put each table between its marks."""
    page = PAGE.read_text(encoding="utf-8")
    for name, lines in findings(summarise_directory(run)):
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, mark, rest = page.partition(begin)
        if not mark or end not in rest:
            sys.exit(f"{PAGE.name} has no marks for the table {name!r}")
        page = "\n".join((before + begin, "", *lines, "", end)) + rest.partition(end)[2]
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Name the run: python docs/make_findings.py reports/...")
    try:
        main(Path(sys.argv[1]))
    except UserError as error:
        sys.exit(str(error))
